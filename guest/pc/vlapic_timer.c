/* SPDX-License-Identifier: MIT */
/*
 * The timer of the local APIC. Its clock is the TSC, so all three modes end in one number: the TSC at
 * which apic_on_timer() is due; the VMX-preemption timer watches it while the vCPU runs, the host's timer while
 * it does not.
 * From: guest/pc/vlapic.c (registers), vmx/ (apic_on_timer).   To: guest/pc/vlapic_irq.c.
 * Spec: SDM "APIC Timer", "TSC-Deadline Mode".
 */
#include "guest/pc/vlapic.h"
#include "vmx/upcalls.h"
#include "vmx/run/sched.h"

/* TSC ticks, nested SCHED_NESTED times as many: longer than the exits of an interrupt, its EOI among them where
 * there is no APICv. A timer that is due again before the guest's next instruction would be all that it does. */
#define PERIOD_MIN UINT64_C(25000)

static unsigned mode_of(uint32_t lvt) { return (unsigned)FIELD_GET(APIC_LVT_TIMER_MODE, lvt); }
static unsigned mode(const struct vcpu *v) { return mode_of(vlapic_get(v, APIC_LVT_TIMER)); }

/* Bits 3, 1 and 0: 000 divides by 2, 001 by 4, ... 110 by 128, 111 by 1. */
static unsigned divide_shift(const struct vcpu *v)
{
    uint32_t divide = vlapic_get(v, APIC_TIMER_DIVIDE);
    unsigned code = (unsigned)((divide & BITS(1, 0)) | (divide & BIT(3)) >> 1);
    return (code + 1) & 7;
}

static uint64_t full_count(const struct vcpu *v)
{
    return (uint64_t)vlapic_get(v, APIC_TIMER_INITIAL) << divide_shift(v);
}

static void set_due(struct vcpu *v, uint64_t tsc)
{
    vlapic_of(v)->due = tsc;
    v->timer_deadline = tsc;
}

static uint64_t period_of(const struct vcpu *v)
{
    return mode(v) == APIC_TIMER_PERIODIC ? MAX(full_count(v), sched_scaled(PERIOD_MIN)) : 0;
}

void vlapic_timer_start(struct vcpu *v)
{
    uint64_t ticks = full_count(v);
    if (mode(v) == APIC_TIMER_TSC_DEADLINE)
        return;
    vlapic_of(v)->period = period_of(v);
    set_due(v, ticks ? rdtsc() + ticks : 0);
}

void vlapic_timer_lvt(struct vcpu *v)
{
    struct vlapic *apic = vlapic_of(v);
    bool was_deadline = mode_of(apic->timer_lvt) == APIC_TIMER_TSC_DEADLINE;
    if (was_deadline != (mode(v) == APIC_TIMER_TSC_DEADLINE))
        set_due(v, 0); /* SDM: changing to or from TSC-deadline mode disarms */
    apic->period = period_of(v);
    apic->timer_lvt = vlapic_get(v, APIC_LVT_TIMER);
}

uint32_t vlapic_timer_current(const struct vcpu *v)
{
    uint64_t now = rdtsc(), due = vlapic_of(v)->due;
    if (mode(v) == APIC_TIMER_TSC_DEADLINE || due <= now)
        return 0;
    /* a period that was made longer is not seen */
    return (uint32_t)MIN((due - now) >> divide_shift(v), vlapic_get(v, APIC_TIMER_INITIAL));
}

uint64_t vlapic_deadline(const struct vcpu *v)
{
    return mode(v) == APIC_TIMER_TSC_DEADLINE ? vlapic_of(v)->due : 0;
}

void vlapic_set_deadline(struct vcpu *v, uint64_t tsc)
{
    if (mode(v) == APIC_TIMER_TSC_DEADLINE)
        set_due(v, tsc);
}

void apic_on_timer(struct vcpu *v)
{
    uint32_t lvt = vlapic_get(v, APIC_LVT_TIMER);
    uint64_t period = vlapic_of(v)->period, due = vlapic_of(v)->due;
    /* Periods that passed unnoticed are one interrupt, as a pending bit cannot count. */
    set_due(v, period ? due + ((rdtsc() - due) / period + 1) * period : 0);
    if (!(lvt & APIC_LVT_MASKED))
        vlapic_deliver(v, (uint8_t)FIELD_GET(APIC_LVT_VECTOR, lvt));
}
