/* SPDX-License-Identifier: MIT */
/*
 * The posted-interrupt descriptor: bits, states, and that no wake-up is lost.
 * Spec: VT-d "Interrupt-Posting Hardware Operation".
 */
// sources: vmx/vcpu/posted.c
#include "vmx/vcpu/posted.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "tests/unit/test.h"
#include <string.h>

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
    posted_to_running(&p, posted_ndst(0x12345678, true));
    assert_true(p.control == ((uint64_t)0x12345678 << 32 | (uint64_t)VECTOR_ANV << 16));
    posted_to_running(&p, posted_ndst(5, false)); /* xAPIC: bits 15:8 of NDST */
    assert_true(p.control == ((uint64_t)0x0500 << 32 | (uint64_t)VECTOR_ANV << 16));
    assert_true(posted_to_halted(&p, posted_ndst(3, true)));
    assert_true(p.control == ((uint64_t)3 << 32 | (uint64_t)VECTOR_WNV << 16));
    posted_to_ready(&p);
    assert_true(p.control & PI_SN);
}

TEST(post_while_running_notifies_once)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_to_running(&p, posted_ndst(7, true));
    uint64_t control = posted_post(&p, 0x41);
    assert_int_equal(FIELD_GET(PI_NV, control), VECTOR_ANV);
    assert_int_equal(posted_apic_id(control, true), 7);
    assert_false(posted_post(&p, 0x42)); /* ON is set */
    uint64_t irr[4] = {0};
    posted_take(&p, irr);
    assert_true(irr[1] == (BIT(1) | BIT(2)));
    assert_false(p.control & PI_ON);
    assert_false(posted_pending(&p));
    assert_true(posted_post(&p, 0xff));
    assert_true(p.pir[3] == BIT(63));
}

TEST(post_while_ready_is_silent)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    assert_false(posted_post(&p, 0x30));
    assert_false(p.control & PI_ON); /* SN = 1: ON stays 0 */
    assert_true(posted_pending(&p));
}

TEST(clearing_SN_finds_what_was_posted)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_post(&p, 0x30);
    posted_to_running(&p, posted_ndst(1, true));
    assert_true(p.control & PI_ON); /* else no CPU would look */
}

TEST(no_sleep_with_work)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_post(&p, 0x30); /* SN = 1: only PIR knows */
    posted_to_running(&p, posted_ndst(1, true));
    assert_false(posted_to_halted(&p, posted_ndst(1, true)));

    p = PI_DESC_READY;
    posted_to_running(&p, posted_ndst(1, true));
    posted_post(&p, 0x30); /* ON knows */
    assert_false(posted_to_halted(&p, posted_ndst(1, true)));
}

TEST(taken_word_by_word)
{
    struct pi_desc p;
    p = PI_DESC_READY;
    posted_post(&p, 0x30);
    posted_post(&p, 0xc1);
    uint64_t taken[4] = {7, 7, 7, 7};
    posted_take(&p, taken);
    assert_true(taken[0] == BIT(0x30) && taken[1] == 0 && taken[2] == 0 && taken[3] == BIT(1));
    assert_false(posted_pending(&p));
}

/* --- What the recorder has -------------------------------------------------------------------- */

static struct {
    unsigned what, vector;
    uint64_t control;
} events[8];
static unsigned event_count;

void trace_write(uint64_t head, uint64_t b, uint64_t c)
{
    (void)b;
    assert_true(event_count < ARRAY_COUNT(events));
    events[event_count].what = (unsigned)FIELD_GET(TRACE_HEAD_INFO, head);
    events[event_count].vector = (unsigned)FIELD_GET(TRACE_HEAD_A, head);
    events[event_count++].control = c;
}

static void assert_event(unsigned n, unsigned what, unsigned vector, uint64_t low)
{
    assert_true(n < event_count);
    assert_int_equal(events[n].what, what);
    assert_int_equal(events[n].vector, vector);
    assert_int_equal(events[n].control & (PI_ON | PI_SN), low);
}

TEST(each_change_is_recorded)
{
    struct pi_desc p = PI_DESC_READY;
    uint64_t irr[4] = {0};
    trace_on = true;
    event_count = 0;
    posted_post(&p, 0x30);
    posted_post(&p, 0xf1);
    posted_to_running(&p, posted_ndst(1, true));
    posted_take(&p, irr);
    posted_to_running(&p, posted_ndst(1, true));
    posted_post(&p, 0x31); /* sets ON itself */
    trace_on = false;
    assert_int_equal(event_count, 8);
    assert_event(0, TRACE_PID_POSTED, 0x30, PI_SN);
    assert_event(1, TRACE_PID_POSTED, 0xf1, PI_SN);
    assert_event(2, TRACE_PID_RUNNING, 0, 0);
    assert_event(3, TRACE_PID_RUNNING, 0, PI_ON); /* for what was posted before */
    assert_event(4, TRACE_PID_TAKEN, 0x30, 0);
    assert_event(5, TRACE_PID_TAKEN, 0xf1, 0);
    assert_event(6, TRACE_PID_RUNNING, 0, 0);
    assert_event(7, TRACE_PID_POSTED, 0x31, PI_ON);
    event_count = 0;
    trace_on = true;
    posted_to_running(&p, posted_ndst(2, true)); /* ON is set already: one change */
    posted_to_ready(&p);
    posted_to_halted(&p, posted_ndst(2, true));
    trace_on = false;
    assert_int_equal(event_count, 3);
    assert_event(0, TRACE_PID_RUNNING, 0, PI_ON);
    assert_event(1, TRACE_PID_READY, 0, PI_ON | PI_SN);
    assert_event(2, TRACE_PID_HALTED, 0, PI_ON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_as_ready),
        cmocka_unit_test(layout_of_control_word),
        cmocka_unit_test(post_while_running_notifies_once),
        cmocka_unit_test(post_while_ready_is_silent),
        cmocka_unit_test(clearing_SN_finds_what_was_posted),
        cmocka_unit_test(no_sleep_with_work),
        cmocka_unit_test(taken_word_by_word),
        cmocka_unit_test(each_change_is_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
