/*
 * The screen in VGA's text mode, which a BIOS leaves: 25 lines of 80 characters at 0xb8000 [IBM VGA, mode 3]. There is no
 * cursor.
 */
#include "conform.h"

enum { COLUMNS = 80, LINES = 25, GREY = 0x0700 };

static volatile uint16_t *const cells = (volatile uint16_t *)0xb8000;
static uint32_t column;

static void new_line(void)
{
    for (uint32_t i = 0; i < COLUMNS * (LINES - 1); i++)
        cells[i] = cells[i + COLUMNS];
    for (uint32_t i = 0; i < COLUMNS; i++)
        cells[COLUMNS * (LINES - 1) + i] = GREY | ' ';
    column = 0;
}

void conform_screen_write(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n' || column == COLUMNS)
            new_line();
        if (text[i] != '\n')
            cells[COLUMNS * (LINES - 1) + column++] = GREY | (uint8_t)text[i];
    }
}
