/* SPDX-License-Identifier: MIT */
/*
 * The posted-interrupt descriptor: the one structure that the CPU (vmx/) and the remapping unit (vtd/) share.
 * One per vCPU. Everybody who has an interrupt for a vCPU, a device through VT-d, another
 * CPU, Hamlet itself, posts it here, so there is one way in, whoever sends.
 *
 *   running  SN=0 NV=ANV NDST=its CPU   a notification makes the CPU fold PIR, without an exit
 *   ready    SN=1                       nothing is sent; ON stays 0; who clears SN looks at PIR
 *   halted   SN=0 NV=WNV NDST=the CPU   a notification wakes it up
 *            whose wake list holds it
 *
 * The control word is only ever changed by one atomic replace.
 * Spec: SDM "Posted-Interrupt Processing"; VT-d "Posted Interrupt Descriptor", "Interrupt-Posting
 * Hardware Operation".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

struct pid {
    uint64_t pir[4]; /* bit v: vector v is posted */
    uint64_t control;
    uint64_t reserved[3];
} __attribute__((aligned(64)));
LAYOUT(struct pid, control, 32);
static_assert(sizeof(struct pid) == 64, "SDM: the descriptor is 64 bytes");

/* Bits 319:256 of the descriptor, here counted from 256. */
#define PID_ON BIT(0)       /* a notification is outstanding: no second one is sent */
#define PID_SN BIT(1)       /* suppress: post, but neither set ON nor notify (URG overrides) */
#define PID_NV BITS(23, 16) /* notification vector */
#define PID_NDST                                                                                   \
    BITS(63, 32) /* its destination; xAPIC mode: the APIC id in bits 15:8 of this field */

void pid_init(struct pid *pid);

/* Where notifications go; apic_id is a plain id, whatever mode the host's APICs are in. */
void pid_to_running(struct pid *pid, uint32_t apic_id, bool x2apic);
void pid_to_ready(struct pid *pid);
/* False: ON was set meanwhile, so there is work: do not sleep. (NV and NDST are set all the same.) */
bool pid_to_halted(struct pid *pid, uint32_t apic_id, bool x2apic);

/* Post as the remapping unit does: PIR first, then ON by the rule X = !ON & (URG | !SN). True: the
 * caller sends NV to NDST, which are handed out. */
bool pid_post(struct pid *pid, uint8_t vector, bool urgent, uint8_t *nv, uint32_t *ndst);

/* Clear ON, then take PIR out into irr[4] (OR). True if there was any. */
bool pid_take(struct pid *pid, uint64_t irr[4]);
bool pid_pending(const struct pid *pid); /* any bit of PIR */
