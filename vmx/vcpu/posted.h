/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor; a poster in software, that keeps the rules of
 * the remapping unit, and a taker, that keeps those of the CPU. Private to vmx/.
 * From: vmx/run/sched.c (running, ready, halted), vmx/run/post.c (post), vmx/vcpu/apicv.c (take).
 * To: vmx/vcpu/posted.c.
 * Spec: VT-d "Interrupt-Posting Hardware Operation"; SDM "Posted-Interrupt Processing".
 *
 * INVARIANT: no wake-up is lost, because the orders of poster and taker cross. The poster sets PIR
 * first, and then looks at SN and ON. The taker clears SN or ON first, and then looks at PIR.
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
/* From running. False: an interrupt is posted, so the vCPU must not sleep. NV and NDST are set in
 * both cases. */
bool posted_to_halted(struct pi_desc *d, uint64_t ndst);

/* For the recorder: a change, with the new control word; an interrupt also with its vector. */
void posted_write_event(const struct pi_desc *d, enum trace_pid what, unsigned vector,
                        uint64_t control);
static inline void posted_record(const struct pi_desc *d, enum trace_pid what, unsigned vector,
                                 uint64_t control)
{
    if (__builtin_expect(trace_on, 0))
        posted_write_event(d, what, vector, control);
}

/* Post as the remapping unit does: set PIR first, then ON by the rule X = !ON & (URG | !SN); no
 * interrupt is urgent here. Returns the control word whose NV the caller has to send to its NDST;
 * 0: no notification is due. */
static inline uint64_t posted_post(struct pi_desc *d, uint8_t vector)
{
    atomic_fetch_or(&d->pir[vector / 64], BIT(vector % 64));
    uint64_t old = atomic_load(&d->control);
    do {
        if (old & (PI_ON | PI_SN)) {
            posted_record(d, TRACE_PID_POSTED, vector, old);
            return 0;
        }
    } while (!atomic_replace(&d->control, &old, old | PI_ON));
    posted_record(d, TRACE_PID_POSTED, vector, old | PI_ON);
    return old;
}

/* Any bit of PIR. */
static inline bool posted_pending(const struct pi_desc *d)
{
    return (atomic_load(&d->pir[0]) | atomic_load(&d->pir[1]) | atomic_load(&d->pir[2]) |
            atomic_load(&d->pir[3])) != 0;
}

/* A taker clears ON first, so that a post after that notifies again. Then it takes each word of
 * PIR; false: that one is empty, as most are, and a locked access is slow. Only the CPU that has
 * the vCPU takes, so a word that is not empty stays so. */
static inline void posted_take_begin(struct pi_desc *d) { atomic_fetch_and(&d->control, ~PI_ON); }

static inline bool posted_take_word(struct pi_desc *d, unsigned i, uint64_t *taken)
{
    *taken = atomic_load(&d->pir[i]);
    if (!*taken)
        return false;
    *taken = atomic_exchange(&d->pir[i], 0);
    return true;
}

/* What was taken. By value: no array has to be in memory for the recorder's sake. */
void posted_record_words(const struct pi_desc *d, uint64_t word0, uint64_t word1, uint64_t word2,
                         uint64_t word3);
static inline void posted_record_taken(const struct pi_desc *d, const uint64_t taken[4])
{
    if (__builtin_expect(trace_on, 0))
        posted_record_words(d, taken[0], taken[1], taken[2], taken[3]);
}

/* All of it at once: taken[i] becomes word i of PIR. */
void posted_take(struct pi_desc *d, uint64_t taken[4]);
