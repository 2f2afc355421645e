/* SPDX-License-Identifier: MIT */
/*
 * What vmx/ keeps of each logical processor: the vCPU whose state is loaded, and the EPT in use
 * now. Private to vmx/, but for the monitor's view of a CPU.
 * From: vmx/vcpu/load.c (load, release), vmx/ept_flush.c (announcements),
 * vmx/run/sched.c (its queue), vmx/vcpu/guards.c, vmx/run/watchdog.c.
 * To: arch/cpu.h (struct cpu, in which it lies).
 */
#pragma once
#include "arch/cpu.h"
#include "lib/bits.h"

struct vcpu;
struct vm;
struct ept;
struct run_queue;

struct vmx_cpu {
    struct vcpu *vcpu;     /* load.c: its VMCS is current here, its registers are loaded; or NULL */
    struct ept *guest_ept; /* ept_flush.c: set while this CPU is in a guest, or about to enter it */
    uint64_t guest_generation; /* ept_flush.c: of that EPT, when this CPU last invalidated */
    struct run_queue *queue;   /* sched.c: NULL until it runs vCPUs */
    const struct vm *last_vm;  /* guards.c: whose vCPU was loaded here last */
    uint64_t sleeps;           /* sched.c: times that its queue was empty, so it slept */
    uint64_t next_look;        /* watchdog.c: the TSC of its next look; 0: it does not look */
} __attribute__((may_alias));
static_assert(sizeof(struct vmx_cpu) <= sizeof(((struct cpu *)0)->vmx), "its place in struct cpu");

static inline struct vmx_cpu *vmx_cpu(struct cpu *cpu) { return (struct vmx_cpu *)cpu->vmx; }
static inline struct vmx_cpu *this_vmx_cpu(void) { return vmx_cpu(this_cpu()); }
