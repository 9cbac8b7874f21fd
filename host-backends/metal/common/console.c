/*
 * The first serial port, at 115200 baud. The guest owns it too: after the start we write only when something is wrong
 * or was asked for, and a line of ours may then stand in one of the guest's. Why the hypervisor stops, stands on the
 * screen too.
 */
#include "metal.h"

#include <stdarg.h>

enum { COM1 = 0x3f8, DATA = 0, INTERRUPTS = 1, FIFO = 2, LINE = 3, MODEM = 4, STATUS = 5 };
enum { LINE_8N1 = 3, LINE_DIVISOR = 0x80, MODEM_DTR_RTS = 3, STATUS_EMPTY = 0x20, STATUS_SENT = 0x40,
       PATIENCE = 1 << 16 };

static atomic_flag taken = ATOMIC_FLAG_INIT;
static bool is_on_screen;

void console_init(void)
{
    out8(COM1 + INTERRUPTS, 0);
    out8(COM1 + LINE, LINE_DIVISOR | LINE_8N1);
    out8(COM1 + DATA, 1);
    out8(COM1 + INTERRUPTS, 0);
    out8(COM1 + LINE, LINE_8N1);
    out8(COM1 + FIFO, 0);
    out8(COM1 + MODEM, MODEM_DTR_RTS);
}

/* A machine without the port reads all ones there: always so. */
static void wait_for(uint8_t status)
{
    for (uint32_t i = 0; i < PATIENCE && !(in8(COM1 + STATUS) & status); i++)
        cpu_relax();
}

void console_byte(uint8_t byte)
{
    wait_for(STATUS_EMPTY);
    out8(COM1 + DATA, byte);
}

void console_drain(void)
{
    wait_for(STATUS_SENT);
}

static uint8_t printable(uint8_t byte)
{
    return byte >= ' ' && byte < 0x7f ? byte : '?';
}

void console_guest_byte(uint8_t byte)
{
    console_byte(byte == '\n' || byte == '\r' || byte == '\t' ? byte : printable(byte));
}

static void put_byte(uint8_t byte)
{
    console_byte(byte);
    if (is_on_screen)
        screen_byte(&machine.boot.screen, byte);
}

static void put_text(const char *text)
{
    for (; *text; text++)
        put_byte((uint8_t)*text);
}

static void put_number(uint64_t value, uint32_t radix)
{
    char digits[21], *at = &digits[sizeof(digits) - 1];

    *at = '\0';
    do {
        *--at = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value);
    put_text(at);
}

static void put_guest_text(va_list *arguments)
{
    int bytes = va_arg(*arguments, int);
    const char *text = va_arg(*arguments, const char *);

    for (int i = 0; i < bytes; i++)
        put_byte(printable((uint8_t)text[i]));
}

/* One conversion, `*at` behind its percent sign; leaves *at behind it. */
static void put_argument(const char **at, va_list *arguments)
{
    bool is_long = **at == 'l';
    char kind;

    if (is_long)
        ++*at;
    kind = *(*at)++;
    switch (kind) {
    case '.':                   /* "%.*s" */
        *at += 2;
        put_guest_text(arguments);
        break;
    case 's':
        put_text(va_arg(*arguments, const char *));
        break;
    default:
        put_number(is_long ? va_arg(*arguments, uint64_t) : va_arg(*arguments, uint32_t), kind == 'x' ? 16 : 10);
        break;
    }
}

static void put_line(const char *prefix, const char *format, va_list *arguments, bool is_last)
{
    while (atomic_flag_test_and_set_explicit(&taken, memory_order_acquire))
        cpu_relax();
    is_on_screen = is_last;
    put_text(prefix);
    while (*format) {
        if (*format != '%')
            put_byte((uint8_t)*format++);
        else if (format++, *format)
            put_argument(&format, arguments);
    }
    put_text("\r\n");
    atomic_flag_clear_explicit(&taken, memory_order_release);
}

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put_line("hvshim-metal: ", format, &arguments, false);
    va_end(arguments);
}

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put_line("\r\nhvshim-metal: stopped: ", format, &arguments, true);
    va_end(arguments);
    trace_tell(true);
    if (machine.options.is_fatal_reset)
        machine_reset_now();
    for (;;)
        __asm__ volatile("cli; hlt");
}
