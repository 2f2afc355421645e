/* SPDX-License-Identifier: MIT */
/*
 * The PC's screen. What is to be seen stands in memory as characters; after each text the ones that
 * changed are drawn. So no pixel is read: on hardware that takes some hundred times as long as to
 * write one.
 * From: arch/terminal.c.   To: arch/font.asm (the letters).
 * Spec: Multiboot2 "Boot information format"; ECMA-48 "Control functions" (EL, ED, CUP); DEC VT100
 * User Guide (DECSTBM, DECSC, DECRC).
 */
#include "arch/screen.h"
#include "arch/io.h"
#include "lib/string.h"

#define COLUMNS_MAX  240
#define ROWS_MAX     80
#define GLYPH_HEIGHT 16
#define GLYPH_WIDTH  8
#define SCALE_MAX    4
#define BYTES_MAX    4
#define FIRST        ' ' /* of the font */
#define LAST         '~'
#define CELL_COLORS  0x0700 /* text mode: light grey on black */
#define INK          0xff   /* white, wherever a pixel has its colours */
#define INK_8_BITS   15     /* white of the palette */

extern const uint8_t screen_font[LAST - FIRST + 1][GLYPH_HEIGHT]; /* bit 7 is the leftmost pixel */

static struct {
    struct boot_screen at; /* columns 0: none */
    unsigned columns, rows, scale, column, row;
    unsigned top;                   /* rows above it do not scroll */
    unsigned kept_column, kept_row; /* of ESC 7 */
    char wanted[ROWS_MAX][COLUMNS_MAX], shown[ROWS_MAX][COLUMNS_MAX];
    enum { TEXT, ESCAPE, SEQUENCE } state;
    unsigned numbers[2], count; /* of a sequence */
} screen;

bool screen_is_open(void) { return screen.columns; }

void screen_close(void) { screen.columns = 0; }

bool screen_is_in(hpa_t base, uint64_t size)
{
    return screen_is_open() && screen.at.base.v >= base.v && screen.at.base.v - base.v < size;
}

/* --- Drawing ---------------------------------------------------------------------------------- */

/* One line of one letter is made in memory, and copied. */
static void draw_glyph(unsigned row, unsigned column, const uint8_t *glyph)
{
    unsigned bytes = screen.at.bits / 8, wide = bytes * screen.scale;
    uint8_t line[GLYPH_WIDTH * SCALE_MAX * BYTES_MAX];
    for (unsigned y = 0; y < GLYPH_HEIGHT * screen.scale; y++) {
        for (unsigned x = 0; x < GLYPH_WIDTH * wide; x++)
            line[x] = !(glyph[y / screen.scale] & (0x80 >> (x / wide))) ? 0
                      : bytes == 1                                      ? INK_8_BITS
                                                                        : INK;
        uint64_t offset = (uint64_t)(row * GLYPH_HEIGHT * screen.scale + y) * screen.at.pitch +
                          (uint64_t)column * GLYPH_WIDTH * wide;
        memcpy(hpa_ptr(hpa(screen.at.base.v + offset)), line, GLYPH_WIDTH * wide);
    }
}

static void draw_cell(unsigned row, unsigned column, char c)
{
    if (screen.at.text)
        mmio_write16(hpa_ptr(hpa(screen.at.base.v + row * screen.at.pitch + column * 2)),
                     CELL_COLORS | (uint8_t)c);
    else
        draw_glyph(row, column, screen_font[c - FIRST]);
}

/* The cursor is an underscore, drawn where no letter stands. */
static void draw(void)
{
    char *cursor = &screen.wanted[screen.row][MIN(screen.column, screen.columns - 1)];
    bool free = *cursor == ' ';
    if (free)
        *cursor = '_';
    for (unsigned r = 0; r < screen.rows; r++) {
        if (memcmp(screen.wanted[r], screen.shown[r], screen.columns) == 0)
            continue;
        for (unsigned c = 0; c < screen.columns; c++)
            if (screen.shown[r][c] != screen.wanted[r][c])
                draw_cell(r, c, screen.shown[r][c] = screen.wanted[r][c]);
    }
    if (free)
        *cursor = ' ';
}

/* --- Text ------------------------------------------------------------------------------------- */

static void new_line(void)
{
    screen.column = 0;
    if (++screen.row < screen.rows)
        return;
    screen.row--;
    memmove(screen.wanted[screen.top], screen.wanted[screen.top + 1],
            sizeof(screen.wanted[0]) * (screen.rows - 1 - screen.top));
    memset(screen.wanted[screen.row], ' ', COLUMNS_MAX);
}

static void erase_line(void)
{
    memset(&screen.wanted[screen.row][screen.column], ' ', COLUMNS_MAX - screen.column);
}

static void sequence_ends(char c)
{
    screen.state = TEXT;
    if (c == 'K' || c == 'J')
        erase_line();
    bool all = screen.numbers[0] == 2; /* not only what is behind the cursor */
    for (unsigned r = all ? 0 : screen.row + 1; c == 'J' && r < screen.rows; r++)
        memset(screen.wanted[r], ' ', COLUMNS_MAX);
    if (c == 'r') /* rows and columns count from 1; 0 and none mean 1 */
        screen.top = MIN(MAX(screen.numbers[0], 1u), screen.rows) - 1;
    if (c == 'H') {
        screen.row = MIN(MAX(screen.numbers[0], 1u), screen.rows) - 1;
        screen.column = MIN(MAX(screen.numbers[1], 1u), screen.columns) - 1;
    }
}

static void in_sequence(char c)
{
    if (c >= '0' && c <= '9')
        screen.numbers[screen.count] =
            MIN(screen.numbers[screen.count] * 10 + (unsigned)(c - '0'), 9999u);
    else if (c == ';')
        screen.count = 1;
    else if (c >= '@')
        sequence_ends(c);
}

static void put(char c)
{
    if (screen.state == SEQUENCE) {
        in_sequence(c);
    } else if (screen.state == ESCAPE) {
        screen.state = c == '[' ? SEQUENCE : TEXT;
        if (c == '7') {
            screen.kept_row = screen.row;
            screen.kept_column = screen.column;
        } else if (c == '8') {
            screen.row = screen.kept_row;
            screen.column = screen.kept_column;
        }
        screen.numbers[0] = screen.numbers[1] = screen.count = 0;
    } else if (c == '\033') {
        screen.state = ESCAPE;
    } else if (c == '\n') {
        new_line();
    } else if (c == '\r') {
        screen.column = 0;
    } else if (c == '\b') {
        screen.column -= screen.column > 0;
    } else if (c >= FIRST && c <= LAST) {
        if (screen.column == screen.columns)
            new_line();
        screen.wanted[screen.row][screen.column++] = c;
    }
}

void screen_write(const char *text, size_t size)
{
    if (!screen_is_open())
        return;
    for (size_t i = 0; i < size; i++)
        put(text[i]);
    draw();
}

/* The letters of a wide screen are drawn larger, until they fill it. */
bool screen_open(const struct boot_screen *s)
{
    unsigned bytes = s->bits / 8, wide = s->text ? 1 : GLYPH_WIDTH,
             high = s->text ? 1 : GLYPH_HEIGHT;
    unsigned scale = MIN(1 + s->width / (COLUMNS_MAX * wide + 1), (unsigned)SCALE_MAX);
    if (s->base.v == 0 || s->pitch / (s->text ? 2 : MAX(bytes, 1u)) < s->width ||
        (!s->text && (s->bits % 8 || bytes == 0 || bytes > BYTES_MAX)))
        return false;
    unsigned columns = MIN(s->width / (wide * scale), (unsigned)COLUMNS_MAX);
    unsigned rows = MIN(s->height / (high * scale), (unsigned)ROWS_MAX);
    if (columns == 0 || rows == 0)
        return false;
    screen.at = *s;
    screen.columns = columns;
    screen.rows = rows;
    screen.scale = scale;
    screen.row = screen.column = screen.top = screen.kept_row = screen.kept_column = 0;
    memset(screen.wanted, ' ', sizeof(screen.wanted));
    memset(screen.shown, 0, sizeof(screen.shown)); /* every place is drawn */
    draw();
    return true;
}
