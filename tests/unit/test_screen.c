/* SPDX-License-Identifier: MIT */
/*
 * The text screen: rows as text, which of them the console gets as the screen changes and scrolls,
 * what a terminal shows of a screen that is drawn, and the registers that drivers read back. Here
 * too: the MP table.
 */
// sources: guest/pc/legacy/screen.c guest/pc/legacy/draw.c guest/pc/legacy/mptable.c
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "guest/core/memory.h"
#include "guest/pc/legacy/chips.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

static struct vm vm;
static struct legacy l;
static uint8_t page[0x8000];
struct vm_hooks vm_hooks;

void *vm_ram(const struct vm *m, gpa_t at, uint64_t size)
{
    (void)m;
    assert_int_equal(at.v, 0xb8000);
    assert_true(size <= sizeof(page));
    return page;
}
uint64_t time_deadline_us(uint64_t us)
{
    assert_int_equal(us, 100000);
    return 1; /* each poll looks */
}
void keyboard_poll(struct legacy *legacy) { (void)legacy; }
void absent_poll(struct legacy *legacy) { (void)legacy; }

FIXTURE(fresh)
{
    memset(&l, 0, sizeof(l));
    memset(page, 0, sizeof(page));
    vm = (struct vm){.name = "a", .legacy = &l};
    l.vm = &vm;
    l.on = true;
    l.screen.next = 1;
    legacy_draw(NULL);
    stub_log_clear();
    return 0;
}

static void row(unsigned n, const char *text)
{
    for (unsigned i = 0; i < 80; i++)
        page[(n * 80 + i) * 2] = (uint8_t)(*text ? *text++ : ' ');
}

static void shows(const char *lines)
{
    for (unsigned i = 0; i < 3; i++)
        legacy_poll(&vm, false);
    assert_string_equal(stub_log, lines);
    stub_log_clear();
}

/* The VM has just been started: there is nothing to see, but after its end everything is. */
TEST(the_first_poll_does_not_look)
{
    row(0, "old");
    l.screen.next = 0;
    legacy_poll(&vm, false);
    assert_int_equal(l.screen.sum, 0);
    legacy_poll(&vm, false);
    assert_int_not_equal(l.screen.sum, 0);
    l.screen.next = 0;
    legacy_poll(&vm, true);
    assert_non_null(strstr(stub_log, "old"));
}

TEST(rows_as_text)
{
    char text[SCREEN_COLUMNS + 1];
    row(3, " x\xda\xc4\xbf\xb3\xdb\x01\x90 ");
    assert_int_equal(legacy_row(&vm, 3, text), 9);
    assert_string_equal(text, " x+-+|#??");
    row(24, "0123456789012345678901234567890123456789012345678901234567890123456789012345678");
    assert_int_equal(legacy_row(&vm, 24, text), 79);
    screen_out(&l, 0x3d4, 0x0d); /* the start moves by a row: hardware scrolling */
    screen_out(&l, 0x3d5, 80);
    assert_int_equal(legacy_row(&vm, 2, text), 9);
    l.on = false;
    assert_int_equal(legacy_row(&vm, 2, text), 0);
}

TEST(changes_are_shown_once)
{
    shows("");
    row(0, "one");
    row(1, "two");
    shows("a| one\na| two\n");
    shows("");
    row(2, "> ");
    shows("a| >\n");
    row(2, "> x");
    shows("a| > x\n");
    row(0, "ONE");
    row(1, "");
    shows("a| ONE\n");
}

TEST(a_screen_that_scrolls)
{
    static char text[25][8];
    for (unsigned n = 0; n < 25; n++) {
        snprintf(text[n], sizeof(text[n]), "line %u", n);
        row(n, text[n]);
    }
    for (unsigned i = 0; i < 3; i++)
        legacy_poll(&vm, false);
    stub_log_clear();
    for (unsigned n = 0; n < 23; n++)
        row(n, text[n + 2]);
    row(23, "new");
    row(24, "newer");
    shows("a| new\na| newer\n");
}

/* A screen that changes all the time is shown all the same, but not each time. */
TEST(a_screen_without_rest)
{
    char text[16];
    for (unsigned n = 0; n < 30; n++) {
        snprintf(text, sizeof(text), "tick %u", n);
        row(0, text);
        legacy_poll(&vm, false);
    }
    assert_string_equal(stub_log, "a| tick 9\na| tick 19\na| tick 29\n");
    stub_log_clear();
    row(0, "the end");
    legacy_poll(&vm, true);
    assert_string_equal(stub_log, "a| the end\n");
}

/* --- Drawn ------------------------------------------------------------------------------------ */

/* The terminal. */
static char glyphs[26][81]; /* the last row: where lines go on */
static unsigned pens[25][80], runs, top_row, cursor_row;

static void receive(const char *text)
{
    unsigned a = 0, b = 0, used = 0;
    if (sscanf(text, "\033[37;40m\033[2J\033[m\033[%ur\033[%u;1H", &top_row, &cursor_row) == 2) {
        for (unsigned r = 0; r < 25; r++) {
            memset(glyphs[r], ' ', 80);
            for (unsigned c = 0; c < 80; c++)
                pens[r][c] = 3740;
        }
        return;
    }
    if (strcmp(text, "\033[r\033[999;1H") == 0) {
        top_row = 0;
        return;
    }
    assert_int_equal(sscanf(text, "\0337\033[%u;%uH\033[%n", &a, &b, (int *)&used), 2);
    const char *at = text + used;
    unsigned front, back;
    assert_int_equal(sscanf(at, "%u;%um%n", &front, &back, (int *)&used), 2);
    runs++;
    for (at += used; strcmp(at, "\0338") != 0; at++, b++) {
        assert_in_range(*at, ' ', '~');
        assert_in_range(a, 1, 25);
        assert_in_range(b, 1, 80);
        glyphs[a - 1][b - 1] = *at;
        pens[a - 1][b - 1] = front * 100 + back;
    }
}

void console_draw(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    assert_in_range(vsnprintf(text, sizeof(text), fmt, args), 1, sizeof(text) - 1);
    va_end(args);
    receive(text);
}

static void looks(unsigned n)
{
    runs = 0;
    while (n--)
        legacy_poll(&vm, false);
}

static void terminal_shows_the_page(void)
{
    for (unsigned r = 0; r < 25; r++)
        for (unsigned c = 0; c < 80; c++)
            assert_int_equal(glyphs[r][c], page[(r * 80 + c) * 2] ? page[(r * 80 + c) * 2] : ' ');
}

static void begin_drawing(void)
{
    screen_out(&l, 0x3d4, 0x0a); /* no cursor */
    screen_out(&l, 0x3d5, 0x20);
    for (unsigned n = 0; n < 2000; n++)
        page[n * 2 + 1] = 7;
    row(0, "one");
    row(24, "the last row");
    row(23, "");
    page[(24 * 80 + 79) * 2] = '.';
    legacy_draw(&vm);
    assert_int_equal(top_row, 26);
    assert_int_equal(cursor_row, 26);
    looks(1);
}

TEST(drawn_where_it_changes)
{
    begin_drawing();
    terminal_shows_the_page();
    assert_int_equal(runs, 2);
    assert_int_equal(pens[0][0], 3740);
    looks(1);
    assert_int_equal(runs, 0);
    row(0, "on the");
    page[(3 * 80 + 5) * 2] = 'x';
    page[(3 * 80 + 5) * 2 + 1] = 0x1c; /* bright red on blue */
    page[(3 * 80 + 6) * 2 + 1] = 0x63; /* cyan on brown */
    looks(1);
    assert_int_equal(runs, 3);
    terminal_shows_the_page();
    assert_int_equal(pens[3][5], 9144);
    assert_int_equal(pens[3][6], 3643);
    assert_int_equal(pens[3][7], 3740);
    assert_string_equal(stub_log, ""); /* and no rows as lines */
}

TEST(drawn_with_its_cursor)
{
    begin_drawing();
    screen_out(&l, 0x3d4, 0x0c); /* the second row is the first that is shown */
    screen_out(&l, 0x3d5, 0);
    screen_out(&l, 0x3d4, 0x0d);
    screen_out(&l, 0x3d5, 80);
    screen_out(&l, 0x3d4, 0x0f);
    screen_out(&l, 0x3d5, 82);
    screen_out(&l, 0x3d4, 0x0a);
    screen_out(&l, 0x3d5, 0);
    looks(1);
    assert_int_equal(pens[0][2], 3047);
    assert_int_equal(glyphs[23][0], 't');
    screen_out(&l, 0x3d4, 0x0f);
    screen_out(&l, 0x3d5, 83);
    looks(1);
    assert_int_equal(runs, 2);
    assert_int_equal(pens[0][2], 3740);
    assert_int_equal(pens[0][3], 3047);
}

/* A guest that changes the colors of every letter is not sent at once; each part comes in turn. */
TEST(drawn_a_part_at_a_time)
{
    begin_drawing();
    for (unsigned n = 0; n < 2000; n++)
        page[n * 2 + 1] = n & 1 ? 0x12 : 0x21;
    looks(1);
    assert_int_equal(runs, 8);
    looks(249);
    assert_int_equal(runs, 8 * 249);
    looks(1);
    assert_int_equal(runs, 0);
    for (unsigned n = 0; n < 2000; n++)
        page[n * 2] = 'y';
    runs = 0;
    legacy_poll(&vm, true);
    assert_int_equal(runs, 100);
}

TEST(drawn_no_more)
{
    struct vm other = {.name = "b"};
    begin_drawing();
    row(5, "five");
    legacy_draw(&other); /* has no screen */
    assert_int_equal(top_row, 0);
    page[(24 * 80 + 79) * 2] = ' ';
    shows("a| one\na| five\na| the last row\n");
    legacy_draw(&vm);
    looks(1);
    terminal_shows_the_page();
}

TEST(registers)
{
    screen_out(&l, 0x3d4, 0x0e);
    screen_out(&l, 0x3d5, 0x12);
    assert_int_equal(screen_in(&l, 0x3d4), 0x0e);
    assert_int_equal(screen_in(&l, 0x3d5), 0x12);
    screen_out(&l, 0x3d4, 0xff); /* beyond the last */
    screen_out(&l, 0x3d5, 1);
    assert_int_not_equal(screen_in(&l, 0x3da), screen_in(&l, 0x3da));
}

TEST(mp_table)
{
    uint8_t table[0x1000];
    memset(table, 0xee, sizeof(table));
    mptable_build(table, 0xf2000, 3);
    uint8_t sum = 0;
    for (unsigned i = 0; i < 16; i++)
        sum = (uint8_t)(sum + table[i]);
    assert_int_equal(sum, 0);
    assert_memory_equal(table, "_MP_\x10\x20\x0f\0\1\4", 10);
    unsigned length = table[20] | table[21] << 8, count = table[16 + 34] | table[16 + 35] << 8;
    for (unsigned i = 0; i < length; i++)
        sum = (uint8_t)(sum + table[16 + i]);
    assert_int_equal(sum, 0);
    unsigned seen[5] = {0}, at = 16 + 44;
    for (unsigned n = 0; n < count; n++) {
        assert_in_range(table[at], 0, 4);
        seen[table[at]]++;
        at += table[at] ? 8 : 20;
    }
    assert_int_equal(at, 16 + length);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], 2);
    assert_int_equal(seen[2], 1);
    assert_int_equal(seen[3], 15 + 31);
    assert_int_equal(seen[4], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_poll_does_not_look, fresh),
        cmocka_unit_test_setup(rows_as_text, fresh),
        cmocka_unit_test_setup(changes_are_shown_once, fresh),
        cmocka_unit_test_setup(a_screen_that_scrolls, fresh),
        cmocka_unit_test_setup(a_screen_without_rest, fresh),
        cmocka_unit_test_setup(drawn_where_it_changes, fresh),
        cmocka_unit_test_setup(drawn_with_its_cursor, fresh),
        cmocka_unit_test_setup(drawn_a_part_at_a_time, fresh),
        cmocka_unit_test_setup(drawn_no_more, fresh),
        cmocka_unit_test_setup(registers, fresh),
        cmocka_unit_test_setup(mp_table, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
