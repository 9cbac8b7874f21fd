/*
 * The command line: words name=value. A value in double quotes may hold blanks, and so may a whole word in them, which
 * is how GRUB hands on the same. What has no = is passed over: the first word is the image's own name with some
 * loaders.
 */
#include "metal.h"

static bool is_word(const char *a, const char *b)
{
    for (; *a && *a == *b; a++)
        b++;
    return *a == *b;
}

/* Ends the value at its closing quote or blank, and returns what follows it. */
static char *take_value(char **value, bool is_quoted)
{
    char end, *at;

    if (**value == '"' && !is_quoted) {
        is_quoted = true;
        (*value)++;
    }
    end = is_quoted ? '"' : ' ';
    for (at = *value; *at && *at != end; at++)
        ;
    if (*at)
        *at++ = '\0';
    return at;
}

/* 0x and digits. Returns whether that is all, and no more than `most`. */
static bool take_hex(const char *text, uint32_t most, uint32_t *value)
{
    if (text[0] != '0' || text[1] != 'x' || !text[2])
        return false;
    *value = 0;
    for (text += 2; *text && *value <= most; text++) {
        uint32_t digit = *text >= '0' && *text <= '9'   ? (uint32_t)(*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (uint32_t)(*text - 'a' + 10)
                                                        : 16;

        if (digit > 15)
            return false;
        *value = *value << 4 | digit;
    }
    return *value <= most;
}

/* What follows `prefix` in `text`, or NULL. */
static const char *behind(const char *prefix, const char *text)
{
    for (; *prefix; prefix++) {
        if (*prefix != *text++)
            return NULL;
    }
    return text;
}

static void add_guestinfo(struct options *options, const char *key, const char *value)
{
    if (options->nr_guestinfo == MAX_GUESTINFO)
        die("more than %u times guestinfo", options->nr_guestinfo);
    options->guestinfo[options->nr_guestinfo].key = key;
    options->guestinfo[options->nr_guestinfo++].value = value;
}

static void set(struct options *options, const char *name, char *value)
{
    if (is_word(name, "present"))
        options->present = value;
    else if (is_word(name, "features"))
        options->features = value;
    else if (behind("guestinfo.", name))
        add_guestinfo(options, behind("guestinfo.", name), value);
    else if (is_word(name, "append"))
        options->append = value;
    else if (is_word(name, "tsc") && is_word(value, "stable"))
        options->is_tsc_trusted = true;
    else if (is_word(name, "stats") && is_word(value, "serial"))
        options->wants_stats = true;
    else if (is_word(name, "stats") && is_word(value, "page"))
        options->shows_stats = true;
    else if (is_word(name, "trace") && is_word(value, "serial"))
        options->has_trace = options->wants_trace = true;
    else if (is_word(name, "trace") && is_word(value, "live"))
        options->has_trace = options->wants_trace = options->is_trace_live = true;
    else if (is_word(name, "trace") && is_word(value, "page"))
        options->has_trace = true;
    else if (is_word(name, "apic") && is_word(value, "open"))
        options->is_apic_open = true;
    else if (is_word(name, "iommu") && is_word(value, "off"))
        options->is_iommu_off = true;
    else if (is_word(name, "disk") && take_hex(value, UINT8_MAX, &options->disk))
        return;
    else if (is_word(name, "fatal") && is_word(value, "reset"))
        options->is_fatal_reset = true;
    else
        die("unknown option %s=%s", name, value);
}

void options_parse(char *command_line, struct options *options)
{
    char *at = command_line;

    *options = (struct options){.present = "none", .features = at + text_of(at).bytes, .append = ""};
    while (*at) {
        bool is_quoted = *at == '"';
        char *name = at += is_quoted, *value;

        while (*at && *at != ' ' && *at != '=')
            at++;
        if (*at != '=') {
            at += *at == ' ';
            continue;
        }
        *at = '\0';
        value = at + 1;
        at = take_value(&value, is_quoted);
        set(options, name, value);
    }
}
