/* SPDX-License-Identifier: MIT */
/*
 * The timer of the local APIC. Its clock is a part of the VM's time, so all three modes reduce to
 * one number: the time at which apic_on_timer() is due. While the vCPU runs, the VMX-preemption
 * timer waits for it; else a timer of the host does.
 * From: guest/pc/vlapic.c (registers), vmx/ (apic_on_timer).   To: guest/pc/vlapic_irq.c.
 * Spec: SDM "APIC Timer", "TSC-Deadline Mode".
 */
#include "guest/pc/vlapic.h"
#include "arch/apic.h"
#include "vmx/run/post.h"
#include "vmx/run/sched.h"
#include "vmx/upcalls.h"

/* TSC ticks; on a nested machine SCHED_NESTED times as many. A shorter period would be over again
 * before the exits for one interrupt and its EOI are, and the guest would execute nothing else. */
#define PERIOD_MIN UINT64_C(25000)

/* TSC ticks: later than any VM lives, and no sum of it and a time is too large. */
#define FAR        BIT(62)

static unsigned lvt_mode(uint32_t lvt) { return (unsigned)FIELD_GET(APIC_LVT_TIMER_MODE, lvt); }
static unsigned timer_mode(const struct vcpu *v) { return lvt_mode(vlapic_get(v, APIC_LVT_TIMER)); }

/* Bits 3, 1 and 0: 000 divides by 2, 001 by 4, ... 110 by 128, 111 by 1. */
static unsigned divide_shift(const struct vcpu *v)
{
    uint32_t divide = vlapic_get(v, APIC_TIMER_DIVIDE);
    uint64_t code = FIELD_SET(BIT(2), FIELD_GET(BIT(3), divide)) | (divide & BITS(1, 0));
    return (code + 1) % 8;
}

/* TSC ticks per count. */
static uint64_t count_ticks(const struct vcpu *v)
{
    return (uint64_t)VCPU_TSC_RATIO << vlapic_of(v)->shift;
}

static uint64_t full_count(const struct vcpu *v)
{
    return vlapic_get(v, APIC_TIMER_INITIAL) * count_ticks(v);
}

/* The CPU of v writes `due`, and any CPU `alarm`. Each looks once more at what the other writes, so
 * the deadline that stays is of both. */
void vlapic_timer_arm(struct vcpu *v)
{
    struct vlapic *a = vlapic_of(v);
    uint64_t due, alarm, first;
    do {
        due = atomic_load(&a->due);
        alarm = atomic_load(&a->alarm);
        first = due && alarm ? MIN(due, alarm) : due | alarm;
        vcpu_set_deadline(v, first ? first - v->vm->clock : 0);
    } while (atomic_load(&a->due) != due || atomic_load(&a->alarm) != alarm);
}

static void set_due(struct vcpu *v, uint64_t at)
{
    atomic_store(&vlapic_of(v)->due, at);
    vlapic_timer_arm(v);
}

void vlapic_alarm(struct vcpu *v, uint64_t at, void (*ring)(struct vm *vm))
{
    vlapic_of(v)->ring = ring;
    atomic_store(&vlapic_of(v)->alarm, at);
    vlapic_timer_arm(v);
    sched_wake(v); /* on whatever CPU it is, it looks at its deadline again */
}

void vlapic_timer_reset(struct vcpu *v)
{
    struct vlapic *a = vlapic_of(v);
    a->v = v;
    a->period = 0;
    a->timer_lvt = (uint32_t)APIC_LVT_MASKED;
    a->shift = divide_shift(v);
    set_due(v, 0);
}

static uint64_t period_of(const struct vcpu *v)
{
    return timer_mode(v) == APIC_TIMER_PERIODIC ? MAX(full_count(v), sched_scaled(PERIOD_MIN)) : 0;
}

static void count_down(struct vcpu *v, uint32_t count)
{
    if (timer_mode(v) == APIC_TIMER_TSC_DEADLINE)
        return;
    vlapic_of(v)->period = period_of(v);
    set_due(v, count ? vm_now(v->vm) + count * count_ticks(v) : 0);
}

void vlapic_timer_start(struct vcpu *v) { count_down(v, vlapic_get(v, APIC_TIMER_INITIAL)); }

void vlapic_timer_lvt(struct vcpu *v)
{
    struct vlapic *apic = vlapic_of(v);
    bool was_deadline = lvt_mode(apic->timer_lvt) == APIC_TIMER_TSC_DEADLINE;
    if (was_deadline != (timer_mode(v) == APIC_TIMER_TSC_DEADLINE))
        set_due(v, 0); /* SDM: changing to or from TSC-deadline mode disarms */
    apic->period = period_of(v);
    apic->timer_lvt = vlapic_get(v, APIC_LVT_TIMER);
}

uint32_t vlapic_timer_current(const struct vcpu *v)
{
    uint64_t now = vm_now(v->vm), due = vlapic_of(v)->due;
    if (timer_mode(v) == APIC_TIMER_TSC_DEADLINE || due <= now)
        return 0;
    /* PERIOD_MIN may have made the period longer than the guest's initial count */
    return (uint32_t)MIN((due - now) / count_ticks(v), vlapic_get(v, APIC_TIMER_INITIAL));
}

/* The counter keeps its value and goes on at the new rate. */
void vlapic_timer_divide(struct vcpu *v)
{
    uint32_t left = vlapic_of(v)->due ? MAX(vlapic_timer_current(v), 1u) : 0;
    vlapic_of(v)->shift = divide_shift(v);
    count_down(v, left);
}

uint64_t vlapic_deadline(const struct vcpu *v)
{
    const struct vlapic *a = vlapic_of(v);
    return timer_mode(v) == APIC_TIMER_TSC_DEADLINE && a->due ? a->deadline : 0;
}

/* The guest's TSC and the VM's time differ by what the guest has added. */
void apic_on_deadline(struct vcpu *v, uint64_t tsc)
{
    if (timer_mode(v) != APIC_TIMER_TSC_DEADLINE)
        return;
    uint64_t now = vm_now(v->vm), guest_now = now + (v->tsc_offset - v->vm->clock);
    vlapic_of(v)->deadline = tsc;
    uint64_t left = tsc > guest_now ? MIN(tsc - guest_now, FAR) : 0;
    set_due(v, tsc ? now + left : 0);
}

void apic_on_timer(struct vcpu *v)
{
    uint32_t lvt = vlapic_get(v, APIC_LVT_TIMER);
    uint64_t period = vlapic_of(v)->period, due = vlapic_of(v)->due, now = vm_now(v->vm);
    uint64_t alarm = atomic_load(&vlapic_of(v)->alarm);
    if (alarm && now >= alarm)
        vlapic_of(v)->ring(v->vm); /* which sets the next */
    if (!due || now < due) /* the alarm was, which another CPU may have taken back meanwhile */
        return;
    /* All periods that are over give one interrupt: the bit of a vector in IRR cannot count. */
    set_due(v, period ? due + ((now - due) / period + 1) * period : 0);
    if (!(lvt & APIC_LVT_MASKED))
        vlapic_deliver(v, (uint8_t)FIELD_GET(APIC_LVT_VECTOR, lvt));
}
