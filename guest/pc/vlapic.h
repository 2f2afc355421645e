/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a vCPU, on its virtual-APIC page. Hardware does what APIC virtualization
 * covers; these functions do the rest.
 * From: guest/pc/vioapic.c and guest/assign/irq.c (vlapic_match), monitor/ (registers).
 * To: guest/pc/vlapic.c (registers), vlapic_irq.c (priorities, IPIs), vlapic_timer.c.
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)".
 */
#pragma once
#include "arch/apic.h"
#include "arch/msr.h"
#include "guest/core/vm.h"
#include "vmx/vcpu/vcpu.h"

/* The vCPUs of a destination, one bit per vCPU index. `dest`: 8 bits of an MSI or an xAPIC ICR,
 * or 32 bits of an x2APIC ICR. `logical`: matched against LDR and DFR; else an APIC id, where
 * 0xff means all. */
uint64_t vlapic_match(struct vm *vm, uint32_t dest, bool logical);
/* Those of the set whose APIC takes fixed interrupts, as vlapic_takes(). */
uint64_t vlapic_takers(const struct vm *vm, uint64_t set);

/* Call ring(vm) on the CPU of v, without a lock, when vm_now() has reached `at`; 0: not at all. A
 * vCPU has one alarm. Requires vm->lock, or a VM that is still. */
void vlapic_alarm(struct vcpu *v, uint64_t at, void (*ring)(struct vm *vm));
/* The VM's time has moved against that of the host: v->timer_deadline follows. */
void vlapic_timer_arm(struct vcpu *v);
/* As a BIOS leaves the APIC of the bootstrap processor: enabled, with an 8259 behind LINT0. */
void vlapic_virtual_wire(struct vcpu *v);

/* --- Between the files of the local APIC ------------------------------------------------------ */

#define XAPIC_ID       BITS(31, 24) /* of APIC_ID, APIC_LDR and APIC_ICR_HIGH in xAPIC mode */
#define X2APIC_CLUSTER BITS(31, 16) /* of APIC_LDR and of a logical destination in x2APIC mode */
#define DFR_MODEL      BITS(31, 28)
#define DFR_FLAT       0xf

struct vlapic {
    struct vcpu *v;
    /* vm_now() at the timer's next interrupt, and at a device's alarm; 0: none. The earlier one is
     * v->timer_deadline, which is a TSC of the host. */
    uint64_t due, alarm;
    uint64_t deadline; /* IA32_TSC_DEADLINE, while `due` is not 0 */
    uint64_t period;   /* of the timer in periodic mode, in TSC ticks */
    void (*ring)(struct vm *vm);
    uint32_t timer_lvt; /* LVT timer register before the write that is handled now */
    unsigned shift;     /* of the timer's divider, likewise */
    uint32_t errors;    /* since the last write to ESR, which will show them */
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
/* IA32_APIC_BASE and SVR enable it, so it takes fixed interrupts. SDM "Local APIC State After It
 * Has Been Software Disabled". */
static inline bool vlapic_takes(const struct vcpu *v)
{
    return (v->apic_base & APIC_BASE_EN) && (vlapic_get(v, APIC_SVR) & APIC_SVR_ENABLE);
}
static inline struct vlapic *vlapic_of(const struct vcpu *v) { return v->vm->apics[v->index]; }

/* Without APICv: one of the eight words of IRR. */
static inline uint32_t vlapic_irr(const struct vcpu *v, unsigned word)
{
    return (uint32_t)(v->irr[word / 2] >> (word % 2 * 32));
}

/* The guest wrote ICR: send the interrupt. `dest` as in vlapic_match(). */
void vlapic_send(struct vcpu *v, uint32_t command, uint32_t dest);
/* An interrupt for v. An enabled APIC accepts vectors from 16 on. */
void vlapic_deliver(struct vcpu *v, uint8_t vector);
void vlapic_eoi(struct vcpu *v);
void vlapic_write_esr(struct vcpu *v);
uint32_t vlapic_ppr(const struct vcpu *v); /* processor priority, from TPR and ISR */

/* The timer's clock is the VM's time. */
void vlapic_timer_reset(struct vcpu *v);
void vlapic_timer_start(struct vcpu *v);  /* the initial count was written */
void vlapic_timer_lvt(struct vcpu *v);    /* its LVT entry was written */
void vlapic_timer_divide(struct vcpu *v); /* its divider was written */
uint32_t vlapic_timer_current(const struct vcpu *v);
uint64_t vlapic_deadline(const struct vcpu *v); /* IA32_TSC_DEADLINE */
