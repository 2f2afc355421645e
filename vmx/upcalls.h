/* SPDX-License-Identifier: MIT */
/*
 * The few questions that vmx asks of the virtual PC. guest/ answers them; nothing else goes up.
 * All are called by the CPU that runs the vCPU, with its VMCS current, outside of any lock.
 */
#pragma once
#include "vmx/vmx.h"

enum exit_action {
    RESUME_SAME, /* enter again at the same RIP */
    RESUME_NEXT, /* step over the instruction first */
    STOP_VM,     /* this vCPU does not run any further; its VM has been told why */
};

/* One port access; string instructions arrive here as one call per element. */
struct pio {
    uint16_t port;
    uint8_t width; /* 1, 2 or 4 bytes */
    bool in;
    uint32_t value; /* to write, or the answer */
};
enum exit_action vm_pio(struct vcpu *v, struct pio *pio);

/* EPT violation: MMIO to emulate, a BAR to map lazily, or nothing there. */
enum exit_action vm_ept_violation(struct vcpu *v, gpa_t at, uint64_t qualification);

/* An MSR that vmx/exit/msr.c does not know: the local APIC's among them. -ENOENT: no such MSR (#GP). */
MUST_CHECK int vm_msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
MUST_CHECK int vm_msr_write(struct vcpu *v, uint32_t msr, uint64_t value);

enum exit_action vm_hypercall(struct vcpu *v); /* VMCALL */

/* One instruction was executed under vcpu_debug_arm(); RIP is behind it already. */
enum exit_action vm_step(struct vcpu *v);
/* v has come to something that a debugger may have asked for. RESUME_SAME: nobody did. */
enum debug_event {
    DEBUG_STEP,
    DEBUG_INT3,     /* RIP is at it */
    DEBUG_REGISTER, /* DR n; behind a data access, before an instruction */
    DEBUG_CRASH,    /* the next would be the end of its VM */
};
enum exit_action vm_debug(struct vcpu *v, enum debug_event event, unsigned n);

/* HLT with RFLAGS.IF = 0: only an NMI or an INIT will ever end it. RESUME_NEXT: halt; STOP_VM: nobody is
 * left who could send one. */
enum exit_action vm_dead_halt(struct vcpu *v);

/* Trap-like exits of APIC virtualization. */
void vm_apic_write(struct vcpu *v, uint32_t offset); /* the value is in v->vapic already */
void vm_eoi(struct vcpu *v, uint8_t vector);         /* EOI of a vector with its EOI-exit bit set */
void vm_timer(struct vcpu *v); /* v->timer_deadline has passed: set the next, or 0 */

/* Without APICv: highest vector that the software local APIC lets through now, -1: none; and: it has
 * been injected (IRR -> ISR). PIR has been taken into v->irr before. */
int vm_irq_next(struct vcpu *v);
void vm_irq_accepted(struct vcpu *v, uint8_t vector);

/* Guest memory by linear address, with the guest's paging; -EFAULT after #PF was injected. */
MUST_CHECK int vm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t size,
                              bool to_guest);

/* v took an INIT: bring its local APIC to the state that the SDM describes in "Local APIC State After
 * Power-Up or Reset" and "Local APIC State After It Receives an INIT-Deassert IPI". */
void vm_init(struct vcpu *v);

/* The vCPU cannot go on (triple fault, impossible state, failed entry): stop its VM, report `why`. */
void vm_crash(struct vcpu *v, const char *why);
