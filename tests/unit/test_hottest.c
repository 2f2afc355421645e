/* SPDX-License-Identifier: MIT */
/*
 * The short list of what a vCPU exits for most, against a list of everything.
 */
// sources: vmx/vcpu/hottest.c
#include <stdint.h>
#include <stdlib.h>
#include "vmx/vmcs.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vmx/vcpu/hottest.h"

static uint64_t count_of(const struct hottest *t, uint64_t at)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < HOTTEST_ROWS; i++)
        if (t->rows[i].at == at && t->rows[i].count) {
            assert_int_equal(found, 0); /* once */
            found = t->rows[i].count;
        }
    return found;
}

TEST(few_are_counted_exactly)
{
    struct hottest t = {0};
    uint64_t real[HOTTEST_ROWS] = {0};
    srand(1);
    for (int i = 0; i < 10000; i++) {
        unsigned at = (unsigned)rand() % HOTTEST_ROWS; /* 0 among them: as good an address as any */
        hottest_count(&t, at);
        real[at]++;
        assert_true(t.rows[0].at == at || t.rows[1].at == at);
    }
    for (unsigned at = 0; at < HOTTEST_ROWS; at++)
        assert_int_equal(count_of(&t, at), real[at]);
}

/* Ten thousand others, each once: they share the rows that the three do not keep. */
TEST(the_frequent_ones_stay)
{
    struct hottest t = {0};
    uint64_t all = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        hottest_count(&t, 0x3f8 + i % 3);
        hottest_count(&t, 0x10000 + i);
    }
    for (unsigned at = 0x3f8; at < 0x3fb; at++)
        assert_true(count_of(&t, at) >= 3333);
    for (unsigned i = 0; i < HOTTEST_ROWS; i++)
        all += t.rows[i].count;
    assert_int_equal(all, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_counted_exactly),
        cmocka_unit_test(the_frequent_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
