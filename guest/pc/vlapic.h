/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a vCPU, on its virtual-APIC page: by hardware where APIC virtualization does it,
 * by these functions where it does not.
 * From: vmx/upcalls.h (MSR, MMIO, APIC-write and EOI exits), guest/assign/irq.c (destinations).
 * To: guest/pc/vlapic.c (registers), vlapic_irq.c (priorities, IPIs), vlapic_timer.c.
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)".
 */
#pragma once
#include "arch/apic.h"
#include "arch/msr.h"
#include "guest/core/vm.h"
#include "vmx/vcpu/vcpu.h"

/* The vCPUs that a destination names, as a bit per vCPU index. `dest`: the 8 bits of an MSI or an xAPIC
 * ICR, or the 32 of an x2APIC ICR; logical: against LDR and DFR, else the APIC id (0xff: all). */
uint64_t vlapic_match(struct vm *vm, uint32_t dest, bool logical);

/* --- Between the three files --------------------------------------------------------------------- */

struct vlapic {
    struct vcpu *v;
    uint64_t due;    /* TSC of the timer's next interrupt, 0: none; v->timer_deadline follows it */
    uint64_t period; /* of the timer in periodic mode, in TSC ticks */
    uint32_t timer_lvt; /* LVT timer register as it was last seen */
};

/* A register of the virtual-APIC page. */
static inline uint32_t vlapic_get(const struct vcpu *v, unsigned offset)
{
    return v->vapic[offset / 4];
}
static inline void vlapic_set(struct vcpu *v, unsigned offset, uint32_t value)
{
    v->vapic[offset / 4] = value;
}
static inline bool vlapic_is_x2apic(const struct vcpu *v) { return v->apic_base & APIC_BASE_EXTD; }
static inline struct vlapic *vlapic_of(const struct vcpu *v) { return v->vm->apics[v->index]; }

/* ICR was written: send what it says. */
void vlapic_send(struct vcpu *v, uint32_t command, uint32_t dest);
/* An interrupt for v: accepted if its APIC is enabled and the vector is legal. */
void vlapic_deliver(struct vcpu *v, uint8_t vector);
void vlapic_eoi(struct vcpu *v);
uint32_t vlapic_ppr(const struct vcpu *v);

/* The timer's clock is the TSC. */
void vlapic_timer_start(struct vcpu *v); /* the initial count was written */
void vlapic_timer_lvt(struct vcpu *v);   /* its LVT entry was written */
uint32_t vlapic_timer_current(const struct vcpu *v);
uint64_t vlapic_deadline(const struct vcpu *v); /* IA32_TSC_DEADLINE */
void vlapic_set_deadline(struct vcpu *v, uint64_t tsc);
