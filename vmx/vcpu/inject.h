/* SPDX-License-Identifier: MIT */
/*
 * Events for the next VM entry.
 * From: vmx/exit/ and guest/ (an instruction faults), vmx/run/run.c (before each entry).
 * To: vmx/vcpu/inject.c.   Spec: SDM "Event Injection".
 */
#pragma once
#include "lib/atomic.h"
#include "vmx/upcalls.h"
#include "vmx/vmx_bits.h"

/* An exception for the next entry. If another one waits, the two make #DF or a triple fault: SDM
 * "Interrupt 8-Double Fault Exception (#DF)". */
void vcpu_inject(struct vcpu *v, uint8_t vector);
void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t error_code);
void vcpu_inject_page_fault(struct vcpu *v, uint64_t linear, uint32_t error_code);

/* --- For the other files of vmx/ -------------------------------------------------------------- */

/* The instruction that exited faults: #UD, #GP(0). RESUME_SAME, so RIP stays at the instruction. */
enum exit_action inject_ud(struct vcpu *v);
enum exit_action inject_gp(struct vcpu *v);
/* If the CPU was delivering an event when this exit came, deliver the event again. */
void inject_again(struct vcpu *v);
/* The event that waits has been delivered without the CPU. */
void inject_delivered(struct vcpu *v);
/* An exception or a software exception that exited goes on to the guest. */
void inject_pass_on(struct vcpu *v, uint32_t info);
/* True: there is something else than an interrupt of the software local APIC. */
static inline bool inject_others(const struct vcpu *v)
{
    uint32_t requests = atomic_load(&v->requests) & (VCPU_REQUEST_NMIS | VCPU_REQUEST_EXT);
    return v->event | requests | (v->proc & (PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW));
}
/* Write the most urgent waiting event into the VMCS; ask for a window for the rest. With APICv
 * nothing is left to do at most entries: the CPU delivers interrupts by itself. */
void inject_what_waits(struct vcpu *v);
static inline void inject_pending(struct vcpu *v)
{
    if (v->irq_waits || inject_others(v))
        inject_what_waits(v);
}
/* Is there an event that ends HLT? */
bool inject_wakes(struct vcpu *v);
