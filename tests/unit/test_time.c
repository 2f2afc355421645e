/* SPDX-License-Identifier: MIT */
/*
 * Waits with an end, and what the boot spends in them.
 */
#include "arch/cpu.h"
#include "arch/x86.h"
#include "tests/unit/test.h"
#include <string.h>

static uint64_t model_tsc(void);
#define rdtsc() model_tsc()
#include "arch/time.c"

static struct {
    uint64_t tsc;
    struct cpu cpu;
    unsigned relaxed;
} m;

static uint64_t model_tsc(void) { return m.tsc; }
struct cpu *this_cpu(void) { return &m.cpu; }

static void relax(void)
{
    m.relaxed++;
    m.tsc += 100;
}

FIXTURE(fresh)
{
    memset(&m, 0, sizeof(m));
    memset(spent, 0, sizeof(spent));
    m.tsc = 1000;
    time_set_khz(1000); /* a tick is a microsecond */
    return 0;
}

/* A look that takes some time; the n-th one sees what is waited for. */
static bool look(unsigned *n)
{
    m.tsc += 7;
    return --*n == 0;
}

TEST(a_wait_ends_with_what_it_waits_for)
{
    unsigned n = 4;
    assert_true(wait_with(relax, look(&n), 1000));
    assert_int_equal(m.relaxed, 3);
    assert_int_equal(m.tsc, 1000 + 4 * 7 + 3 * 100);
}

/* The CPU was stopped before the last look, so there is one more. */
TEST(a_wait_that_is_over_looks_once_more)
{
    unsigned n = 5; /* looks after 7, 114, 221, 328 ticks, and the last one */
    assert_true(wait_with(relax, look(&n), 250));
    m.tsc = 1000;
    n = 6;
    assert_false(wait_with(relax, look(&n), 250));
    assert_int_equal(n, 1);
}

TEST(all_but_the_first_look_is_counted)
{
    unsigned n = 1;
    assert_true(wait_with(relax, look(&n), 1000));
    assert_int_equal(time_spent_us(TIME_DEVICES), 0);
    n = 4;
    m.tsc = 5000;
    assert_true(wait_with(relax, look(&n), 1000));
    assert_int_equal(time_spent_us(TIME_DEVICES), 2 * (100 + 7));
}

TEST(only_the_first_cpu_counts)
{
    assert_int_equal(time_spent(TIME_MEMORY, 900), 1000);
    assert_int_equal(time_spent(TIME_SERIAL, 990), 1000);
    m.cpu.index = 1;
    assert_int_equal(time_spent(TIME_MEMORY, 500), 1000);
    assert_int_equal(time_spent_us(TIME_MEMORY), 100);
    assert_int_equal(time_spent_us(TIME_SERIAL), 10);
    time_set_khz(4000);
    assert_int_equal(time_spent_us(TIME_MEMORY), 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_wait_ends_with_what_it_waits_for, fresh),
        cmocka_unit_test_setup(a_wait_that_is_over_looks_once_more, fresh),
        cmocka_unit_test_setup(all_but_the_first_look_is_counted, fresh),
        cmocka_unit_test_setup(only_the_first_cpu_counts, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
