/* SPDX-License-Identifier: MIT */
/*
 * The registers of a vCPU, for exit handlers and for a view from outside. Most registers are in the
 * VMCS, so it is made current first, if another VMCS is.
 * From: vmx/exit/ (operands), vmx/vcpu/ (vcpu_borrow), guest/pc/mmio.c (vcpu_paging,
 * vcpu_step_over), monitor/.
 * To: vmx/vmcs.c (vmcs_make_current), vmx/vcpu/cr.c (CR0 and CR4 as the guest sees them).
 * Hot: each access to trapped memory asks for them.
 * Spec: SDM "Guest Register State", "Information for VM Exits Due to Instruction Execution".
 */
#include "vmx/vcpu/vcpu.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/advance.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "lib/atomic.h"
#include "arch/x86.h"

void vcpu_borrow(const struct vcpu *v)
{
    if (this_vmx_cpu()->vcpu != v)
        vmcs_make_current(v->vmcs);
}

void vcpu_return(const struct vcpu *v)
{
    struct vcpu *loaded = this_vmx_cpu()->vcpu;
    if (loaded == v)
        return;
    vmcs_clear(v->vmcs);
    if (loaded)
        vmcs_make_current(loaded->vmcs);
}

void vcpu_set_proc(struct vcpu *v, uint32_t proc)
{
    if (v->proc == proc)
        return;
    v->proc = proc;
    vmwrite(PROC_BASED_CONTROLS, proc);
}

COLD uint64_t vcpu_gpr(const struct vcpu *v, enum gpr r)
{
    if (r != RSP)
        return v->regs.gpr[r];
    vcpu_borrow(v);
    uint64_t value = vmread(GUEST_RSP);
    vcpu_return(v);
    return value;
}

COLD void vcpu_set_gpr(struct vcpu *v, enum gpr r, uint64_t value)
{
    if (r != RSP) {
        v->regs.gpr[r] = value;
        return;
    }
    vcpu_borrow(v);
    vmwrite(GUEST_RSP, value);
    vcpu_return(v);
}

/* A vCPU that goes on at another instruction is not in HLT any more. */
COLD void vcpu_set_rip(struct vcpu *v, uint64_t value)
{
    vcpu_borrow(v);
    vmwrite(GUEST_RIP, value);
    vcpu_return(v);
    v->halted = v->halted_masked = false;
}

COLD void vcpu_move_tsc(struct vcpu *v, uint64_t by)
{
    v->tsc_offset += by;
    atomic_fetch_or(&v->requests, VCPU_REQUEST_RELOAD);
}

void vcpu_step_over(struct vcpu *v, unsigned length)
{
    (void)v;
    vcpu_advance_rip(length);
}

COLD void vcpu_set_rflags(struct vcpu *v, uint64_t value)
{
    vcpu_borrow(v);
    vmwrite(GUEST_RFLAGS, value | RFLAGS_1);
    vcpu_return(v);
}

unsigned vcpu_cpl(void) { return (unsigned)FIELD_GET(SEG_AR_DPL, vmread(GUEST_SS_ACCESS_RIGHTS)); }

void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out)
{
    vcpu_borrow(v);
    uint64_t cs = vmread(GUEST_CS_ACCESS_RIGHTS), ss = vmread(GUEST_SS_ACCESS_RIGHTS);
    *out = (struct vcpu_paging){
        .cr0 = cr0_guest_view(),
        .cr3 = vmread(GUEST_CR3),
        .cr4 = cr4_guest_view(),
        .efer = vmread(GUEST_IA32_EFER),
        .rflags = vmread(GUEST_RFLAGS),
        .rip = vmread(GUEST_RIP),
        .rsp = vmread(GUEST_RSP),
        .cpl = (uint8_t)FIELD_GET(SEG_AR_DPL, ss),
        .code32 = cs & SEG_AR_DB,
    };
    out->code64 = (out->efer & EFER_LMA) && (cs & SEG_AR_L);
    out->stack_size = out->code64 ? 8 : ss & SEG_AR_DB ? 4 : 2;
    for (enum segment s = out->code64 ? SEG_FS : SEG_ES; s <= SEG_GS; s++)
        out->segment_base[s] = vmread(VMCS_BASE(s));
    bool pae = (out->cr4 & CR4_PAE) && !(out->efer & EFER_LMA);
    for (unsigned i = 0; pae && i < ARRAY_COUNT(out->pdpte); i++)
        out->pdpte[i] = vmread(VMCS_PDPTE(i));
    vcpu_return(v);
}
