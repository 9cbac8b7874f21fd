/*
 * Text in a fixed buffer [text.h].
 */
#include "text.h"

#include <stdarg.h>

enum { MAX_DIGITS = 20 };

struct spec {
    bool is_left, is_zero_padded;
    int width;
    int nr_longs;
    char kind;
};

static void put(struct text *text, char c)
{
    if (text->used + 1 >= text->capacity)
        return;
    text->buffer[text->used++] = c;
    text->buffer[text->used] = '\0';
}

static void pad(struct text *text, char c, int count)
{
    while (count-- > 0)
        put(text, c);
}

static void put_field(struct text *text, const struct spec *spec, const char *string, int length)
{
    int missing = spec->width - length;
    if (!spec->is_left)
        pad(text, spec->is_zero_padded ? '0' : ' ', missing);
    for (int i = 0; i < length; i++)
        put(text, string[i]);
    if (spec->is_left)
        pad(text, ' ', missing);
}

static void put_number(struct text *text, const struct spec *spec, uint64_t value, bool is_negative)
{
    char digits[MAX_DIGITS + 1];
    int at = sizeof(digits);
    uint64_t radix = spec->kind == 'x' ? 16 : 10;
    do {
        digits[--at] = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value != 0);
    if (is_negative)
        digits[--at] = '-';
    put_field(text, spec, digits + at, (int)sizeof(digits) - at);
}

static void put_string(struct text *text, const struct spec *spec, const char *string)
{
    int length = 0;
    while (string[length] != '\0')
        length++;
    put_field(text, spec, string, length);
}

static const char *parse(const char *format, struct spec *spec)
{
    *spec = (struct spec){0};
    for (; *format == '-' || *format == '0'; format++) {
        spec->is_left |= *format == '-';
        spec->is_zero_padded |= *format == '0';
    }
    for (; *format >= '0' && *format <= '9'; format++)
        spec->width = spec->width * 10 + (*format - '0');
    for (; *format == 'l'; format++)
        spec->nr_longs++;
    spec->kind = *format;
    return format;
}

static int64_t take_signed(va_list *arguments, int nr_longs)
{
    if (nr_longs == 0)
        return va_arg(*arguments, int);
    return nr_longs == 1 ? va_arg(*arguments, long) : va_arg(*arguments, long long);
}

static uint64_t take_unsigned(va_list *arguments, int nr_longs)
{
    if (nr_longs == 0)
        return va_arg(*arguments, unsigned int);
    return nr_longs == 1 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned long long);
}

static void convert(struct text *text, const struct spec *spec, va_list *arguments)
{
    if (spec->kind == 's') {
        put_string(text, spec, va_arg(*arguments, const char *));
    } else if (spec->kind == 'c') {
        char c = (char)va_arg(*arguments, int);
        put_field(text, spec, &c, 1);
    } else if (spec->kind == 'd') {
        int64_t value = take_signed(arguments, spec->nr_longs);
        put_number(text, spec, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
    } else if (spec->kind == 'u' || spec->kind == 'x') {
        put_number(text, spec, take_unsigned(arguments, spec->nr_longs), false);
    } else {
        put(text, spec->kind);
    }
}

void text_add_list(struct text *text, const char *format, va_list arguments)
{
    va_list rest;
    va_copy(rest, arguments);
    for (; *format != '\0'; format++) {
        struct spec spec;
        if (*format != '%') {
            put(text, *format);
            continue;
        }
        format = parse(format + 1, &spec);
        if (spec.kind == '\0')
            break;
        convert(text, &spec, &rest);
    }
    va_end(rest);
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_add_list(text, format, arguments);
    va_end(arguments);
}

void text_add_json(struct text *text, const char *string)
{
    for (; *string != '\0'; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\')
            text_add(text, "\\%c", c);
        else if (c < ' ' || c > '~')
            text_add(text, "\\u%04x", c);
        else
            put(text, *string);
    }
}

bool text_is_equal(const char *left, const char *right)
{
    for (; *left != '\0' && *left == *right; left++)
        right++;
    return *left == *right;
}
