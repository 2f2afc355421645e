/* SPDX-License-Identifier: MIT */
/*
 * Exit reason 33 reports only that the guest state is invalid. Here the commonest of the manual's
 * rules are checked in its order, to find the broken one.
 * From: vmx/run/run.c (a VM entry has failed).   To: vmx/caps.c (the fixed bits of CR0 and CR4).
 * Spec: SDM "Checks on the Guest State Area": "Checks on Guest Control Registers, Debug Registers,
 * and MSRs", "Checks on Guest Segment Registers", "Checks on Guest RIP, RFLAGS, and SSP", "Checks
 * on Guest Non-Register State".
 */
#include "vmx/show/show.h"
#include "vmx/caps.h"
#include "vmx/vmcs.h"
#include "arch/x86.h"

#define RFLAGS_ZERO (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))

static uint32_t rights(enum segment s) { return (uint32_t)vmread(VMCS_ACCESS_RIGHTS(s)); }
static bool ia32e(void) { return vmread(VM_ENTRY_CONTROLS) & ENTRY_GUEST_64BIT; }
static bool usable(enum segment s) { return !(rights(s) & SEG_AR_UNUSABLE); }
static bool is_canonical(uint64_t a) { return (uint64_t)((int64_t)(a << 16) >> 16) == a; }

static const char *check_control_registers(void)
{
    uint64_t cr0 = vmread(GUEST_CR0), cr4 = vmread(GUEST_CR4), efer = vmread(GUEST_IA32_EFER);
    if ((cr0 & CR0_PG) && !(cr0 & CR0_PE))
        return "CR0.PG without CR0.PE";
    if (caps_cr0_fixed(cr0 | CR0_PE | CR0_PG) != (cr0 | CR0_PE | CR0_PG)) /* unrestricted guest */
        return "CR0 has a bit that VMX operation does not support";
    if (caps_cr4_fixed(cr4) != cr4)
        return "CR4 has a bit that VMX operation does not support";
    if (ia32e() && (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE)))
        return "IA-32e mode without CR0.PG and CR4.PAE";
    if (!ia32e() && (cr4 & CR4_PCIDE))
        return "CR4.PCIDE outside of IA-32e mode";
    if (ia32e() != !!(efer & EFER_LMA))
        return "EFER.LMA differs from \"IA-32e mode guest\"";
    if ((cr0 & CR0_PG) && !!(efer & EFER_LMA) != !!(efer & EFER_LME))
        return "EFER.LMA differs from EFER.LME while paging is on";
    if (!is_canonical(vmread(GUEST_IA32_SYSENTER_ESP)) ||
        !is_canonical(vmread(GUEST_IA32_SYSENTER_EIP)))
        return "SYSENTER_ESP or SYSENTER_EIP is not canonical";
    return "";
}

/* Granularity: with G = 1 the low 12 bits of the limit are ones, with G = 0 the high 12 zeros. */
static bool limit_fits(enum segment s)
{
    uint64_t limit = vmread(VMCS_LIMIT(s));
    return rights(s) & SEG_AR_G ? (limit & BITS(11, 0)) == BITS(11, 0) : !(limit & BITS(31, 20));
}

static const char *check_v86(void)
{
    for (enum segment s = SEG_ES; s <= SEG_GS; s++) {
        if (vmread(VMCS_BASE(s)) != vmread(VMCS_SELECTOR(s)) << 4)
            return "virtual-8086 mode: a segment's base is not its selector * 16";
        if (vmread(VMCS_LIMIT(s)) != 0xffff || rights(s) != 0xf3)
            return "virtual-8086 mode: a segment's limit or access rights";
    }
    return "";
}

static const char *check_code_and_stack(void)
{
    uint64_t type = FIELD_GET(SEG_AR_TYPE, rights(SEG_CS));
    if (!(rights(SEG_CS) & SEG_AR_S) || !(rights(SEG_CS) & SEG_AR_P))
        return "CS is not a present code segment";
    if (type != 3 && !(type & BIT(3) && type & BIT(0)))
        return "CS has a type that is not accessed code";
    if (ia32e() && (rights(SEG_CS) & SEG_AR_L) && (rights(SEG_CS) & SEG_AR_DB))
        return "CS.L and CS.D are both 1";
    uint64_t ss = FIELD_GET(SEG_AR_TYPE, rights(SEG_SS));
    if (usable(SEG_SS) && ss != 3 && ss != 7)
        return "SS is not a writable, accessed data segment";
    uint64_t cs_dpl = FIELD_GET(SEG_AR_DPL, rights(SEG_CS));
    uint64_t ss_dpl = FIELD_GET(SEG_AR_DPL, rights(SEG_SS));
    if (ss_dpl && (type == 3 || !(vmread(GUEST_CR0) & CR0_PE)))
        return "SS.DPL is not 0, in real mode or with a data segment in CS";
    if (type & BIT(2) && type & BIT(3) ? cs_dpl > ss_dpl : cs_dpl != ss_dpl)
        return "CS.DPL does not go with SS.DPL";
    if (HI32(vmread(GUEST_CS_BASE)) || (usable(SEG_SS) && HI32(vmread(GUEST_SS_BASE))))
        return "CS or SS has a base beyond 4 GiB";
    return "";
}

static const char *check_segments(void)
{
    if (vmread(GUEST_RFLAGS) & RFLAGS_VM)
        return check_v86();
    const char *broken = check_code_and_stack();
    if (*broken)
        return broken;
    for (enum segment s = SEG_ES; s <= SEG_GS; s++) {
        if (usable(s) && !(rights(s) & SEG_AR_P))
            return "a usable segment is not present";
        if (usable(s) && !limit_fits(s))
            return "a segment's limit does not go with its granularity";
    }
    uint64_t tr = FIELD_GET(SEG_AR_TYPE, rights(SEG_TR));
    if (!usable(SEG_TR) || !(rights(SEG_TR) & SEG_AR_P) ||
        (tr != SEG_TYPE_TSS_BUSY && (ia32e() || tr != SEG_TYPE_TSS16_BUSY)))
        return "TR is not a busy TSS";
    if (usable(SEG_LDTR) && FIELD_GET(SEG_AR_TYPE, rights(SEG_LDTR)) != SEG_TYPE_LDT)
        return "LDTR is not an LDT";
    if ((vmread(GUEST_GDTR_LIMIT) | vmread(GUEST_IDTR_LIMIT)) & BITS(31, 16))
        return "GDTR or IDTR has a limit over 64 KiB";
    return "";
}

static const char *check_rip_and_rflags(void)
{
    uint64_t rflags = vmread(GUEST_RFLAGS), rip = vmread(GUEST_RIP);
    uint64_t event = vmread(VM_ENTRY_INTERRUPTION_INFO);
    bool code64 = ia32e() && (rights(SEG_CS) & SEG_AR_L);
    if (!code64 && HI32(rip))
        return "RIP is beyond 4 GiB outside of 64-bit mode";
    if (code64 && HI32(rip) >> 16 != 0 && HI32(rip) >> 16 != UINT16_MAX)
        return "RIP has more than 48 bits";
    if ((rflags & RFLAGS_ZERO) || !(rflags & RFLAGS_1))
        return "RFLAGS has a reserved bit";
    if ((event & EVENT_VALID) && FIELD_GET(EVENT_TYPE, event) == EVENT_EXTERNAL &&
        !(rflags & RFLAGS_IF))
        return "an interrupt is injected while RFLAGS.IF is 0";
    return "";
}

/* Hamlet enters no guest in HLT, and IA32_DEBUGCTL.BTF is always 0. */
static bool step_is_wrong(uint64_t blocked)
{
    bool steps = vmread(GUEST_RFLAGS) & RFLAGS_TF;
    bool pending = vmread(GUEST_PENDING_DEBUG) & PENDING_DEBUG_BS;
    return (blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)) && steps != pending;
}

static const char *check_non_register_state(void)
{
    uint64_t blocked = vmread(GUEST_INTERRUPTIBILITY), activity = vmread(GUEST_ACTIVITY_STATE);
    uint64_t event = vmread(VM_ENTRY_INTERRUPTION_INFO);
    if (activity > ACTIVITY_WAIT_SIPI)
        return "unknown activity state";
    if ((blocked & BLOCKED_BY_STI) && (blocked & BLOCKED_BY_MOV_SS))
        return "blocking by STI and by MOV SS at once";
    if ((blocked & BLOCKED_BY_STI) && !(vmread(GUEST_RFLAGS) & RFLAGS_IF))
        return "blocking by STI while RFLAGS.IF is 0";
    if ((event & EVENT_VALID) && FIELD_GET(EVENT_TYPE, event) == EVENT_EXTERNAL &&
        (blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)))
        return "an interrupt is injected while it is blocked";
    if ((event & EVENT_VALID) && FIELD_GET(EVENT_TYPE, event) == EVENT_NMI &&
        (blocked & BLOCKED_BY_NMI))
        return "an NMI is injected while NMIs are blocked";
    if (step_is_wrong(blocked))
        return "BS of the pending debug exceptions does not go with RFLAGS.TF";
    if (vmread(VMCS_LINK_POINTER) != UINT64_MAX)
        return "the VMCS link pointer points somewhere";
    return "";
}

const char *entry_check_guest(void)
{
    const char *(*const checks[])(void) = {
        check_control_registers,
        check_segments,
        check_rip_and_rflags,
        check_non_register_state,
    };
    for (unsigned i = 0; i < ARRAY_COUNT(checks); i++) {
        const char *broken = checks[i]();
        if (*broken)
            return broken;
    }
    return "";
}
