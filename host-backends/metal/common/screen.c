/*
 * Messages on the screen, as the loader left it: in text mode, or in pixels with letters of 3 by 5 dots, which need no
 * more room than this. It is the guest's from its start on; what is written later stands for a hypervisor that stopped.
 */
#include "metal.h"

enum { TEXT_WHITE_ON_BLUE = 0x1f, FIRST = ' ', LAST = '_', GLYPH_COLUMNS = 3, GLYPH_ROWS = 5, DOT = 3 };
enum { CELL_WIDTH = (GLYPH_COLUMNS + 1) * DOT, CELL_HEIGHT = (GLYPH_ROWS + 2) * DOT };

/* A row of three dots in each octal digit, from the top. */
static const uint16_t glyph[] = {
    000000, 022202, 055000, 057575, 036236, 051245, 025253, 022000, /*  !"#$%&' */
    012221, 042224, 005250, 002720, 000024, 000700, 000002, 011244, /* ()*+,-./ */
    075557, 026227, 071747, 071317, 055711, 074717, 074757, 071122, /* 01234567 */
    075757, 075717, 002020, 002024, 012421, 007070, 042124, 071202, /* 89:;<=>? */
    025543, 025755, 065656, 034443, 065556, 074647, 074644, 034553, /* @ABCDEFG */
    055755, 072227, 011152, 055655, 044447, 057755, 065555, 025552, /* HIJKLMNO */
    065644, 025563, 065655, 034216, 072222, 055557, 055552, 055775, /* PQRSTUVW */
    055255, 055222, 071247, 064446, 044211, 031113, 025000, 000007, /* XYZ[\\]^_ */
};

static uint32_t column, row;

static uint16_t dots_of(uint8_t byte)
{
    uint8_t upper = byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;

    return upper < FIRST || upper > LAST ? 0 : glyph[upper - FIRST];
}

static void put_pixel(const struct screen *screen, uint32_t x, uint32_t y, bool is_on)
{
    uint8_t *at = (uint8_t *)(screen->gpa + (uint64_t)y * screen->pitch + x * (screen->bits / 8u));
    uint8_t blue = screen->field[4] / 8;

    for (uint32_t i = 0; i < screen->bits / 8u; i++)
        at[i] = is_on || i == blue ? 0xff : 0;
}

static void draw(const struct screen *screen, uint8_t byte)
{
    uint16_t dots = dots_of(byte);

    for (uint32_t y = 0; y < CELL_HEIGHT; y++) {
        for (uint32_t x = 0; x < CELL_WIDTH; x++) {
            uint32_t bit = (GLYPH_ROWS - 1 - y / DOT) * GLYPH_COLUMNS + (GLYPH_COLUMNS - 1 - x / DOT);
            bool is_dot = x / DOT < GLYPH_COLUMNS && y / DOT < GLYPH_ROWS && dots >> bit & 1;

            put_pixel(screen, column * CELL_WIDTH + x, row * CELL_HEIGHT + y, is_dot);
        }
    }
}

static bool is_usable(const struct screen *screen)
{
    if (screen->kind == SCREEN_TEXT)
        return screen->gpa < MAPPED_BYTES;
    return screen->kind == SCREEN_PIXELS && screen->bits >= 15 && screen->bits <= 32 &&
           screen->gpa + (uint64_t)screen->pitch * screen->height <= MAPPED_BYTES;
}

void screen_byte(const struct screen *screen, uint8_t byte)
{
    bool is_text = screen->kind == SCREEN_TEXT;
    uint32_t columns = is_text ? screen->width : screen->width / CELL_WIDTH;
    uint32_t rows = is_text ? screen->height : screen->height / CELL_HEIGHT;

    if (!is_usable(screen) || byte == '\r')
        return;
    if (byte == '\n' || column >= columns) {
        row = column ? row + 1 : row;
        column = 0;
    }
    if (byte == '\n' || row >= rows)
        return;
    if (is_text)
        ((volatile uint16_t *)screen->gpa)[row * columns + column] = (uint16_t)(TEXT_WHITE_ON_BLUE << 8 | byte);
    else
        draw(screen, byte);
    column++;
}
