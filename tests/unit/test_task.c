/* SPDX-License-Identifier: MIT */
// sources: arch/task.c
/*
 * Work that stops in the middle of a function, and goes on there.
 */
#include "arch/task.h"
#include "arch/terminal.h"
#include "tests/unit/test.h"
#include <string.h>

static unsigned polls;
void terminal_poll(void) { polls++; }
void line_poll(void) {}

/* A clock of the test: a deadline lies so many microseconds ahead, and all before it is past. */
static uint64_t ahead;
uint64_t time_deadline_us(uint64_t us) { return us <= ahead ? 0 : UINT64_MAX; }

static unsigned rounds, depth_reached;

static unsigned deep(unsigned depth)
{
    unsigned here = depth * 3; /* lives on the second stack while the first goes on */
    if (depth < 4)
        here += deep(depth + 1);
    else
        task_pause();
    depth_reached = depth;
    return here;
}

static void work(void)
{
    rounds++;
    task_pause();
    assert_int_equal(deep(0), 30);
}

/* Each call leads to the next pause, and the last to the end; then the work begins again. */
TEST(it_goes_on_where_it_was)
{
    for (unsigned turn = 1; turn <= 3; turn++) {
        assert_false(task_run(work));
        assert_int_equal(rounds, turn);
        depth_reached = 99;
        assert_false(task_run(work));
        assert_int_equal(depth_reached, 99);
        assert_int_equal(rounds, turn);
        assert_true(task_run(work));
        assert_int_equal(depth_reached, 0);
    }
}

static void nothing(void) {}

TEST(work_without_a_wait)
{
    assert_true(task_run(nothing));
    assert_true(task_run(nothing));
}

/* A wait keeps what is typed. Outside of the work it returns at once, so that a loop around it goes
 * on. */
TEST(a_wait_elsewhere)
{
    polls = 0;
    task_pause();
    assert_int_equal(polls, 1);
    ahead = 100;
    task_delay_us(100);
    assert_int_equal(polls, 1); /* it is over already */
}

static bool ready;
static int waited;
static void wait_for_it(void) { waited = task_wait_until(ready, 1000) ? 1 : -1; }

TEST(a_condition_ends_a_wait)
{
    ahead = 0;
    ready = false;
    polls = 0;
    waited = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_false(task_run(wait_for_it));
    assert_int_equal(polls, 10);
    ready = true;
    assert_true(task_run(wait_for_it));
    assert_int_equal(waited, 1);
}

TEST(time_ends_a_wait)
{
    ahead = 1000;
    ready = false;
    assert_true(task_run(wait_for_it));
    assert_int_equal(waited, -1);
}

#define SIZE (2 * SIZE_2M + 3)
static uint8_t from[SIZE + 1], to[SIZE + 1];
static const uint8_t *source;
static void long_copy(void) { task_copy(to, source, SIZE); }

static void check_copy(uint8_t byte)
{
    for (size_t i = 0; i < SIZE; i++)
        if (to[i] != byte)
            fail_msg("byte %zu is %u", i, to[i]);
    assert_int_equal(to[SIZE], 0xcc);
}

/* A copy pauses behind each piece if its turn is over, and not before. */
TEST(a_long_copy)
{
    memset(from, 0x5a, sizeof(from));
    memset(to, 0xcc, sizeof(to));
    source = from;
    ahead = 0; /* no turn is ever over */
    assert_true(task_run(long_copy));
    check_copy(0x5a);
    ahead = UINT64_MAX; /* each is over at once */
    source = NULL;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(to[SIZE - 1], 0x5a);
        assert_false(task_run(long_copy));
    }
    assert_true(task_run(long_copy));
    check_copy(0);
    polls = 0;
    task_copy(to, from, SIZE); /* not in the work: in one go */
    assert_int_equal(polls, 0);
    check_copy(0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_where_it_was), cmocka_unit_test(work_without_a_wait),
        cmocka_unit_test(a_wait_elsewhere),        cmocka_unit_test(a_condition_ends_a_wait),
        cmocka_unit_test(time_ends_a_wait),        cmocka_unit_test(a_long_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
