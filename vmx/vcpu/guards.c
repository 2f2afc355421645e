/* SPDX-License-Identifier: MIT */
/*
 * What is done for a vCPU about known leaks of the CPU: which way it enters and leaves the guest
 * (vmx/enter.asm), and the barrier between two VMs. On a CPU that needs nothing no exit pays.
 * From: vmx/vcpu/vcpu.c, vmx/vcpu/setup.c, vmx/exit/msr.c.
 * To: arch/leaks.c (what this machine needs), vmx/enter.asm.
 * Spec: Intel "Indirect Branch Predictor Barrier", "CPUID Enumeration and Architectural MSRs".
 */
#include "vmx/vcpu/guards.h"
#include "vmx/cpu.h"
#include "vmx/enter.h"
#include "vmx/vmcs.h"
#include "arch/leaks.h"
#include "arch/msr.h"
#include "arch/x86.h"

/* The register is switched also where a guest wants bits in it that Hamlet has not set. */
static void choose(struct vcpu *v)
{
    v->spec_ctrl_loaded = leaks_guest_value(v->spec_ctrl);
    v->guards = (uint8_t)(leaks_guards & LEAKS_EACH_ENTRY);
    if (v->spec_ctrl_loaded != leaks_spec_ctrl)
        v->guards |= LEAKS_SPEC_CTRL;
}

void guards_reset(struct vcpu *v)
{
    v->spec_ctrl = 0;
    choose(v);
}

uintptr_t guards_exit_point(const struct vcpu *v)
{
    bool guarded = v->guards & (LEAKS_SPEC_CTRL | LEAKS_RSB);
    return (uintptr_t)(guarded ? vmx_exit_point_guarded : vmx_exit_point);
}

int guards_set_spec_ctrl(struct vcpu *v, uint64_t value)
{
    if (value & ~(uint64_t)leaks_guest_bits())
        return -EINVAL;
    v->spec_ctrl = LO32(value);
    choose(v);
    vmwrite(HOST_RIP, guards_exit_point(v));
    return 0;
}

/* Between two vCPUs of a VM the guest's own kernel decides. */
void guards_vm_comes(const struct vcpu *v)
{
    struct vmx_cpu *cpu = this_vmx_cpu();
    if (cpu->last_vm != v->vm)
        wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
    cpu->last_vm = v->vm;
}
