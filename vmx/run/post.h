/* SPDX-License-Identifier: MIT */
/*
 * Interrupts and other news for a vCPU, from anywhere: another vCPU, a device, Hamlet itself.
 * From: guest/pc/ (IPIs, virtual I/O APIC), guest/assign/irq.c (devices).   To: vmx/run/post.c.
 * Spec: SDM "Posted-Interrupt Processing".
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

/* Post an interrupt to v from anywhere, and notify as the remapping unit would: nothing while
 * READY, ANV while RUNNING elsewhere, a wake-up while HALTED. Every sender but VT-d comes
 * through here. */
void vcpu_post(struct vcpu *v, uint8_t vector);
/* The same without posting, to compare: a RUNNING vCPU exits for the interrupt. */
void vcpu_post_by_exit(struct vcpu *v, uint8_t vector);
/* The descriptor for a posted IRTE of VT-d; NULL: this CPU cannot process posted interrupts. */
const struct pi_desc *vcpu_descriptor(const struct vcpu *v);

/* v->timer_deadline becomes `tsc`, a time of the host's TSC; 0: none. Called in an exit of v, or
 * with sched_wake() behind it. */
void vcpu_set_deadline(struct vcpu *v, uint64_t tsc);

/* An NMI, as soon as v can take one. */
void vcpu_nmi(struct vcpu *v);

/* The line by which an 8259 asks v for an interrupt; the vector comes by apic_extint(). */
void vcpu_extint(struct vcpu *v, bool asserted);

/* The guest changed its local APIC between off, xAPIC and x2APIC, or its EOI-exit bitmap has
 * changed: v adapts its controls and its MSR bitmap before its next entry. */
void vcpu_apic_mode_changed(struct vcpu *v);
/* The APIC of v has another logical address, or another mode: before the next entry of v its
 * devices' messages are led there (apic_on_address). Called in an exit of v, or while it is still.
 */
void vcpu_address_changed(struct vcpu *v);
/* The APIC of v takes fixed interrupts, or takes none. While it does, CPUs that run other vCPUs of
 * its VM may post IPIs to it, without an exit. */
void vcpu_takes_ipis(struct vcpu *v, bool on);
/* `on`, a level-triggered vector: its bit in TMR is 1, and its EOI goes to apic_on_eoi(), with
 * APICv by an exit (EOI-exit bitmap). */
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on);
