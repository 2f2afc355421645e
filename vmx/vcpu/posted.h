/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor, and a poster in software. Private to vmx/.
 * From: vmx/run/sched.c (running, ready, halted), vmx/run/post.c (post), vmx/vcpu/apicv.c (take).
 * To: vmx/vcpu/posted.c.   Spec: VT-d "Interrupt-Posting Hardware Operation".
 */
#pragma once
#include "arch/trace.h"
#include "lib/atomic.h"
#include "lib/pi_desc.h"

/* The CPU with this APIC id, the plain one in xAPIC mode too, as a control word names it; and who
 * is named. */
uint64_t posted_ndst(uint32_t apic_id, bool x2apic);
uint32_t posted_apic_id(uint64_t control, bool x2apic);

/* Notifications go to the CPU `ndst`. */
void posted_to_running(struct pi_desc *d, uint64_t ndst);
void posted_to_ready(struct pi_desc *d);
/* False: an interrupt is posted, so the vCPU must not sleep. NV and NDST are set in both cases. */
bool posted_to_halted(struct pi_desc *d, uint64_t ndst);

/* Post as the remapping unit does: set PIR first, then ON by the rule X = !ON & (URG | !SN); no
 * interrupt is urgent here. Returns the control word whose NV the caller has to send to its NDST;
 * 0: no notification is due. */
uint64_t posted_post(struct pi_desc *d, uint8_t vector);

/* Any bit of PIR. */
static inline bool posted_pending(const struct pi_desc *d)
{
    return (atomic_load(&d->pir[0]) | atomic_load(&d->pir[1]) | atomic_load(&d->pir[2]) |
            atomic_load(&d->pir[3])) != 0;
}

/* Clear ON, then take PIR: taken[i] becomes word i of it. */
void posted_record_taken(const struct pi_desc *d, const uint64_t taken[4]);
static inline void posted_take(struct pi_desc *d, uint64_t taken[4])
{
    atomic_fetch_and(&d->control, ~PI_ON); /* first: a post after this one notifies again */
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; i++) /* most are empty, and a locked access is slow */
        taken[i] = atomic_load(&d->pir[i]) ? atomic_exchange(&d->pir[i], 0) : 0;
    if (__builtin_expect(trace_on, 0))
        posted_record_taken(d, taken);
}
