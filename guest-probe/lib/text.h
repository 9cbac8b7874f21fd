/*
 * Text in a fixed buffer: always terminated, cut where the buffer ends.
 */
#ifndef PROBE_TEXT_H
#define PROBE_TEXT_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *buffer;
    size_t capacity;            /* the terminator included */
    size_t used;                /* without the terminator */
};

/* A struct text over an array. */
#define TEXT_IN(array) {.buffer = (array), .capacity = sizeof(array)}

/* What the compiler checks formats by: text_add() is the same on Windows, where printf is another. */
#ifdef __MINGW32__
#define TEXT_FORMAT __gnu_printf__
#else
#define TEXT_FORMAT __printf__
#endif

/*
 * Appends, by the part of printf that the probe needs: %c %s %d %u %x %% with `l` or `ll`, '-', '0' and a width.
 */
__attribute__((format(TEXT_FORMAT, 2, 3))) void text_add(struct text *text, const char *format, ...);
__attribute__((format(TEXT_FORMAT, 2, 0))) void text_add_list(struct text *text, const char *format, va_list arguments);

/* Appends with the escapes of a JSON string, without the quotes. */
void text_add_json(struct text *text, const char *string);

bool text_is_equal(const char *left, const char *right);

#endif
