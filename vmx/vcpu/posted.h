/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor, and a poster in software. Private to vmx/.
 * From: vmx/run/sched.c (running, ready, halted), vmx/run/post.c (post), vmx/vcpu/apicv.c (take).
 * To: vmx/vcpu/posted.c.   Spec: VT-d "Interrupt-Posting Hardware Operation".
 */
#pragma once
#include "lib/atomic.h"
#include "lib/pi_desc.h"

/* Notifications go to the CPU `apic_id`: the plain id, in xAPIC mode too. */
void posted_to_running(struct pi_desc *d, uint32_t apic_id, bool x2apic);
void posted_to_ready(struct pi_desc *d);
/* False: an interrupt is posted, so the vCPU must not sleep. NV and NDST are set in both cases. */
bool posted_to_halted(struct pi_desc *d, uint32_t apic_id, bool x2apic);

/* Post as the remapping unit does: set PIR first, then ON by the rule X = !ON & (URG | !SN). True:
 * the caller has to send the vector *nv to *ndst, which is in the format of NDST. */
bool posted_post(struct pi_desc *d, uint8_t vector, bool urgent, uint8_t *nv, uint32_t *ndst);

/* Clear ON, then take PIR. A bit per 64-bit word that had something: only those words of taken[]
 * are written, so only they are valid. */
unsigned posted_take(struct pi_desc *d, uint64_t taken[4]);

/* Any bit of PIR. */
static inline bool posted_pending(const struct pi_desc *d)
{
    return (atomic_load(&d->pir[0]) | atomic_load(&d->pir[1]) | atomic_load(&d->pir[2]) |
            atomic_load(&d->pir[3])) != 0;
}
