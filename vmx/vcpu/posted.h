/* SPDX-License-Identifier: MIT */
/*
 * State changes of the posted-interrupt descriptor, and a poster in software. Private to vmx/.
 * From: vmx/run/sched.c (running, ready, halted), vmx/run/post.c (post, take).   To: vmx/vcpu/posted.c.
 */
#pragma once
#include "lib/pi_desc.h"

/* Where notifications go; apic_id is a plain id, whatever mode the host's APICs are in. */
void posted_to_running(struct pi_desc *d, uint32_t apic_id, bool x2apic);
void posted_to_ready(struct pi_desc *d);
/* False: ON was set meanwhile, so there is work: do not sleep. (NV and NDST are set all the same.) */
bool posted_to_halted(struct pi_desc *d, uint32_t apic_id, bool x2apic);

/* Post as the remapping unit does: PIR first, then ON by the rule X = !ON & (URG | !SN). True: the
 * caller sends NV to NDST, which are handed out. */
bool posted_post(struct pi_desc *d, uint8_t vector, bool urgent, uint8_t *nv, uint32_t *ndst);

/* Clear ON, then take PIR out into irr[4] (OR). True if there was any. */
bool posted_take(struct pi_desc *d, uint64_t irr[4]);
bool posted_pending(const struct pi_desc *d); /* any bit of PIR */
