/* SPDX-License-Identifier: MIT */
/*
 * Interrupts and other news for a vCPU, from anywhere: another vCPU, a device, Hamlet itself.
 * From: guest/pc/ (IPIs, virtual I/O APIC), guest/assign/irq.c (devices).   To: vmx/run/post.c.
 * Spec: SDM "Posted-Interrupt Processing".
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

/* Post an interrupt to v from anywhere, and notify as the remapping unit would: nothing while READY,
 * ANV while RUNNING elsewhere, a wake-up while HALTED. Every sender but VT-d comes through here. */
void vcpu_post(struct vcpu *v, uint8_t vector);
/* The same for those who want to see what posting saves: a RUNNING vCPU is made to exit, and gets the
 * interrupt at its next entry. */
void vcpu_post_by_exit(struct vcpu *v, uint8_t vector);
/* Which way VT-d may post to this vCPU; NULL without APICv. */
const struct pi_desc *vcpu_descriptor(const struct vcpu *v);

/* An NMI, as soon as v can take one. */
void vcpu_nmi(struct vcpu *v);

/* The guest changed its local APIC between off, xAPIC and x2APIC: adapt controls and MSR bitmap. */
void vcpu_apic_mode_changed(struct vcpu *v);
/* A level-triggered vector: its EOI exits (EOI-exit bitmap), to apic_on_eoi(). */
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on);
