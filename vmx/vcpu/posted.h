/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor, and a poster in software. Private to vmx/.
 * From: vmx/run/sched.c (running, ready, halted), vmx/run/post.c (post), vmx/vcpu/apicv.c (take).
 * To: vmx/vcpu/posted.c.   Spec: VT-d "Interrupt-Posting Hardware Operation".
 */
#pragma once
#include "lib/pi_desc.h"

/* Notifications go to the CPU `apic_id`: the plain id, in xAPIC mode too. */
void posted_to_running(struct pi_desc *d, uint32_t apic_id, bool x2apic);
void posted_to_ready(struct pi_desc *d);
/* False: an interrupt is posted, so the vCPU must not sleep. NV and NDST are set in both cases. */
bool posted_to_halted(struct pi_desc *d, uint32_t apic_id, bool x2apic);

/* Post as the remapping unit does: set PIR first, then ON by the rule X = !ON & (URG | !SN). True:
 * the caller has to send the vector *nv to *ndst, which is in the format of NDST. */
bool posted_post(struct pi_desc *d, uint8_t vector, bool urgent, uint8_t *nv, uint32_t *ndst);

/* Clear ON, then move the bits of PIR into irr[4] (OR). True: at least one bit was set. */
bool posted_take(struct pi_desc *d, uint64_t irr[4]);
bool posted_pending(const struct pi_desc *d); /* any bit of PIR */
