/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers, by an explicit list: a row has what the guest gets, and the reason.
 * The virtual PC has the registers of the local APIC. An MSR in neither is #GP, as on a CPU
 * that lacks it.
 * From: vmx/run/run.c (exit table), guest/life/create.c (msr_open_bitmap).
 * To: guest/pc/vlapic.c (vcpu_on_rdmsr), vmx/bitmaps.c (bitmaps_msr), vmx/vcpu/guards.c
 * (IA32_SPEC_CTRL), arch/leaks.c.
 * Hot: each write of the TSC deadline; without APICv each access to an x2APIC register.
 * Spec: SDM "Model-Specific Registers (MSRs)", "RDMSR-Read From Model Specific Register".
 */
#include "vmx/exit/exit.h"
#include "vmx/caps.h"
#include "vmx/exit/msr.h"
#include "vmx/vcpu/guards.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/registers.h"
#define LOG "vmx"
#include "arch/log.h"
#include "arch/leaks.h"
#include "arch/msr.h"
#include "arch/panic.h"
#include "arch/x86.h"

#define MSR_PLATFORM_ID          0x17
#define MSR_MISC_FEATURES        0x140

#define MSR_SMI_COUNT            0x34
#define MSR_PPIN_CTL             0x4e
#define MSR_PLATFORM_INFO        0xce
#define MSR_OC_MAILBOX           0x150
#define MSR_IA32_MCG_CAP         0x179
#define MSR_IA32_MCG_STATUS      0x17a
#define MSR_MISC_FEATURE_CONTROL 0x1a4
#define MSR_PPERF                0x64e
#define MSR_AMD_DE_CFG           0xc0011029

#define MISC_ENABLE_FAST_STRINGS BIT(0)
#define MISC_ENABLE_NO_BTS       BIT(11)
#define MISC_ENABLE_NO_PEBS      BIT(12)

enum msr_kind {
    PASSES,      /* no exit at all */
    READ_PASSES, /* reads pass */
    CONSTANT,    /* reads as `value`, writes are dropped */
    READ_ONLY,   /* reads as `value`, writes are #GP */
    ABSENT,      /* #GP, and no line in the log: kernels probe for it */
};

static const struct msr_row {
    uint32_t msr;
    enum msr_kind kind;
    uint64_t value;
    const char *why;
} rows[] = {
    {MSR_IA32_TSC, READ_PASSES, 0, "with the offset in the VMCS, which a write changes"},
    {MSR_IA32_SYSENTER_CS, PASSES, 0, "in the VMCS"},
    {MSR_IA32_SYSENTER_ESP, PASSES, 0, "in the VMCS"},
    {MSR_IA32_SYSENTER_EIP, PASSES, 0, "in the VMCS"},
    {MSR_IA32_PAT, PASSES, 0, "in the VMCS"},
    {MSR_IA32_EFER, PASSES, 0, "in the VMCS; the CPU checks it"},
    {MSR_IA32_FS_BASE, PASSES, 0, "in the VMCS"},
    {MSR_IA32_GS_BASE, PASSES, 0, "in the VMCS"},
    {MSR_IA32_KERNEL_GS_BASE, PASSES, 0, "switched by registers.c"},
    {MSR_IA32_STAR, READ_PASSES, 0, "kept by registers.c"},
    {MSR_IA32_LSTAR, READ_PASSES, 0, "kept by registers.c"},
    {MSR_IA32_CSTAR, READ_PASSES, 0, "kept by registers.c"},
    {MSR_IA32_FMASK, READ_PASSES, 0, "kept by registers.c"},
    {MSR_IA32_TSC_AUX, READ_PASSES, 0, "kept by registers.c"},
    {MSR_IA32_PRED_CMD, PASSES, 0, "a barrier, which costs only the guest"},
    {MSR_IA32_FLUSH_CMD, PASSES, 0, "likewise"},
    {MSR_IA32_MTRRCAP, READ_ONLY, 0, "no ranges: EPT and PAT decide; only the default type"},
    {MSR_IA32_MISC_ENABLE, CONSTANT,
     MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS, "nothing to switch"},
    {MSR_IA32_BIOS_SIGN_ID, CONSTANT, 0, "kernels clear it, then read the microcode revision"},
    {MSR_IA32_DEBUGCTL, CONSTANT, 0, "no branch records"},
    {MSR_PLATFORM_ID, READ_ONLY, 0, "kernels read it beside the microcode revision"},
    {MSR_MISC_FEATURES, CONSTANT, 0, "no features to enable"},
    {MSR_IA32_MCG_CAP, READ_ONLY, 0, "no bank of machine checks"},
    {MSR_IA32_MCG_STATUS, CONSTANT, 0, "no machine check has happened"},
    {MSR_IA32_SPEC_CTRL, ABSENT, 0, "unless guests are offered it: guard_read()"},
    {MSR_IA32_ARCH_CAPABILITIES, ABSENT, 0, "likewise"},
    {MSR_IA32_FEATURE_CONTROL, ABSENT, 0, "neither VMX nor SGX is there to be allowed"},
    {MSR_PPIN_CTL, ABSENT, 0, "which processor this is, is not a guest's business"},
    {MSR_PLATFORM_INFO, ABSENT, 0, "no ratios to choose, no CPUID faulting"},
    {MSR_SMI_COUNT, ABSENT, 0, "Linux looks whether a perf event of this CPU works: it has no PMU"},
    {MSR_PPERF, ABSENT, 0, "likewise"},
    {MSR_OC_MAILBOX, ABSENT, 0, "Linux looks whether voltage can be changed: it cannot"},
    {MSR_AMD_DE_CFG, ABSENT, 0, "Linux looks for it on every CPU; it is AMD's"},
    {MSR_MISC_FEATURE_CONTROL, ABSENT, 0, "all guests share the prefetchers"},
};

static COLD bool is_there(uint32_t msr)
{
    switch (msr) {
    case MSR_IA32_TSC_AUX:
        return vmx_caps.rdtscp;
    case MSR_IA32_SPEC_CTRL:
    case MSR_IA32_PRED_CMD:
        return vmx_caps.guest_commands & CPUID_7_IBRS;
    case MSR_IA32_ARCH_CAPABILITIES:
        return vmx_caps.guest_commands & CPUID_7_ARCH;
    case MSR_IA32_FLUSH_CMD:
        return vmx_caps.guest_commands & CPUID_7_L1D_FLUSH;
    }
    return true;
}

COLD void msr_open_bitmap(struct bitmaps *b)
{
    for (const struct msr_row *row = rows; row < rows + ARRAY_COUNT(rows); row++) {
        bool read = (row->kind == PASSES || row->kind == READ_PASSES) && is_there(row->msr);
        if (read && bitmaps_msr(b, row->msr, true, row->kind == PASSES) < 0)
            panic("MSR 0x%x has no bit in the bitmap", row->msr);
    }
}

static const struct msr_row *row_of(uint32_t msr)
{
    for (const struct msr_row *row = rows; row < rows + ARRAY_COUNT(rows); row++)
        if (row->msr == msr)
            return row;
    return NULL;
}

/* Most exits are for these, which have no row. */
static bool is_local_apic(uint32_t msr)
{
    return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST;
}

/* What a guest reads for its own defence. A write of IA32_SPEC_CTRL exits each time, so that no
 * exit has to read what it holds. */
static COLD bool guard_read(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if ((msr != MSR_IA32_SPEC_CTRL && msr != MSR_IA32_ARCH_CAPABILITIES) || !is_there(msr))
        return false;
    *value = msr == MSR_IA32_SPEC_CTRL ? v->spec_ctrl : leaks_guest_capabilities();
    return true;
}

static int msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (is_local_apic(msr))
        return vcpu_on_rdmsr(v, msr, value);
    const struct msr_row *row = row_of(msr);
    if (msr == MSR_IA32_MTRR_DEF_TYPE || msr == MSR_IA32_TSC_ADJUST) {
        *value = msr == MSR_IA32_TSC_ADJUST ? v->tsc_adjust : v->mtrr_def_type;
        return 0;
    }
    if (!row || row->kind == PASSES || row->kind == READ_PASSES)
        return vcpu_on_rdmsr(v, msr, value);
    if (guard_read(v, msr, value))
        return 0;
    if (row->kind == ABSENT)
        return -ENOENT;
    *value = row->value;
    return 0;
}

/* SDM "Time-Stamp Counter Adjustment": a write to either register moves both. The deadline stays
 * the same value of the TSC, and so comes at another time. */
static COLD int move_tsc(struct vcpu *v, uint64_t by)
{
    uint64_t deadline = 0;
    IGNORE(vcpu_on_rdmsr(v, MSR_IA32_TSC_DEADLINE, &deadline));
    v->tsc_adjust += by;
    vcpu_move_tsc(v, by);
    apic_on_deadline(v, deadline);
    return 0;
}

static int msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (is_local_apic(msr))
        return vcpu_on_wrmsr(v, msr, value);
    const struct msr_row *row = row_of(msr);
    if (msr == MSR_IA32_MTRR_DEF_TYPE) {
        uint64_t type = value & BITS(7, 0);
        bool known = type <= 1 || (type >= 4 && type <= 6); /* UC WC WT WP WB */
        if (!known || (value & ~(BITS(11, 10) | BITS(7, 0))))
            return -EINVAL;
        v->mtrr_def_type = value; /* remembered only: the EPT holds the type of memory */
        return 0;
    }
    if (msr == MSR_IA32_SPEC_CTRL && is_there(msr))
        return guards_set_spec_ctrl(v, value);
    if (msr == MSR_IA32_TSC || msr == MSR_IA32_TSC_ADJUST)
        return move_tsc(v, value - (msr == MSR_IA32_TSC ? rdtsc() + v->tsc_offset : v->tsc_adjust));
    if (row && row->kind == READ_PASSES && is_there(msr))
        return registers_set_msr(v, msr, value);
    if (!row || row->kind == PASSES || row->kind == READ_PASSES)
        return vcpu_on_wrmsr(v, msr, value);
    return row->kind == READ_ONLY || row->kind == ABSENT ? -EPERM : 0;
}

static COLD enum exit_action refuse(struct vcpu *v, const char *what, uint32_t msr)
{
    if (!row_of(msr))
        log_guest(&v->log_budget, "vcpu=%u %s msr=0x%x: #GP", v->index, what, msr);
    return inject_gp(v);
}

enum exit_action exit_rdmsr(struct vcpu *v)
{
    uint32_t msr = LO32(v->regs.gpr[RCX]);
    uint64_t value = 0;
    hottest_count(&v->hottest[HOTTEST_MSR], msr);
    if (msr_read(v, msr, &value) < 0)
        return refuse(v, "RDMSR", msr);
    v->regs.gpr[RAX] = LO32(value);
    v->regs.gpr[RDX] = HI32(value);
    return RESUME_NEXT;
}

static __attribute__((noinline)) enum exit_action write_other(struct vcpu *v, uint32_t msr,
                                                              uint64_t value)
{
    if (msr_write(v, msr, value) < 0)
        return refuse(v, "WRMSR", msr);
    return RESUME_NEXT;
}

/* Most writes are of the deadline: each tick of a kernel. */
enum exit_action exit_wrmsr(struct vcpu *v)
{
    uint32_t msr = LO32(v->regs.gpr[RCX]);
    uint64_t value = (uint64_t)LO32(v->regs.gpr[RDX]) << 32 | LO32(v->regs.gpr[RAX]);
    hottest_count(&v->hottest[HOTTEST_MSR], msr);
    if (msr != MSR_IA32_TSC_DEADLINE)
        return write_other(v, msr, value);
    apic_on_deadline(v, value);
    return RESUME_NEXT;
}
