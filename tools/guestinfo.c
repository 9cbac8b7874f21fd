/*
 * `hvshim guestinfo`: the strings that a running guest and its host share. VMware guests know them as guestinfo.KEY,
 * Xen guests as vm-data/KEY of xenstore.
 */
#include "guestinfo.h"

#include "vms.h"

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hvshim/hvshim.h>

enum { FAILED = 1, MOST_WORDS = 4 };

static const char doc[] =
    "Read and set the strings that a running guest shares with its host: guestinfo.KEY of VMware guests, "
    "vm-data/KEY of Xen guests.\v"
    "VM is the process id of the VMM, or the name that QEMU was given (libvirt: the domain's). VALUE may be @FILE.\n\n"
    "What the guest has set may hold any bytes: get writes them as they are, but not to a terminal.\n\n"
    "Exit status:\n"
    "  0   done\n"
    "  1   there is no such key, no such VM, or it does not show strings\n"
    "  64  wrong usage\n";

struct parsing {
    char *word[MOST_WORDS];
    unsigned nr_words;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;

    if (key == ARGP_KEY_ARG) {
        if (p->nr_words == MOST_WORDS)
            argp_error(state, "'%s' is too much", text);
        p->word[p->nr_words++] = text;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("hvshim guestinfo: ", stderr);
    vfprintf(stderr, format, list);
    fputs("\n", stderr);
    va_end(list);
    return FAILED;
}

/* Users write the whole name, as the guest knows it. */
static struct hvs_text key_of(const char *word)
{
    static const char *const prefix[] = {"guestinfo.", "vm-data/"};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(prefix); i++) {
        if (!strncmp(word, prefix[i], strlen(prefix[i]))) {
            word += strlen(prefix[i]);
            break;
        }
    }
    return (struct hvs_text){word, (uint32_t)strlen(word)};
}

/* The words of an enum hvs_err here. */
static int report(int status, const char *key)
{
    switch (status) {
    case HVS_OK:
        return 0;
    case HVS_ENOENT:
        return fail("%s: there is no such key", key);
    case HVS_ENOTSUP:
        return fail("nothing that this VM presents shows strings: --present vmware and xen do");
    case HVS_ENOSPC:
        return fail("%s: all strings together are longer than the store is", key);
    case HVS_EINVAL:
        return fail("%s: a key has 1 to %d bytes, a value at most %d (Xen: a path of letters, digits, '-', '_', '@' and "
                    "'/', 4096)", key, HVS_STORE_KEY_BYTES,
                    HVS_STORE_VALUE_BYTES);
    default:
        return fail("%s: %s", key, hvs_strerror(status));
    }
}

/* What came from the guest does not steer the terminal. A list has a zero behind each key. */
static void print(const char *bytes, size_t nr, bool is_list)
{
    bool is_cleaned = is_list || isatty(STDOUT_FILENO);

    for (size_t i = 0; i < nr; i++) {
        char c = bytes[i];

        if (is_list && c == '\0')
            c = '\n';
        else if (is_cleaned && (c < ' ' || c == 0x7f) && !(c == '\n' && !is_list))
            c = '?';
        putchar(c);
    }
    if (!is_list && isatty(STDOUT_FILENO))
        putchar('\n');
}

static int ask(const struct vms_process *vm, enum control_op op, const char *key_word, struct hvs_text value)
{
    struct hvs_text key = key_of(key_word);
    char *reply;
    size_t bytes;
    int status;

    if ((key.bytes == 0 && op != CONTROL_STRING_LIST) || key.bytes > HVS_STORE_KEY_BYTES ||
        value.bytes > HVS_STORE_VALUE_BYTES)
        return report(HVS_EINVAL, key_word);
    if (vms_ask(vm, op, key, value, &status, &reply, &bytes))
        return fail("the VM cannot be asked: %s", strerror(errno));
    status = report(status, key_word);
    if (!status)
        print(reply, bytes, op == CONTROL_STRING_LIST);
    free(reply);
    return status;
}

/* VALUE, or @FILE. */
static int set(const struct vms_process *vm, const char *key, const char *word)
{
    static char value[HVS_STORE_VALUE_BYTES + 1];
    FILE *file;
    size_t bytes;
    bool is_bad;

    if (*word != '@')
        return ask(vm, CONTROL_STRING_SET, key, (struct hvs_text){word, (uint32_t)strlen(word)});
    file = fopen(word + 1, "re");
    if (!file)
        return fail("%s: %s", word + 1, strerror(errno));
    bytes = fread(value, 1, sizeof(value), file);
    is_bad = ferror(file);
    fclose(file);
    if (is_bad)
        return fail("%s: %s", word + 1, strerror(errno));
    return ask(vm, CONTROL_STRING_SET, key, (struct hvs_text){value, (uint32_t)bytes});
}

int guestinfo_main(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse, .args_doc = "VM list\nVM get KEY\nVM set KEY VALUE", .doc = doc,
    };
    const struct hvs_text none = {"", 0};
    struct parsing p = {.nr_words = 0};
    struct vms_process vm;
    const char *verb;
    bool is_list, is_get, is_set;

    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &p);
    verb = p.nr_words > 1 ? p.word[1] : "";
    is_list = !strcmp(verb, "list") && p.nr_words == 2;
    is_get = !strcmp(verb, "get") && p.nr_words == 3;
    is_set = !strcmp(verb, "set") && p.nr_words == 4;
    if (!is_list && !is_get && !is_set) {
        argp_help(&argp, stderr, ARGP_HELP_SHORT_USAGE | ARGP_HELP_SEE, argv[0]);
        return argp_err_exit_status;
    }
    if (vms_find("hvshim guestinfo", p.word[0], &vm))
        return FAILED;
    if (is_set)
        return set(&vm, p.word[2], p.word[3]);
    return ask(&vm, is_get ? CONTROL_STRING_GET : CONTROL_STRING_LIST, is_get ? p.word[2] : "", none);
}
