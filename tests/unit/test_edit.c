/* SPDX-License-Identifier: MIT */
// sources: monitor/edit.c
/*
 * Each key of the monitor's line: what it does to line and cursor, and what the console hears of
 * it.
 */
#include <stdio.h>
#include <string.h>
#include "monitor/edit.h"
#include "tests/unit/test.h"

#define CTRL(c) ((c)&0x1f)

static struct edit e;

/* The event of the last byte. */
static enum edit_event keys(const char *bytes)
{
    enum edit_event event = EDIT_NOTHING;
    for (; *bytes; bytes++)
        event = edit_key(&e, (uint8_t)*bytes);
    return event;
}

static enum edit_event ctrl(char c) { return edit_key(&e, (uint8_t)CTRL(c)); }

static void enter(const char *line)
{
    assert_int_equal(keys(line), *line ? EDIT_APPENDED : EDIT_NOTHING);
    assert_int_equal(keys("\r"), EDIT_DONE);
    edit_keep(&e);
    edit_clear(&e);
}

#define assert_line(text, at)                                                                      \
    do {                                                                                           \
        assert_string_equal(e.line, text);                                                         \
        assert_int_equal(e.length, strlen(text));                                                  \
        assert_int_equal(e.cursor, at);                                                            \
    } while (0)

FIXTURE(setup)
{
    memset(&e, 0, sizeof(e));
    return 0;
}

TEST(letters)
{
    assert_int_equal(keys("a"), EDIT_APPENDED);
    assert_int_equal(keys("~"), EDIT_APPENDED);
    assert_int_equal(keys(" "), EDIT_APPENDED);
    assert_int_equal(keys("\x80"), EDIT_NOTHING);
    assert_int_equal(keys("\x1f"), EDIT_NOTHING);
    assert_int_equal(edit_key(&e, 0), EDIT_NOTHING);
    assert_line("a~ ", 3);
    assert_int_equal(ctrl('B'), EDIT_CHANGED);
    assert_int_equal(keys("x"), EDIT_CHANGED);
    assert_line("a~x ", 3);
}

TEST(a_full_line)
{
    for (unsigned i = 0; i < EDIT_LINE_MAX; i++)
        assert_int_equal(keys("a"), EDIT_APPENDED);
    assert_int_equal(keys("b"), EDIT_NOTHING);
    assert_int_equal(ctrl('A'), EDIT_CHANGED);
    edit_insert(&e, "cd", 2);
    assert_int_equal(e.length, EDIT_LINE_MAX);
    assert_int_equal(ctrl('D'), EDIT_CHANGED);
    edit_insert(&e, "cd", 2); /* the part that has room */
    assert_int_equal(e.length, EDIT_LINE_MAX);
    assert_int_equal(e.cursor, 1);
    assert_true(e.line[0] == 'c' && e.line[1] == 'a');
}

TEST(the_cursor_moves)
{
    keys("abc");
    assert_int_equal(ctrl('E'), EDIT_NOTHING); /* it stands there */
    assert_int_equal(ctrl('F'), EDIT_NOTHING);
    assert_int_equal(ctrl('B'), EDIT_CHANGED);
    assert_line("abc", 2);
    assert_int_equal(ctrl('A'), EDIT_CHANGED);
    assert_line("abc", 0);
    assert_int_equal(ctrl('A'), EDIT_NOTHING);
    assert_int_equal(ctrl('B'), EDIT_NOTHING);
    assert_int_equal(ctrl('F'), EDIT_CHANGED);
    assert_line("abc", 1);
    assert_int_equal(ctrl('B'), EDIT_CHANGED);
    assert_line("abc", 0);
    assert_int_equal(ctrl('E'), EDIT_CHANGED);
    assert_line("abc", 3);
}

TEST(cuts)
{
    keys("one  two three");
    assert_int_equal(ctrl('W'), EDIT_CHANGED);
    assert_line("one  two ", 9);
    assert_int_equal(ctrl('W'), EDIT_CHANGED);
    assert_line("one  ", 5);
    keys("four\x02\x02");
    assert_int_equal(ctrl('H'), EDIT_CHANGED);
    assert_line("one  fur", 6);
    assert_int_equal(keys("\x7f"), EDIT_CHANGED);
    assert_line("one  ur", 5);
    assert_int_equal(ctrl('D'), EDIT_CHANGED);
    assert_line("one  r", 5);
    assert_int_equal(ctrl('K'), EDIT_CHANGED);
    assert_line("one  ", 5);
    assert_int_equal(ctrl('K'), EDIT_NOTHING);
    assert_int_equal(ctrl('D'), EDIT_NOTHING);
    keys("\x02\x02\x02");
    assert_int_equal(ctrl('U'), EDIT_CHANGED);
    assert_line("e  ", 0);
    assert_int_equal(ctrl('U'), EDIT_NOTHING);
    assert_int_equal(ctrl('H'), EDIT_NOTHING);
    assert_int_equal(ctrl('W'), EDIT_NOTHING);
    ctrl('F'), ctrl('W');
    assert_line("  ", 0);
}

TEST(what_the_console_does)
{
    assert_int_equal(keys("\t"), EDIT_TAB);
    assert_int_equal(ctrl('C'), EDIT_ABANDONED);
    assert_int_equal(ctrl('L'), EDIT_CHANGED);
    for (char c = 'G'; c <= 'Z'; c++)
        if (!strchr("HIJKLMNPUW[", c))
            assert_int_equal(ctrl(c), EDIT_NOTHING);
}

/* One line for a return, a line feed, or both; two for two of one kind. */
TEST(ends_of_lines)
{
    assert_int_equal(keys("\r"), EDIT_DONE);
    assert_int_equal(keys("\n"), EDIT_NOTHING);
    assert_int_equal(keys("\n"), EDIT_DONE);
    assert_int_equal(keys("\n"), EDIT_DONE);
    assert_int_equal(keys("\r"), EDIT_DONE);
    assert_int_equal(keys("\r"), EDIT_DONE);
    assert_int_equal(keys("a\n"), EDIT_DONE);
}

/* ESC [ or ESC O, parameters, a letter. */
TEST(sequences)
{
    keys("abc");
    assert_int_equal(keys("\x1b[D"), EDIT_CHANGED);
    assert_line("abc", 2);
    assert_int_equal(keys("\x1bOC"), EDIT_CHANGED);
    assert_line("abc", 3);
    assert_int_equal(keys("\x1b[1"), EDIT_NOTHING);
    assert_int_equal(keys(";"), EDIT_NOTHING);
    assert_int_equal(keys("5H"), EDIT_CHANGED);
    assert_line("abc", 0);
    assert_int_equal(keys("\x1b[09F"), EDIT_CHANGED);
    assert_line("abc", 3);
    assert_int_equal(keys("\x1b[3~"), EDIT_NOTHING); /* a key that it does not know */
    assert_int_equal(keys("\x1b[E"), EDIT_NOTHING);
    assert_int_equal(keys("\x1b[I"), EDIT_NOTHING);
    assert_int_equal(keys("\x1b\x1b[D"), EDIT_CHANGED); /* it begins again */
    assert_int_equal(keys("\x1bx"), EDIT_NOTHING);      /* Alt-x */
    assert_int_equal(keys("y"), EDIT_CHANGED);
    assert_line("abyc", 3);
}

TEST(the_history)
{
    assert_int_equal(ctrl('P'), EDIT_NOTHING);
    assert_int_equal(ctrl('N'), EDIT_NOTHING);
    enter("first");
    enter("second");
    enter("second"); /* kept once */
    enter("");       /* not kept */
    keys("typed");
    assert_int_equal(ctrl('P'), EDIT_CHANGED);
    assert_line("second", 6);
    assert_int_equal(keys("\x1b[A"), EDIT_CHANGED);
    assert_line("first", 5);
    assert_int_equal(ctrl('P'), EDIT_NOTHING);
    assert_line("first", 5);
    assert_int_equal(keys("\x1b[B"), EDIT_CHANGED);
    assert_line("second", 6);
    assert_int_equal(ctrl('N'), EDIT_CHANGED);
    assert_line("", 0);
    assert_int_equal(ctrl('N'), EDIT_NOTHING);
    enter("first"); /* not the same as the last */
    ctrl('P'), ctrl('P'), ctrl('P');
    assert_line("first", 5);
    edit_clear(&e);
    ctrl('P'); /* from the last on */
    assert_line("first", 5);
    assert_int_equal(e.kept, 3);
}

/* Of many, the last ones are there. */
TEST(a_long_history)
{
    char line[8];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(line, sizeof(line), "%u", i);
        enter(line);
    }
    for (unsigned i = 20; i-- > 20 - EDIT_HISTORY_MAX;) {
        snprintf(line, sizeof(line), "%u", i);
        assert_int_equal(ctrl('P'), EDIT_CHANGED);
        assert_string_equal(e.line, line);
    }
    assert_int_equal(ctrl('P'), EDIT_NOTHING);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(letters),   CASE(a_full_line),           CASE(the_cursor_moves),
        CASE(cuts),      CASE(what_the_console_does), CASE(ends_of_lines),
        CASE(sequences), CASE(the_history),           CASE(a_long_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
