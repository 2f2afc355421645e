/* SPDX-License-Identifier: MIT */
/*
 * The text screen: rows as text, which of them the console gets as the screen changes and scrolls,
 * and the registers that drivers read back. Here too: the MP table.
 */
// sources: guest/pc/legacy/screen.c guest/pc/legacy/mptable.c
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
    return 0; /* each poll looks */
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
        cmocka_unit_test_setup(rows_as_text, fresh),
        cmocka_unit_test_setup(changes_are_shown_once, fresh),
        cmocka_unit_test_setup(a_screen_that_scrolls, fresh),
        cmocka_unit_test_setup(a_screen_without_rest, fresh),
        cmocka_unit_test_setup(registers, fresh),
        cmocka_unit_test_setup(mp_table, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
