/* SPDX-License-Identifier: MIT */
/*
 * The registers of a vCPU, for exit handlers and for a view from outside. Most registers are in the
 * VMCS, so it is made current first, if another VMCS is.
 * From: vmx/exit/ (operands), vmx/vcpu/ (vcpu_borrow), guest/pc/fetch.c (vcpu_paging,
 * vcpu_paging_again), guest/pc/mmio.c (vcpu_step_over), monitor/.
 * To: vmx/vmcs.c (vmcs_clear).
 * Hot: each access to trapped memory asks for them.
 * Spec: SDM "Guest Register State", "Information for VM Exits Due to Instruction Execution".
 */
#include "vmx/vcpu/request.h"
#include "vmx/vcpu/vcpu.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/advance.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/panic.h"
#include "arch/x86.h"

COLD void vcpu_borrow(const struct vcpu *v)
{
    if (this_vmx_cpu()->vcpu == v)
        return;
    invariant(!(v->launched & LAUNCHED_ONCE) || v->cpu == this_cpu());
    vmcs_make_current(&v->vmcs);
}

COLD void vcpu_return(const struct vcpu *v)
{
    struct vcpu *loaded = this_vmx_cpu()->vcpu;
    if (loaded == v)
        return;
    if (!(v->launched & LAUNCHED_ONCE)) /* else it stays active, for its next entry */
        vmcs_clear(v->vmcs);
    if (loaded)
        vmcs_make_current(&loaded->vmcs);
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
    vcpu_request(v, VCPU_REQUEST_RELOAD);
}

void vcpu_step_over(const struct vcpu_paging *s, unsigned length)
{
    advance_from((struct vmcs_advance){length, s->rip, s->rflags, vmread(GUEST_INTERRUPTIBILITY)});
}

COLD void vcpu_set_rflags(struct vcpu *v, uint64_t value)
{
    vcpu_borrow(v);
    vmwrite(GUEST_RFLAGS, value | RFLAGS_1);
    vcpu_return(v);
}

unsigned vcpu_cpl(void) { return (unsigned)FIELD_GET(SEG_AR_DPL, vmread(GUEST_SS_ACCESS_RIGHTS)); }

static COLD void read_bases(struct vcpu_paging *s)
{
    for (enum segment n = s->code64 ? SEG_FS : SEG_ES; n <= SEG_GS; n++)
        s->segment_base[n] = vmread(VMCS_BASE(n));
}

COLD void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out)
{
    vcpu_borrow(v);
    *out = (struct vcpu_paging){
        .cr0 = vmread(GUEST_CR0),
        .cr3 = vmread(GUEST_CR3),
        .cr4 = vmread(GUEST_CR4),
        .efer = vmread(GUEST_IA32_EFER),
        .rflags = vmread(GUEST_RFLAGS),
        .rip = vmread(GUEST_RIP),
        .rsp = vmread(GUEST_RSP),
        .cs = vmread(GUEST_CS_ACCESS_RIGHTS),
        .ss = vmread(GUEST_SS_ACCESS_RIGHTS),
    };
    out->cpl = (uint8_t)FIELD_GET(SEG_AR_DPL, out->ss);
    out->code32 = out->cs & SEG_AR_DB;
    out->code64 = (out->efer & EFER_LMA) && (out->cs & SEG_AR_L);
    out->stack_size = out->code64 ? 8 : out->ss & SEG_AR_DB ? 4 : 2;
    read_bases(out);
    bool pae = (out->cr4 & CR4_PAE) && !(out->efer & EFER_LMA);
    for (unsigned i = 0; pae && i < ARRAY_COUNT(out->pdpte); i++)
        out->pdpte[i] = vmread(VMCS_PDPTE(i));
    vcpu_return(v);
}

/* The privilege level is SS.DPL, which is CS.DPL unless the code is conforming; and 64-bit code has
 * one size of stack. SDM "Checks on Guest Segment Registers". */
static bool cs_tells_ss(const struct vcpu_paging *s)
{
    return s->code64 && !(FIELD_GET(SEG_AR_TYPE, s->cs) & SEG_TYPE_CONFORMING);
}

bool vcpu_paging_again(struct vcpu_paging *s, bool bases, bool rsp)
{
    if (vmread(GUEST_RIP) != s->rip || vmread(GUEST_CR3) != s->cr3 ||
        vmread(GUEST_CS_ACCESS_RIGHTS) != s->cs ||
        (!cs_tells_ss(s) && vmread(GUEST_SS_ACCESS_RIGHTS) != s->ss) ||
        vmread(GUEST_CR0) != s->cr0 || vmread(GUEST_CR4) != s->cr4 ||
        vmread(GUEST_IA32_EFER) != s->efer ||
        (!s->code64 && vmread(VMCS_BASE(SEG_CS)) != s->segment_base[SEG_CS]))
        return false;
    s->rflags = vmread(GUEST_RFLAGS);
    if (rsp)
        s->rsp = vmread(GUEST_RSP);
    if (bases)
        read_bases(s);
    return true;
}
