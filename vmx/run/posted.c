/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor, and a poster in software that keeps the rules of
 * the remapping unit. lib/pi_desc.h draws the states.
 * From: vmx/run/sched.c (running, ready, halted), vmx/vcpu/apicv.c (take), guest/assign/irq.c (post).
 * Spec: VT-d "Interrupt-Posting Hardware Operation"; SDM "Posted-Interrupt Processing".
 *
 * No wake-up is lost, because poster and taker cross: the poster sets PIR and then looks at SN and ON;
 * whoever clears SN or ON looks at PIR only afterwards.
 */
#include "lib/pi_desc.h"
#include "lib/atomic.h"
#include "arch/trace.h"
#include "arch/trap.h"

#define NDST_XAPIC BITS(15, 8) /* of the 32-bit NDST */

void pid_init(struct pid *pid) { *pid = (struct pid){.control = PID_SN}; }

static uint64_t destination(uint32_t apic_id, bool x2apic)
{
    return FIELD_SET(PID_NDST, x2apic ? apic_id : FIELD_SET(NDST_XAPIC, apic_id));
}

/* The recorder: each change with the control word as it was put there. `a`: the vector, of an interrupt. */
static void record(const struct pid *pid, enum trace_pid what, unsigned a, uint64_t control)
{
    TRACE(TRACE_PID, TRACE_NO_ID, what, a, (uintptr_t)pid, control);
}

/* One atomic replace: bits of `mask` become `value`. Returns the control word that was replaced. */
static uint64_t change(struct pid *pid, uint64_t mask, uint64_t value)
{
    uint64_t old = atomic_load(&pid->control);
    while (!atomic_replace(&pid->control, &old, (old & ~mask) | value))
        ;
    return old;
}

/* Where the notifications of this state go. */
static uint64_t notify(struct pid *pid, enum trace_pid state, uint32_t apic_id, bool x2apic)
{
    uint8_t vector = state == TRACE_PID_RUNNING ? VECTOR_ANV : VECTOR_WNV;
    uint64_t mask = PID_SN | PID_NV | PID_NDST;
    uint64_t value = FIELD_SET(PID_NV, vector) | destination(apic_id, x2apic);
    uint64_t old = change(pid, mask, value);
    record(pid, state, 0, (old & ~mask) | value);
    return old;
}

void pid_to_running(struct pid *pid, uint32_t apic_id, bool x2apic)
{
    notify(pid, TRACE_PID_RUNNING, apic_id, x2apic);
    if (pid_pending(pid)) /* posted while SN was set: nobody set ON for these */
        change(pid, 0, PID_ON);
}

void pid_to_ready(struct pid *pid)
{
    uint64_t old = change(pid, 0, PID_SN);
    record(pid, TRACE_PID_READY, 0, old | PID_SN);
}

bool pid_to_halted(struct pid *pid, uint32_t apic_id, bool x2apic)
{
    uint64_t old = notify(pid, TRACE_PID_HALTED, apic_id, x2apic);
    return !(old & PID_ON) && !pid_pending(pid);
}

bool pid_post(struct pid *pid, uint8_t vector, bool urgent, uint8_t *nv, uint32_t *ndst)
{
    atomic_fetch_or(&pid->pir[vector / 64], BIT(vector % 64));
    uint64_t old = atomic_load(&pid->control);
    do {
        if ((old & PID_ON) || ((old & PID_SN) && !urgent)) {
            record(pid, TRACE_PID_POSTED, vector, old);
            return false;
        }
    } while (!atomic_replace(&pid->control, &old, old | PID_ON));
    record(pid, TRACE_PID_POSTED, vector, old | PID_ON);
    *nv = (uint8_t)FIELD_GET(PID_NV, old);
    *ndst = (uint32_t)FIELD_GET(PID_NDST, old);
    return true;
}

bool pid_take(struct pid *pid, uint64_t irr[4])
{
    int lowest = -1;
    uint64_t old = change(pid, PID_ON, 0); /* first: a post after this one notifies again */
    for (int i = 0; i < 4; i++) {
        uint64_t posted = atomic_exchange(&pid->pir[i], 0);
        irr[i] |= posted;
        if (posted && lowest < 0)
            lowest = 64 * i + __builtin_ctzll(posted);
    }
    if (lowest >= 0)
        record(pid, TRACE_PID_TAKEN, (unsigned)lowest, old & ~PID_ON);
    return lowest >= 0;
}

bool pid_pending(const struct pid *pid)
{
    for (int i = 0; i < 4; i++)
        if (atomic_load(&pid->pir[i]) != 0)
            return true;
    return false;
}
