/* SPDX-License-Identifier: MIT */
/*
 * The text screen of a VM, drawn at the top of the console's terminal with its colors and cursor.
 * Only what has changed is sent, ten times a second. Lines of Hamlet and of guests scroll below.
 * Here too: the tick of the legacy PC, which draws, or has rows printed as lines.
 * From: monitor/term/console.c (legacy_draw), guest/life/run.c (legacy_poll).
 * To: guest/pc/legacy/screen.c (screen_cell, screen_look), arch/log.c (console_draw).
 * Spec: ECMA-48 "Cursor Position", "Select Graphic Rendition"; IBM VGA "Attribute Byte".
 * Not handled: blinking.
 *
 * What is drawn stands between ESC 7 and ESC 8 (the terminal saves and restores the cursor), so a
 * reader of the console can leave it out: a letter of the screen is never an escape.
 */
#include "arch/time.h"
#include "guest/pc/legacy/chips.h"
#define LOG "vm"
#include "arch/log.h"

#define CELLS        (SCREEN_ROWS * SCREEN_COLUMNS)
#define BLANK        0x0720 /* gray on black */
#define CURSOR_OFF   BIT(5)
#define LOOK_US      100000
#define RUNS_AT_ONCE 8 /* some 900 bytes: a line of 115200 baud keeps up */

/* The lines have what is left of the terminal; "r": rows that scroll, from there to the last. */
#define BEGIN        "\033[37;40m\033[2J\033[m\033[%ur\033[%u;1H"
#define END          "\033[r\033[999;1H"

static struct {
    const struct vm *vm; /* NULL: no screen is drawn */
    unsigned next;       /* where the next look begins */
    uint16_t cells[CELLS];
} drawn;

void legacy_draw(const struct vm *vm)
{
    if (vm && !(vm->legacy && vm->legacy->on))
        vm = NULL;
    if (vm == drawn.vm)
        return;
    drawn.vm = vm;
    for (unsigned i = 0; i < CELLS; i++)
        drawn.cells[i] = BLANK;
    console_draw(vm ? BEGIN : END, SCREEN_ROWS + 1, SCREEN_ROWS + 1);
}

/* The cursor is a letter whose colors are exchanged. */
static __attribute__((noinline)) uint16_t cell_of(const struct vm *vm, unsigned n)
{
    const struct screen *s = &vm->legacy->screen;
    uint16_t cell = screen_cell(vm, n);
    if (n + screen_place(s, CRTC_START) != screen_place(s, CRTC_CURSOR) ||
        (s->crtc[CRTC_CURSOR_OFF] & CURSOR_OFF))
        return cell;
    return (uint16_t)((cell & BITS(7, 0)) | (cell & BITS(11, 8)) << 4 | (cell & BITS(15, 12)) >> 4);
}

/* A VGA has blue in bit 0, a terminal red. */
static unsigned color(unsigned vga) { return (vga & 1) << 2 | (vga & 2) | (vga & 4) >> 2; }

/* From a letter that has changed to the last one of its row that has, in the same colors. Returns
 * how many letters are done. */
static unsigned draw_run(const struct vm *vm, unsigned at)
{
    char text[SCREEN_COLUMNS];
    unsigned n = 0, size = 0, colors = cell_of(vm, at) >> 8;
    do {
        uint16_t cell = cell_of(vm, at + n);
        if (cell >> 8 != colors)
            break;
        text[n++] = (char)cell;
        if (cell != drawn.cells[at + n - 1])
            size = n;
        drawn.cells[at + n - 1] = cell;
    } while ((at + n) % SCREEN_COLUMNS);
    console_draw("\0337\033[%u;%uH\033[%u;%um%.*s\0338", at / SCREEN_COLUMNS + 1,
                 at % SCREEN_COLUMNS + 1, (colors & BIT(3) ? 90 : 30) + color(colors),
                 40 + color(colors >> 4), (int)size, text);
    return n;
}

static void draw(const struct vm *vm, bool last)
{
    unsigned runs = last ? 4 * SCREEN_ROWS : RUNS_AT_ONCE;
    for (unsigned looked = 0, n; runs && looked < CELLS; looked += n) {
        n = 1;
        if (cell_of(vm, drawn.next) != drawn.cells[drawn.next]) {
            n = draw_run(vm, drawn.next);
            runs--;
        }
        drawn.next = (drawn.next + n) % CELLS;
    }
}

void legacy_poll(struct vm *vm, bool last)
{
    struct legacy *l = vm->legacy;
    if (!l)
        return;
    if (!l->on) {
        absent_poll(l);
        return;
    }
    keyboard_poll(l);
    uint64_t due = l->screen.next;
    if (!last && rdtsc() < due)
        return;
    l->screen.next = time_deadline_us(LOOK_US);
    if (!last && !due)
        return; /* the guest has just been started */
    if (vm == drawn.vm)
        draw(vm, last);
    else
        screen_look(vm, last);
}
