/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU's state is in this CPU: its registers, and its VMCS, which is current. A VMCS stays
 * active in the CPU where it was last, while others are current, until VMCLEAR writes it to memory.
 * From: vmx/run/sched.c (vcpu_load, vcpu_release), vmx/vcpu/vcpu.c (vcpu_release).
 * To: vmx/vcpu/registers.c (what the VMCS does not hold), vmx/vcpu/setup.c (the host-state area of
 * another CPU), vmx/vmcs.c.
 * Hot: each switch from one vCPU to another.
 * Spec: SDM "Software Use of Virtual-Machine Control Structures".
 *
 * INVARIANT: a VMCS is active in one CPU at most, in v->cpu. Before another CPU may load v, or v is
 * STOPPED, vcpu_release() has cleared it there.
 */
#include "vmx/cpu.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/guards.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/leaks.h"

static void switch_to(struct vmx_cpu *cpu, struct vcpu *v)
{
    struct vcpu *before = cpu->vcpu;
    cpu->vcpu = NULL;
    if (leaks_guards & LEAKS_IBPB)
        guards_vm_comes(v);
    vmcs_make_current(v->vmcs);
    cpu->vcpu = v;
    if (__builtin_expect(v->host_cpu != this_cpu(), 0)) {
        vcpu_setup_host(v);
        /* This CPU may have cached translations of v, or of an earlier owner of its VPID, that are
         * older than what v did on other CPUs since. The same holds for its EPT. */
        ept_flush_vpid(v->vpid);
        v->ept_generation = UINT64_MAX;
    }
    /* v's EPT may be another one than that of the last vCPU. The announcement before the entry is a
     * full barrier behind this. */
    __atomic_store_n(&cpu->guest_generation, 0, __ATOMIC_RELEASE);
    registers_switch(before, v);
}

void vcpu_load(struct vcpu *v)
{
    struct vmx_cpu *cpu = this_vmx_cpu();
    if (cpu->vcpu != v)
        switch_to(cpu, v);
}

COLD void vcpu_release(struct vcpu *v)
{
    struct vmx_cpu *cpu = this_vmx_cpu();
    if (cpu->vcpu == v) {
        registers_switch(v, NULL);
        cpu->vcpu = NULL;
    }
    vmcs_clear(v->vmcs);
    v->launched = 0;
}
