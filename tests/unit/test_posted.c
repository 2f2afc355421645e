/* SPDX-License-Identifier: MIT */
/*
 * The posted-interrupt descriptor: bits, states, and that no wake-up is lost.
 * Spec: VT-d "Interrupt-Posting Hardware Operation".
 */
// sources: vmx/vcpu/posted.c
#include "vmx/vcpu/posted.h"
#include "arch/trap.h"
#include "tests/unit/test.h"
#include <string.h>

static uint8_t nv;
static uint32_t ndst;

TEST(starts_as_ready)
{
    struct pi_desc p;
    memset(&p, 0xff, sizeof(p));
    p = PI_DESC_READY;
    assert_int_equal(p.control, PI_SN);
    assert_false(posted_pending(&p));
    assert_int_equal(p.reserved[0] | p.reserved[1] | p.reserved[2], 0);
}

TEST(layout_of_control_word)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_to_running(&p, 0x12345678, true);
    assert_true(p.control == ((uint64_t)0x12345678 << 32 | (uint64_t)VECTOR_ANV << 16));
    posted_to_running(&p, 5, false); /* xAPIC: bits 15:8 of NDST */
    assert_true(p.control == ((uint64_t)0x0500 << 32 | (uint64_t)VECTOR_ANV << 16));
    assert_true(posted_to_halted(&p, 3, true));
    assert_true(p.control == ((uint64_t)3 << 32 | (uint64_t)VECTOR_WNV << 16));
    posted_to_ready(&p);
    assert_true(p.control & PI_SN);
}

TEST(post_while_running_notifies_once)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_to_running(&p, 7, true);
    assert_true(posted_post(&p, 0x41, false, &nv, &ndst));
    assert_int_equal(nv, VECTOR_ANV);
    assert_int_equal(ndst, 7);
    assert_false(posted_post(&p, 0x42, false, &nv, &ndst)); /* ON is set */
    uint64_t irr[4] = {0};
    assert_true(posted_take(&p, irr));
    assert_true(irr[1] == (BIT(1) | BIT(2)));
    assert_false(p.control & PI_ON);
    assert_false(posted_take(&p, irr));
    assert_true(posted_post(&p, 0xff, false, &nv, &ndst));
    assert_true(p.pir[3] == BIT(63));
}

TEST(post_while_ready_is_silent_unless_urgent)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    assert_false(posted_post(&p, 0x30, false, &nv, &ndst));
    assert_false(p.control & PI_ON); /* SN = 1: ON stays 0 */
    assert_true(posted_pending(&p));
    assert_true(posted_post(&p, 0x31, true, &nv, &ndst));
    assert_true(p.control & PI_ON);
}

TEST(clearing_SN_finds_what_was_posted)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_post(&p, 0x30, false, &nv, &ndst);
    posted_to_running(&p, 1, true);
    assert_true(p.control & PI_ON); /* else no CPU would look */
}

TEST(no_sleep_with_work)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_post(&p, 0x30, false, &nv, &ndst); /* SN = 1: only PIR knows */
    assert_false(posted_to_halted(&p, 1, true));

    p = PI_DESC_READY;
    posted_to_running(&p, 1, true);
    posted_post(&p, 0x30, false, &nv, &ndst); /* ON knows */
    assert_false(posted_to_halted(&p, 1, true));
}

TEST(take_adds_to_irr)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_post(&p, 0x30, false, &nv, &ndst);
    uint64_t irr[4] = {BIT(5), 0, BIT(1), 0};
    assert_true(posted_take(&p, irr));
    assert_true(irr[0] == (BIT(5) | BIT(0x30)) && irr[2] == BIT(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_as_ready),
        cmocka_unit_test(layout_of_control_word),
        cmocka_unit_test(post_while_running_notifies_once),
        cmocka_unit_test(post_while_ready_is_silent_unless_urgent),
        cmocka_unit_test(clearing_SN_finds_what_was_posted),
        cmocka_unit_test(no_sleep_with_work),
        cmocka_unit_test(take_adds_to_irr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
