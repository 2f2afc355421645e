/* SPDX-License-Identifier: MIT */
/*
 * What vmx/ keeps of each logical processor: which vCPU's state is in it, and which EPT it may use now.
 * Private to vmx/, but for the monitor's view of a CPU.
 * From: vmx/vcpu/vcpu.c (load, unload), vmx/ept_flush.c (announcements).   To: arch/cpu.h (its index).
 */
#pragma once
#include "arch/cpu.h"

struct vcpu;
struct ept;

struct vmx_cpu {
    struct vcpu *vcpu;     /* vcpu.c: its VMCS is current here, its registers are loaded; or NULL */
    struct ept *guest_ept; /* ept_flush.c: set while this CPU is in a guest, or about to enter it */
    uint64_t guest_generation;  /* ept_flush.c: of that EPT, when this CPU last invalidated */
    uint64_t sleeps;            /* sched.c: how often there was nothing to run */
} __attribute__((aligned(64))); /* written at each entry: no two in a cache line */
extern struct vmx_cpu vmx_cpus[CPU_MAX];

static inline struct vmx_cpu *vmx_cpu(const struct cpu *cpu) { return &vmx_cpus[cpu->index]; }
static inline struct vmx_cpu *this_vmx_cpu(void) { return vmx_cpu(this_cpu()); }
