/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of the local APIC: their targets, their priorities, their end. Every interrupt for a
 * vCPU goes into its posted-interrupt descriptor, even one that the vCPU sends to itself. From
 * there the CPU moves it into IRR, or, without APIC virtualization, apicv_fold() does.
 * From: guest/pc/vlapic.c (ICR, EOI), vmx/vcpu/inject.c (apic_next_irq, apic_on_irq_taken).
 * To: guest/pc/vlapic_dest.c (vlapic_match), vmx/run/post.c (vcpu_post),
 * guest/pc/vioapic.c (vioapic_eoi), guest/core/vm.c (vm_reset).
 * Hot: without APICv, every interrupt and every EOI.
 * Spec: SDM "Determining IPI Destination", "Interrupt, Task, and Processor Priority", "Interrupt
 * Acceptance for Fixed Interrupts", "Interrupt Command Register (ICR)", "Error Handling".
 */
#include "guest/pc/vlapic.h"
#include "arch/apic.h"
#include "guest/core/vm.h"
#include "guest/pc/vioapic.h"
#include "vmx/run/post.h"
#include "vmx/run/sched.h"
#include "vmx/upcalls.h"

#define ESR_SEND_ILLEGAL    BIT(5)
#define ESR_RECEIVE_ILLEGAL BIT(6)
#define WORD_STRIDE         16 /* the 256 bits of ISR: eight words, 16 bytes apart */

/* --- Destinations ----------------------------------------------------------------------------- */

/* Bits by vCPU index. */
static uint64_t targets_of(struct vcpu *v, uint32_t command, uint32_t dest)
{
    uint64_t all = BIT(v->vm->vcpu_count) - 1, self = BIT(v->index);
    switch (FIELD_GET(APIC_ICR_SHORTHAND, command)) {
    case APIC_SHORTHAND_SELF:
        return self;
    case APIC_SHORTHAND_ALL:
        return all;
    case APIC_SHORTHAND_OTHERS:
        return all & ~self;
    default:
        return vlapic_match(v->vm, dest, command & APIC_ICR_LOGICAL);
    }
}

/* --- Sending and receiving -------------------------------------------------------------------- */

/* ESR shows an error after the next write to it. Only the first error since the last write
 * interrupts: an illegal vector of the error interrupt itself comes to an end here. */
static void error(struct vcpu *v, uint64_t bit)
{
    uint32_t lvt = vlapic_get(v, APIC_LVT_ERROR), before = vlapic_of(v)->errors;
    vlapic_of(v)->errors |= (uint32_t)bit;
    if (!before && !(lvt & APIC_LVT_MASKED))
        vlapic_deliver(v, (uint8_t)FIELD_GET(APIC_LVT_VECTOR, lvt));
}

void vlapic_write_esr(struct vcpu *v)
{
    vlapic_set(v, APIC_ESR, vlapic_of(v)->errors);
    vlapic_of(v)->errors = 0;
}

/* An edge: the bit of its vector in TMR becomes 0. */
void vlapic_deliver(struct vcpu *v, uint8_t vector)
{
    if (!vlapic_takes(v))
        return;
    if (vector < VECTOR_FIRST_LEGAL) {
        error(v, ESR_RECEIVE_ILLEGAL);
        return;
    }
    if (atomic_load(&v->eoi_exit[vector / 64]))
        vcpu_eoi_exit(v, vector, false);
    vcpu_post(v, vector);
}

/* An INIT makes the bootstrap processor execute the firmware, and so starts a PC again. */
static void send_init(struct vcpu *to)
{
    if (to->apic_base & APIC_BASE_BSP)
        IGNORE(vm_reset(to->vm)); /* fails for a VM that is about to end: nothing to reset */
    else
        vcpu_init_signal(to);
}

/* By far the most: fixed and edge, to one by its id. These a CPU with IPI virtualization posts. */
static bool is_plain(const struct vcpu *v, uint32_t command, uint32_t dest)
{
    return !(command & ~(uint32_t)(APIC_ICR_VECTOR | APIC_ICR_ASSERT)) &&
           (command & APIC_ICR_VECTOR) >= VECTOR_FIRST_LEGAL && dest < v->vm->vcpu_count;
}

void vlapic_send(struct vcpu *v, uint32_t command, uint32_t dest)
{
    uint8_t vector = (uint8_t)FIELD_GET(APIC_ICR_VECTOR, command);
    if (is_plain(v, command, dest)) {
        vlapic_deliver(v->vm->vcpus[dest], vector);
        return;
    }
    uint64_t delivery = FIELD_GET(APIC_ICR_DELIVERY, command), set = targets_of(v, command, dest);
    bool is_interrupt = delivery == APIC_DELIVERY_FIXED || delivery == APIC_DELIVERY_LOWEST;
    bool deassert = (command & APIC_ICR_LEVEL) && !(command & APIC_ICR_ASSERT);
    if (delivery == APIC_DELIVERY_INIT && deassert)
        return; /* SDM: the INIT level de-assert has no effect on current processors */
    if (is_interrupt && vector < VECTOR_FIRST_LEGAL) {
        error(v, ESR_SEND_ILLEGAL);
        return;
    }
    if (delivery == APIC_DELIVERY_LOWEST) { /* lowest priority: any one that takes it */
        set = vlapic_takers(v->vm, set);
        set &= -set;
    }
    /* SMI and reserved modes have no effect in a VM. */
    for (; set; set &= set - 1) {
        struct vcpu *to = v->vm->vcpus[__builtin_ctzll(set)];
        if (is_interrupt)
            vlapic_deliver(to, vector);
        else if (delivery == APIC_DELIVERY_NMI)
            vcpu_nmi(to);
        else if (delivery == APIC_DELIVERY_INIT)
            send_init(to);
        else if (delivery == APIC_DELIVERY_STARTUP)
            vcpu_sipi(to, vector);
    }
}

/* --- Priorities, without APIC virtualization -------------------------------------------------- */

/* Of each priority class one vector at most is in service: a second one does not pass. So the
 * highest is found without a search, first its class and then its bit in that half of a word. */

static unsigned isr_word(unsigned class) { return APIC_ISR + class / 2 * WORD_STRIDE; }
static unsigned class_served(const struct vcpu *v) /* 0: none */
{
    return v->in_service ? 31 - (unsigned)__builtin_clz(v->in_service) : 0;
}

uint32_t vlapic_ppr(const struct vcpu *v)
{
    uint32_t tpr = vlapic_get(v, APIC_TPR), isr = class_served(v) << 4;
    return (tpr & PRIORITY_CLASS) >= isr ? tpr : isr;
}

/* -1: IRR is empty. */
static int highest_requested(const struct vcpu *v)
{
    if (!v->irq_waits)
        return -1;
    unsigned word = 31 - (unsigned)__builtin_clz(v->irq_waits);
    return (int)(64 * word + 63 - (unsigned)__builtin_clzll(v->irr[word]));
}

/* PPR is as of the last change of TPR or ISR. */
int apic_next_irq(struct vcpu *v)
{
    int next = highest_requested(v);
    bool passes =
        next >= 0 && ((uint32_t)next & PRIORITY_CLASS) > (vlapic_get(v, APIC_PPR) & PRIORITY_CLASS);
    return passes ? next : -1;
}

/* It has passed, so its class is above that of TPR and of all in service. */
void apic_on_irq_taken(struct vcpu *v, uint8_t vector)
{
    unsigned at = vector, word = at / 64, class = at / 16;
    v->irr[word] &= ~BIT(at % 64);
    if (!v->irr[word])
        v->irq_waits ^= (uint8_t)(1u << word);
    v->in_service |= (uint16_t)(1u << class);
    v->vapic[isr_word(class) / 4] |= 1u << at % 32;
    vlapic_set(v, APIC_PPR, class << 4);
}

/* SDM "Interrupt, Task, and Processor Priority": an EOI ends the highest vector in service. */
void vlapic_eoi(struct vcpu *v)
{
    unsigned class = class_served(v);
    if (!class)
        return;
    uint32_t *word = &v->vapic[isr_word(class) / 4], half = class % 2 ? 0xffff0000 : 0xffff;
    unsigned vector = class / 2 * 32 + 31 - (unsigned)__builtin_clz(*word & half);
    *word &= ~half;
    v->in_service &= (uint16_t)~BIT(class);
    vlapic_set(v, APIC_PPR, vlapic_ppr(v));
    if (atomic_load(&v->eoi_exit[vector / 64]) & BIT(vector % 64))
        apic_on_eoi(v, (uint8_t)vector);
}

void apic_on_eoi(struct vcpu *v, uint8_t vector) { vioapic_eoi(v->vm->ioapic, vector); }

/* SDM "Local Vector Table": ExtINT comes with the vector of the controller behind the line. An APIC
 * that is off leaves the line to the CPU. */
int apic_extint(struct vcpu *v, bool take)
{
    uint32_t lint0 = vlapic_get(v, APIC_LVT_LINT0);
    bool passes =
        !(lint0 & APIC_LVT_MASKED) && FIELD_GET(APIC_LVT_DELIVERY, lint0) == APIC_DELIVERY_EXTINT;
    if (!v->vm->wires.acknowledge || (!passes && (v->apic_base & APIC_BASE_EN)))
        return -1;
    return take ? v->vm->wires.acknowledge(v->vm) : 0;
}
