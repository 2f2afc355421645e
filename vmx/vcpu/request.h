/* SPDX-License-Identifier: MIT */
/*
 * What a vCPU has to attend to before its next entry. Private to vmx/.
 * From: vmx/run/ (news from any CPU), vmx/vcpu/ (changes by an exit).
 * To: vmx/cpu.h.
 *
 * INVARIANT: only the CPU in which v is loaded reads or writes v->alarm. What another CPU wants, it
 * sets in v->requests, and then it kicks that CPU. The kick makes the guest exit, now or right
 * after the next entry, and its handler sets the alarm.
 */
#pragma once
#include "lib/atomic.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/vcpu.h"

/* Before the next entry of v, if it is loaded in this CPU; the start of its next slice looks
 * anyway. */
static inline void vcpu_alarm_now(struct vcpu *v)
{
    if (this_vmx_cpu()->vcpu == v)
        v->alarm = 0;
}

/* Set VCPU_REQUEST_...; returns those that were set before. If v may run on another CPU, the caller
 * kicks that one. */
static inline uint32_t vcpu_request(struct vcpu *v, uint32_t requests)
{
    uint32_t before = atomic_fetch_or(&v->requests, requests);
    vcpu_alarm_now(v);
    return before;
}
