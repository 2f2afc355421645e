/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU's state is in this CPU: its registers, and its VMCS, which is current. A VMCS stays
 * active in the CPU where it was last, while others are current, until VMCLEAR writes it to memory.
 * The registers that the VMCS does not hold and Hamlet does not use stay in the CPU from exit to
 * exit, and are switched here, all together (`vcpu_switch` in make bench). So no exit pays for
 * them, and no guest sees a value of another.
 * From: vmx/run/sched.c (vcpu_load, vcpu_release), vmx/vcpu/vcpu.c (vcpu_release).
 * To: vmx/vcpu/registers.c (registers_msrs), vmx/vcpu/setup.c (the host-state area of this CPU),
 * vmx/vcpu/guards.c, vmx/vcpu/fpu.h.
 * Hot: each switch from one vCPU to another.
 * Spec: SDM "Software Use of Virtual-Machine Control Structures".
 *
 * INVARIANT: a VMCS is active in one CPU at most, in v->cpu. Before another CPU may load v, or v is
 * STOPPED, vcpu_release() has cleared it there.
 */
#include "vmx/vcpu/load.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/fpu.h"
#include "vmx/vcpu/guards.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/msr.h"
#include "arch/x86.h"

/* The guest writes these two without an exit. */
static inline void save_others(struct vcpu *v)
{
    v->kernel_gs_base = rdmsr(MSR_IA32_KERNEL_GS_BASE);
    v->cr2 = read_cr2();
}

/* The host-state area is to be that of this CPU. It may have cached translations of v, or of an
 * earlier owner of its VPID, that are older than what v did on other CPUs since. The same holds for
 * its EPT. */
static void come_from_memory(struct vcpu *v)
{
    vcpu_setup_host(v);
    ept_flush_vpid(v->vpid);
    v->ept_generation = UINT64_MAX;
    load_extra(v, LOAD_HOST, false);
}

/* What most loads do not have: vmx/vcpu/load.h, and the set of MSRs. */
static COLD __attribute__((noinline)) void load_rest(const struct vcpu *before, struct vcpu *v)
{
    if (!before || before->msr_set != v->msr_set)
        registers_msrs(before, v);
    if (v->extra & LOAD_BARRIER)
        guards_vm_comes(v);
    if (v->extra & LOAD_HOST)
        come_from_memory(v);
    if (v->extra & LOAD_BREAKPOINTS)
        registers_breakpoints(v);
}

void vcpu_load(struct vcpu *v)
{
    struct vmx_cpu *cpu = this_vmx_cpu();
    struct vcpu *before = cpu->vcpu;
    if (before == v)
        return;
    vmcs_make_current(&v->vmcs);
    cpu->vcpu = v;
    /* v's EPT may be another one than that of the last vCPU. The announcement before the entry is a
     * full barrier behind this. */
    __atomic_store_n(&cpu->guest_generation, 0, __ATOMIC_RELEASE);
    if (before)
        fpu_save(before);
    fpu_restore(v);
    if (before)
        save_others(before);
    write_cr2(v->cr2);
    if (!before || before->kernel_gs_base != v->kernel_gs_base)
        wrmsr(MSR_IA32_KERNEL_GS_BASE, v->kernel_gs_base);
    /* Kernels have the number of the CPU there: most vCPUs of a VM differ. */
    if (before ? before->msr_kept[VCPU_TSC_AUX] != v->msr_kept[VCPU_TSC_AUX] : vmx_caps.rdtscp)
        wrmsr(MSR_IA32_TSC_AUX, v->msr_kept[VCPU_TSC_AUX]);
    if (!before || before->msr_set != v->msr_set || v->extra)
        load_rest(before, v);
}

COLD void vcpu_release(struct vcpu *v)
{
    struct vmx_cpu *cpu = this_vmx_cpu();
    if (cpu->vcpu == v) {
        fpu_save(v);
        save_others(v);
        cpu->vcpu = NULL;
    }
    vmcs_clear(v->vmcs);
    v->launched = 0;
    load_extra(v, LOAD_HOST, true);
}
