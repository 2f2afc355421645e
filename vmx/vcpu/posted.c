/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor, and a poster in software that keeps the rules
 * of the remapping unit. lib/pi_desc.h draws the states.
 * From: vmx/run/sched.c (running, ready, halted), vmx/run/post.c (post), vmx/vcpu/apicv.c (take).
 * To: arch/trace.c (the recorder).
 * Hot: every interrupt, and every change of a vCPU's state.
 * Spec: VT-d "Interrupt-Posting Hardware Operation"; SDM "Posted-Interrupt Processing".
 *
 * INVARIANT: no wake-up is lost, because the orders of poster and taker cross. The poster sets PIR
 * first, and then looks at SN and ON. The taker clears SN or ON first, and then looks at PIR.
 */
#include "vmx/vcpu/posted.h"
#include "lib/atomic.h"
#include "arch/trace.h"
#include "arch/trap.h"

#define NDST_XAPIC BITS(15, 8) /* of the 32-bit NDST */

/* For the recorder: a change, with the new control word; an interrupt also with its vector. */
static void record(const struct pi_desc *d, enum trace_pid what, unsigned vector, uint64_t control)
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

/* SN, NV and NDST change together: no notification goes to the old CPU with the new vector. */
static uint64_t notify(struct pi_desc *d, enum trace_pid state, uint32_t apic_id, bool x2apic)
{
    uint8_t vector = state == TRACE_PID_RUNNING ? VECTOR_ANV : VECTOR_WNV;
    if (!x2apic)
        apic_id = (uint32_t)FIELD_SET(NDST_XAPIC, apic_id);
    uint64_t mask = PI_SN | PI_NV | PI_NDST;
    uint64_t value = FIELD_SET(PI_NV, vector) | FIELD_SET(PI_NDST, apic_id);
    uint64_t old = change(d, mask, value);
    record(d, state, 0, (old & ~mask) | value);
    return old;
}

void posted_to_running(struct pi_desc *d, uint32_t apic_id, bool x2apic)
{
    uint64_t old = notify(d, TRACE_PID_RUNNING, apic_id, x2apic);
    if (old & PI_ON) /* so the entry looks at PIR */
        return;
    if (!posted_pending(d))
        return;
    old = change(d, 0, PI_ON); /* posted while SN was set, when no poster sets ON */
    if (!(old & PI_ON))
        record(d, TRACE_PID_RUNNING, 0, old | PI_ON);
}

void posted_to_ready(struct pi_desc *d)
{
    uint64_t old = change(d, 0, PI_SN);
    record(d, TRACE_PID_READY, 0, old | PI_SN);
}

bool posted_to_halted(struct pi_desc *d, uint32_t apic_id, bool x2apic)
{
    uint64_t old = notify(d, TRACE_PID_HALTED, apic_id, x2apic);
    return !(old & PI_ON) && !posted_pending(d);
}

bool posted_post(struct pi_desc *d, uint8_t vector, bool urgent, uint8_t *nv, uint32_t *ndst)
{
    atomic_fetch_or(&d->pir[vector / 64], BIT(vector % 64));
    uint64_t old = atomic_load(&d->control);
    do {
        if ((old & PI_ON) || ((old & PI_SN) && !urgent)) {
            record(d, TRACE_PID_POSTED, vector, old);
            return false;
        }
    } while (!atomic_replace(&d->control, &old, old | PI_ON));
    record(d, TRACE_PID_POSTED, vector, old | PI_ON);
    *nv = (uint8_t)FIELD_GET(PI_NV, old);
    *ndst = (uint32_t)FIELD_GET(PI_NDST, old);
    return true;
}

/* The recorder gets an event for each vector. */
static COLD __attribute__((noinline)) void record_taken(const struct pi_desc *d, unsigned words,
                                                        const uint64_t taken[4], uint64_t control)
{
    for (; words; words &= words - 1) {
        unsigned i = (unsigned)__builtin_ctz(words);
        for (uint64_t posted = taken[i]; posted; posted &= posted - 1)
            record(d, TRACE_PID_TAKEN, 64 * i + (unsigned)__builtin_ctzll(posted), control);
    }
}

unsigned posted_take(struct pi_desc *d, uint64_t taken[4])
{
    unsigned words = 0;
    uint64_t old = change(d, PI_ON, 0); /* first: a post after this one notifies again */
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; i++) {
        if (!atomic_load(&d->pir[i])) /* most are empty, and a locked access is slow */
            continue;
        taken[i] = atomic_exchange(&d->pir[i], 0);
        words |= (unsigned)BIT(i);
    }
    if (__builtin_expect(trace_on, 0))
        record_taken(d, words, taken, old & ~PI_ON);
    return words;
}
