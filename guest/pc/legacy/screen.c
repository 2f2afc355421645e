/* SPDX-License-Identifier: MIT */
/*
 * The text screen of a VGA. Its page at 0xB8000 is plain memory, so a guest prints without an exit;
 * Hamlet looks at the page ten times a second, and prints the rows that have changed.
 * From: guest/pc/legacy/legacy.c (screen_in, screen_out), guest/pc/legacy/draw.c (screen_look),
 * monitor/cmd/screen.c (legacy_row).
 * To: guest/core/memory.c (vm_ram), arch/log.c (console_line).
 * Spec: IBM VGA "CRT Controller Registers".   Not handled: graphics, fonts.
 */
#include "guest/core/memory.h"
#include "guest/pc/legacy/chips.h"
#include "lib/string.h"
#define LOG "vm"
#include "arch/log.h"

#define PAGE_AT        UINT64_C(0xb8000)
#define PAGE_BYTES     0x8000
#define CRTC_INDEX     0x3d4
#define CRTC_DATA      0x3d5
#define PORT_MISC_READ 0x3cc
#define PORT_STATUS    0x3da
#define MISC_COLOR     0x67
#define STATUS_RETRACE 0x09
#define LOOKS_MAX      10 /* a screen that never comes to rest is shown so often */

/* Letters 0xb0 to 0xdf of the character set: shades and lines. */
static const char boxes[] = ".:#|++++++|+++++"
                            "++++-++++++++=++"
                            "+++++++++++#_||^";

static unsigned start_of(const struct screen *s) { return screen_place(s, CRTC_START) * 2; }

static char ascii(uint8_t c)
{
    if (c >= 0xb0 && c < 0xb0 + sizeof(boxes) - 1)
        return boxes[c - 0xb0];
    return c == 0 || c == 0xff ? ' ' : c < ' ' || c > '~' ? '?' : (char)c;
}

uint16_t screen_cell(const struct vm *vm, unsigned n)
{
    const uint8_t *page = vm_ram(vm, gpa(PAGE_AT), PAGE_BYTES);
    unsigned at = (start_of(&vm->legacy->screen) + n * 2) % PAGE_BYTES;
    return page ? (uint16_t)(page[at + 1] << 8 | (uint8_t)ascii(page[at])) : ' ';
}

size_t legacy_row(const struct vm *vm, unsigned row, char text[SCREEN_COLUMNS + 1])
{
    const struct legacy *l = vm->legacy;
    size_t length = 0;
    for (unsigned i = 0; l && l->on && i < SCREEN_COLUMNS; i++) {
        text[i] = (char)screen_cell(vm, row * SCREEN_COLUMNS + i);
        if (text[i] != ' ')
            length = i + 1;
    }
    text[length] = '\0';
    return length;
}

/* --- On the console --------------------------------------------------------------------------- */

/* FNV-1a; 0 for a blank row. */
static uint32_t checksum(const char *text)
{
    uint32_t sum = *text ? 2166136261 : 0;
    for (; *text; text++)
        sum = (sum ^ (uint8_t)*text) * 16777619;
    return sum;
}

/* Rows that would be printed if the screen had moved up by `up` rows since it was shown. */
static unsigned changes(const struct screen *s, unsigned up)
{
    unsigned count = 0;
    for (unsigned row = 0; row < SCREEN_ROWS; row++)
        count += s->seen[row] && (row + up >= SCREEN_ROWS || s->seen[row] != s->shown[row + up]);
    return count;
}

static void show(struct vm *vm, struct screen *s)
{
    char text[SCREEN_COLUMNS + 1];
    unsigned up = 0;
    for (unsigned n = 1; n < SCREEN_ROWS; n++)
        if (changes(s, n) < changes(s, up))
            up = n;
    for (unsigned row = 0; row < SCREEN_ROWS; row++) {
        uint32_t before = row + up < SCREEN_ROWS ? s->shown[row + up] : 0;
        if (s->seen[row] == before || !legacy_row(vm, row, text))
            continue;
        if (!vm_hooks.keep || !vm_hooks.keep(vm, text, true))
            console_line("%s| %s", vm->name, text);
    }
    memcpy(s->shown, s->seen, sizeof(s->shown));
}

/* A screen at rest, or one that never is. */
static bool is_complete(struct screen *s, bool moves)
{
    bool differs = memcmp(s->seen, s->shown, sizeof(s->shown)) != 0;
    s->waiting = differs ? s->waiting + 1 : 0;
    if (!differs || (moves && s->waiting < LOOKS_MAX))
        return false;
    s->waiting = 0;
    return true;
}

/* Of the whole page and where it begins: cheap, as it is taken ten times a second. */
static uint64_t page_sum(const struct vm *vm, const struct screen *s)
{
    const uint64_t *page = vm_ram(vm, gpa(PAGE_AT), PAGE_BYTES);
    uint64_t sum = start_of(s);
    for (unsigned i = 0; page && i < PAGE_BYTES / sizeof(*page) / 8; i++)
        sum = (sum ^ page[(start_of(s) / sizeof(*page) + i) % (PAGE_BYTES / sizeof(*page))]) *
              UINT64_C(0x100000001b3);
    return sum;
}

/* True: a row is not what it was at the last look. */
static bool look(struct vm *vm, struct screen *s)
{
    char text[SCREEN_COLUMNS + 1];
    bool moves = false;
    for (unsigned row = 0; row < SCREEN_ROWS; row++) {
        legacy_row(vm, row, text);
        uint32_t sum = checksum(text);
        moves = moves || sum != s->seen[row];
        s->seen[row] = sum;
    }
    return moves;
}

void screen_look(struct vm *vm, bool last)
{
    struct screen *s = &vm->legacy->screen;
    uint64_t sum = page_sum(vm, s);
    bool moves = sum != s->sum && look(vm, s);
    s->sum = sum;
    if (is_complete(s, moves && !last))
        show(vm, s);
}

/* --- Ports ------------------------------------------------------------------------------------ */

uint8_t screen_in(struct legacy *l, uint16_t port)
{
    struct screen *s = &l->screen;
    switch (port) {
    case CRTC_INDEX:
        return s->index;
    case CRTC_DATA:
        return s->crtc[s->index];
    case PORT_MISC_READ:
        return MISC_COLOR;
    case PORT_STATUS: /* a driver waits for the beam, and for its end */
        s->retrace ^= STATUS_RETRACE;
        return s->retrace;
    default:
        return 0;
    }
}

void screen_out(struct legacy *l, uint16_t port, uint8_t value)
{
    struct screen *s = &l->screen;
    if (port == CRTC_INDEX)
        s->index = value % sizeof(s->crtc);
    if (port == CRTC_DATA)
        s->crtc[s->index] = value;
}

void screen_reset(struct legacy *l) { l->screen = (struct screen){.index = 0}; }
