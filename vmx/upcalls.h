/* SPDX-License-Identifier: MIT */
/*
 * All calls of vmx/ that go up: questions to the virtual PC. guest/ answers them, each in the file
 * that stands above it. The CPU that runs the vCPU makes the call, with the VMCS of v current, and
 * without a lock.
 * From: vmx/run/run.c and vmx/exit/ (an exit needs an answer), vmx/vcpu/inject.c
 * (interrupts without APICv).
 * To: guest/pc/, guest/life/.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

enum exit_action {
    RESUME_SAME, /* enter again at the same RIP */
    RESUME_NEXT, /* step over the instruction first */
    RESUME_OVER, /* vcpu_step_over() has done so */
    STOP_VM,     /* v does not run any further; its VM knows the reason */
    SLEEP,       /* vmx/run/run.c: RIP is behind a HLT, and nothing ends it yet */
};

/* guest/pc/pio.c: one access of 1, 2 or 4 bytes, for the device that owns the port. Returns what
 * the port gives; bits above the width do not count. A string instruction makes one call per
 * element. If the VM ends meanwhile, every vCPU is asked to stop before its next entry. */
uint64_t vcpu_on_in(struct vcpu *v, unsigned port, unsigned width);
/* guest/pc/pio.c: `value` has no bits above the width. */
enum exit_action vcpu_on_out(struct vcpu *v, unsigned port, unsigned width, uint64_t value);

/* guest/pc/mmio.c: EPT violation: MMIO to emulate, a BAR to map lazily, or nothing there. *linear
 * is the linear address that the CPU has translated to `at`; NULL: it has not told. */
enum exit_action vcpu_on_gpa(struct vcpu *v, gpa_t at, uint64_t qualification,
                             const uint64_t *linear);
/* guest/pc/linear.c: may the guest write so many bytes, at most a page, there? -EFAULT: no, and #PF
 * is injected. */
MUST_CHECK int guest_check_write(struct vcpu *v, uint64_t linear, size_t size);
/* guest/pc/linear.c: copy by linear address, with the guest's paging. Errors as above. */
MUST_CHECK int guest_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t size,
                                 bool to_guest);
/* The same for what the CPU reaches by itself, whatever the privilege level: descriptors and TSSs.
 * guest/pc/linear.c */
MUST_CHECK int guest_copy_system(struct vcpu *v, uint64_t linear, void *buffer, size_t size,
                                 bool to_guest);

/* guest/pc/delivery.c: an event has been delivered, after vcpu_tell_delivery(). */
void vcpu_on_delivered(struct vcpu *v);

/* guest/life/hypercall.c: VMCALL at privilege level 0; at others it is #UD. */
enum exit_action vcpu_on_vmcall(struct vcpu *v, uint64_t number, uint64_t argument);

/* guest/life/step.c: one instruction was executed under vcpu_debug_arm(); RIP is behind it. */
enum exit_action vcpu_on_step(struct vcpu *v);
enum debug_event {
    DEBUG_STEP,
    DEBUG_INT3,     /* RIP is at the INT3 */
    DEBUG_REGISTER, /* DR n; RIP is behind a data access, but at an instruction */
    DEBUG_CRASH,    /* without a debugger the VM would end now */
};
/* guest/life/control.c: an event that a debugger may have asked for. RESUME_SAME: none has. */
enum exit_action vcpu_on_debug(struct vcpu *v, enum debug_event event, unsigned n);

/* guest/life/dead.c: HLT with RFLAGS.IF = 0, which only an NMI or an INIT ends. RESUME_NEXT: halt.
 * STOP_VM: no vCPU of the VM is left that could send one. */
enum exit_action vcpu_on_dead_halt(struct vcpu *v);
/* guest/life/run.c: v cannot go on, for the reason `why`: its VM ends. */
void vcpu_on_crash(struct vcpu *v, const char *why);

/* guest/pc/vlapic.c: an MSR that vmx/exit/msr.c does not know. -ENOENT: no such MSR (#GP). */
MUST_CHECK int vcpu_on_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
MUST_CHECK int vcpu_on_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
/* guest/pc/vlapic.c: a write to the virtual-APIC page, after which v->vapic has the value. */
void apic_on_write(struct vcpu *v, uint32_t offset);
/* guest/pc/vlapic.c: v took an INIT. Its local APIC goes to the state of SDM "Local APIC State
 * After Power-Up or Reset" and "Local APIC State After It Receives an INIT-Deassert IPI". */
void apic_on_init(struct vcpu *v);
/* guest/assign/assign.c: after vcpu_address_changed(), before the next entry of v. */
void apic_on_address(struct vcpu *v);
/* guest/pc/vlapic_irq.c: EOI of a vector with its EOI-exit bit set. */
void apic_on_eoi(struct vcpu *v, uint8_t vector);
/* guest/pc/vlapic_timer.c: v->timer_deadline has passed: set the next, or 0. The timer's clock is
 * the "core crystal clock" of CPUID leaf 15H, and the TSC is that many times as fast: CPUID gives
 * the clock's frequency in 32 bits, which 1 would not do for a CPU of 4.3 GHz. */
#define VCPU_TSC_RATIO 4
void apic_on_timer(struct vcpu *v);
/* guest/pc/vlapic_timer.c: a write of IA32_TSC_DEADLINE, a time of the guest's TSC. */
void apic_on_deadline(struct vcpu *v, uint64_t tsc);
/* guest/pc/vlapic_irq.c, without APICv: the highest vector of IRR, if the software local APIC lets
 * it through now; -1: none. */
int apic_next_irq(struct vcpu *v);
/* guest/pc/vlapic_irq.c, while vcpu_extint() is on: `take` acknowledges, and returns the vector.
 * -1: the local APIC does not pass it; else it does. */
int apic_extint(struct vcpu *v, bool take);
/* guest/pc/vlapic_irq.c: that vector was injected: IRR -> ISR. */
void apic_on_irq_taken(struct vcpu *v, uint8_t vector);
