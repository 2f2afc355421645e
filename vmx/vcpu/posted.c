/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor. lib/pi_desc.h draws the states, and
 * vmx/vcpu/posted.h has the rule of all who change it.
 * From: vmx/run/sched.c (running, ready, halted), vmx/vcpu/vcpu.c (posted_take).
 * To: arch/trace.c (the recorder).
 * Hot: every change of a vCPU's state.
 * Spec: VT-d "Interrupt-Posting Hardware Operation"; SDM "Posted-Interrupt Processing".
 */
#include "vmx/vcpu/posted.h"
#include "lib/atomic.h"
#include "arch/trace.h"
#include "arch/trap.h"

#define NDST_XAPIC BITS(15, 8) /* of the 32-bit NDST */

uint64_t posted_ndst(uint32_t apic_id, bool x2apic)
{
    return FIELD_SET(PI_NDST, x2apic ? apic_id : FIELD_SET(NDST_XAPIC, apic_id));
}

uint32_t posted_apic_id(uint64_t control, bool x2apic)
{
    uint64_t ndst = FIELD_GET(PI_NDST, control);
    return (uint32_t)(x2apic ? ndst : FIELD_GET(NDST_XAPIC, ndst));
}

COLD void posted_write_event(const struct pi_desc *d, enum trace_pid what, unsigned vector,
                             uint64_t control)
{
    TRACE(TRACE_PID, TRACE_NO_ID, what, vector, (uintptr_t)d, control);
}

/* One atomic replace, because the remapping unit may set ON at any moment: bits of `mask` become
 * `value`. Returns the control word that was replaced. */
static uint64_t change(struct pi_desc *d, uint64_t mask, uint64_t value)
{
    uint64_t old = atomic_load(&d->control);
    while (!atomic_replace(&d->control, &old, (old & ~mask) | value))
        ;
    return old;
}

/* Returns `old`: so no register has to keep it over this call, which is seldom. */
static COLD __attribute__((noinline)) uint64_t
record_notify(const struct pi_desc *d, enum trace_pid state, uint64_t control, uint64_t old)
{
    posted_write_event(d, state, 0, control);
    return old;
}

/* SN, NV and NDST change together: no notification goes to the old CPU with the new vector. */
static uint64_t notify(struct pi_desc *d, enum trace_pid state, uint64_t ndst)
{
    uint8_t vector = state == TRACE_PID_RUNNING ? VECTOR_ANV : VECTOR_WNV;
    uint64_t mask = PI_SN | PI_NV | PI_NDST;
    uint64_t value = FIELD_SET(PI_NV, vector) | ndst;
    uint64_t old = change(d, mask, value);
    return __builtin_expect(trace_on, 0) ? record_notify(d, state, (old & ~mask) | value, old)
                                         : old;
}

void posted_to_running(struct pi_desc *d, uint64_t ndst)
{
    uint64_t old = notify(d, TRACE_PID_RUNNING, ndst);
    if (old & PI_ON) /* so the entry looks at PIR */
        return;
    if (!posted_pending(d))
        return;
    atomic_fetch_or(&d->control, PI_ON); /* posted while SN was set, when no poster sets ON */
    posted_record(d, TRACE_PID_RUNNING, 0, d->control);
}

void posted_to_ready(struct pi_desc *d)
{
    atomic_fetch_or(&d->control, PI_SN);
    posted_record(d, TRACE_PID_READY, 0, d->control);
}

/* A post before this step has sent ANV, which wakes no vCPU up: the same step tells by ON. A post
 * after it sends WNV. PIR needs no look: what was posted while SN was 1 has its ON from
 * posted_to_running(), and since then each post has set ON. */
bool posted_to_halted(struct pi_desc *d, uint64_t ndst)
{
    return !(notify(d, TRACE_PID_HALTED, ndst) & PI_ON);
}

COLD void posted_take(struct pi_desc *d, uint64_t taken[4])
{
    posted_take_begin(d);
    for (unsigned i = 0; i < 4; i++)
        posted_take_word(d, i, &taken[i]);
    posted_record_taken(d, taken);
}

/* An event for each vector. */
COLD void posted_record_words(const struct pi_desc *d, uint64_t word0, uint64_t word1,
                              uint64_t word2, uint64_t word3)
{
    const uint64_t taken[4] = {word0, word1, word2, word3};
    for (unsigned vector = 0; vector < 256; vector++)
        if (taken[vector / 64] & BIT(vector % 64))
            posted_record(d, TRACE_PID_TAKEN, vector, d->control);
}
