/* SPDX-License-Identifier: MIT */
/*
 * How often a sign of life may stay the same; when it is time for a look; a machine that was
 * stopped for a minute.
 */
#include "arch/panic.h"
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <stdio.h>
#include <string.h>

static uint64_t clock_of_test;
static void one_turn(void);
#define rdtsc()     clock_of_test
#define cpu_relax() one_turn()
#include "arch/spinlock.c"
#include "arch/watch.c"

#define SECOND 1000000

static void end(unsigned cpu, const char *fmt, ...)
{
    char text[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    panic("report of cpu %u: %s", cpu, text);
}

uint64_t time_deadline_us(uint64_t us) { return clock_of_test + us; }

static struct spinlock lock;
static uint64_t held; /* microseconds until the lock is given on; 0: it never is */
static uint64_t given;
static uint64_t turn; /* microseconds of each look at the lock */
static struct cpu here;

struct cpu *this_cpu(void) { return &here; }

static void one_turn(void)
{
    clock_of_test += turn;
    if (!held || clock_of_test < given + held)
        return;
    given = clock_of_test;
    lock.serving++;
}

/* Three CPUs are before us. */
static void wait_for_lock(uint64_t each_keeps_it)
{
    lock = (struct spinlock){.next = 9, .serving = 5, .name = "of this"};
    held = each_keeps_it;
    given = clock_of_test;
    here.signs = 1;
    turn = SECOND / 4;
    spin_lock(&lock);
}

TEST(a_queue_that_moves_is_alive)
{
    wait_for_lock(19 * SECOND);
    assert_int_equal(lock.serving, 9);
    assert_int_equal(here.signs, 5);
}

TEST(a_lock_that_is_kept_is_named)
{
    assert_panics(wait_for_lock(0));
    assert_non_null(strstr(stub_log, "cpu 0: waited 20 s in vain for the lock of this: cpu=0"));
    assert_panics(wait_for_lock(23 * SECOND));
}

TEST(twenty_looks_and_one_is_late)
{
    struct watch w = {0};
    for (unsigned sign = 0; sign < 3; sign++)
        for (int i = 0; i < 20; i++)
            assert_false(watch_is_over(&w, sign));
    assert_true(watch_is_over(&w, 2));
    assert_false(watch_is_over(&w, 1)); /* any other value is a sign, also one of before */
}

TEST(one_look_in_a_second)
{
    uint64_t next = 0;
    clock_of_test = 5;
    assert_true(watch_is_time(&next));
    assert_false(watch_is_time(&next));
    clock_of_test += SECOND - 1;
    assert_false(watch_is_time(&next));
    clock_of_test++;
    assert_true(watch_is_time(&next));
    clock_of_test += 60 * SECOND; /* the machine was stopped */
    assert_true(watch_is_time(&next));
    assert_false(watch_is_time(&next));
}

TEST(a_wait_ends_in_its_20th_second)
{
    struct watch w = {0};
    clock_of_test = 5;
    turn = 0;
    for (; clock_of_test < 5 + 20 * SECOND; clock_of_test += SECOND / 10)
        watch_wait(&w, 3, 0, "a CPU", "to wake up");
    assert_panics(watch_wait(&w, 3, 0, "a CPU", "to wake up"));
}

TEST(a_machine_that_was_stopped_for_a_minute_has_missed_one_look)
{
    struct watch w = {0};
    turn = 0;
    watch_wait(&w, 3, 0, "a CPU", "to wake up");
    clock_of_test += 60 * SECOND;
    watch_wait(&w, 3, 0, "a CPU", "to wake up");
    assert_int_equal(w.looks, 2);
}

TEST(without_ticks_no_sign_is_owed)
{
    here.signs = 0;
    watch_alive();
    assert_int_equal(here.signs, 0);
}

int main(void)
{
    watch_init(end);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_looks_and_one_is_late),
        cmocka_unit_test(one_look_in_a_second),
        cmocka_unit_test(a_wait_ends_in_its_20th_second),
        cmocka_unit_test(a_machine_that_was_stopped_for_a_minute_has_missed_one_look),
        cmocka_unit_test(a_queue_that_moves_is_alive),
        cmocka_unit_test(a_lock_that_is_kept_is_named),
        cmocka_unit_test(without_ticks_no_sign_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
