/* SPDX-License-Identifier: MIT */
/*
 * What this CPU can, compared with what Hamlet wants: one row per control, with the reason.
 * From: vmx/run/init.c (caps_init), vmx/vcpu/setup.c (caps_control).   To:
 * arch/options.c (apicv=, post=).
 * Spec: SDM Appendix A "VMX Capability Reporting Facility"; "Algorithms for Determining VMX
 * Capabilities"; "Enabling and Entering VMX Operation".
 */
#include "vmx/caps.h"
#include "arch/msr.h"
#include "arch/options.h"
#include "arch/x86.h"
#define LOG "vmx"
#include "arch/log.h"

struct vmx_caps vmx_caps;

/* The control must be 1, must be 0, or is 1 if the CPU has it. */
enum want { WANT_1, WANT_0, IF_THERE };

/* In the rows below a control is its bit and its name in the manual. */
#pragma push_macro("BIT")
#undef BIT
#define BIT(n, key, name) UINT32_C(1) << (n), name
static const struct control {
    enum control_word word;
    enum want want;
    uint32_t bit;
    const char *name;
    const char *why;
} controls[] = {
    {CONTROL_PIN, WANT_1, PIN_EXTERNAL_INTERRUPT, "interrupts are the host's"},
    {CONTROL_PIN, WANT_1, PIN_NMI, "so are NMIs"},
    {CONTROL_PIN, WANT_1, PIN_VIRTUAL_NMI, "the guest has NMI blocking of its own"},
    {CONTROL_PIN, WANT_1, PIN_PREEMPTION_TIMER, "no guest keeps a CPU"},

    {CONTROL_PROC, WANT_1, PROC_HLT, "a halted vCPU gives its CPU away"},
    {CONTROL_PROC, WANT_1, PROC_MWAIT, "not offered: #UD"},
    {CONTROL_PROC, WANT_1, PROC_MONITOR, "not offered: #UD"},
    {CONTROL_PROC, WANT_1, PROC_RDPMC, "the counters are the host's"},
    {CONTROL_PROC, WANT_1, PROC_IO_BITMAPS, "ports pass one by one"},
    {CONTROL_PROC, WANT_1, PROC_MSR_BITMAPS, "so do MSRs"},
    {CONTROL_PROC, WANT_1, PROC_SECONDARY, "EPT is among them"},
    {CONTROL_PROC, WANT_0, PROC_TSC_OFFSETTING, "the guest sees the TSC as it is"},
    {CONTROL_PROC, WANT_0, PROC_INVLPG, "VPIDs keep TLBs apart"},
    {CONTROL_PROC, WANT_0, PROC_RDTSC, "time costs no exit"},
    {CONTROL_PROC, WANT_0, PROC_CR3_LOAD, "EPT: CR3 is the guest's own"},
    {CONTROL_PROC, WANT_0, PROC_CR3_STORE, "EPT: CR3 is the guest's own"},
    {CONTROL_PROC, WANT_0, PROC_MOV_DR, "registers.c switches them"},
    {CONTROL_PROC, WANT_0, PROC_UNCONDITIONAL_IO, "the bitmaps decide"},
    {CONTROL_PROC, WANT_0, PROC_PAUSE, "the time slice is short"},
    {CONTROL_PROC, IF_THERE, PROC_TPR_SHADOW, "APICv: TPR without exits"},

    {CONTROL_PROC2, WANT_1, PROC2_EPT, "guest memory is protected by it"},
    {CONTROL_PROC2, WANT_1, PROC2_VPID, "a VM entry does not empty the TLBs"},
    {CONTROL_PROC2, WANT_1, PROC2_UNRESTRICTED_GUEST, "guests start in real mode"},
    {CONTROL_PROC2, WANT_0, PROC2_DESCRIPTOR_TABLE, "they are the guest's own"},
    {CONTROL_PROC2, WANT_0, PROC2_RDRAND, "passes"},
    {CONTROL_PROC2, WANT_0, PROC2_RDSEED, "passes"},
    {CONTROL_PROC2, IF_THERE, PROC2_RDTSCP, "else it is #UD"},
    {CONTROL_PROC2, IF_THERE, PROC2_INVPCID, "else it is #UD"},
    {CONTROL_PROC2, IF_THERE, PROC2_APIC_ACCESSES, "APICv in xAPIC mode"},
    {CONTROL_PROC2, IF_THERE, PROC2_X2APIC_MODE, "APICv in x2APIC mode"},
    {CONTROL_PROC2, IF_THERE, PROC2_APIC_REGISTERS, "APICv"},
    {CONTROL_PROC2, IF_THERE, PROC2_VIRTUAL_INTERRUPTS, "APICv"},
    {CONTROL_PIN, IF_THERE, PIN_POSTED_INTERRUPTS, "APICv, no exit at all"},

    {CONTROL_EXIT, WANT_1, EXIT_SAVE_DEBUG, "DR7 is the guest's own"},
    {CONTROL_EXIT, WANT_1, EXIT_HOST_64BIT, "Hamlet is 64-bit"},
    {CONTROL_EXIT, WANT_1, EXIT_ACK_INTERRUPT, "IF stays 0 in Hamlet"},
    {CONTROL_EXIT, WANT_1, EXIT_SAVE_PAT, "PAT is the guest's own"},
    {CONTROL_EXIT, WANT_1, EXIT_LOAD_PAT, "and the host's"},
    {CONTROL_EXIT, WANT_1, EXIT_SAVE_EFER, "EFER is the guest's own"},
    {CONTROL_EXIT, WANT_1, EXIT_LOAD_EFER, "and the host's"},
    {CONTROL_EXIT, WANT_1, EXIT_SAVE_PREEMPTION_TIMER, "exits do not make a slice longer"},
    {CONTROL_EXIT, WANT_0, EXIT_LOAD_PERF_GLOBAL, "not used"},

    {CONTROL_ENTRY, WANT_1, ENTRY_LOAD_DEBUG, "DR7 is the guest's own"},
    {CONTROL_ENTRY, WANT_1, ENTRY_LOAD_PAT, "PAT is the guest's own"},
    {CONTROL_ENTRY, WANT_1, ENTRY_LOAD_EFER, "EFER is the guest's own"},
    {CONTROL_ENTRY, WANT_0, ENTRY_LOAD_PERF_GLOBAL, "not used"},
};
#pragma pop_macro("BIT")

/* The MSRs that report each word. The TRUE one also reports which default-1 controls may be 0. */
static const struct {
    uint32_t msr, true_msr;
} word_msr[] = {
    [CONTROL_PIN] = {MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS},
    [CONTROL_PROC] = {MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS},
    [CONTROL_PROC2] = {MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2},
    [CONTROL_EXIT] = {MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS},
    [CONTROL_ENTRY] = {MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS},
};

static uint64_t basic, ept_vpid_cap;
static uint32_t words[ARRAY_COUNT(word_msr)];
static uint32_t proc_may_be_1;

uint32_t caps_control(enum control_word word) { return words[word]; }
uint32_t caps_revision(void) { return (uint32_t)FIELD_GET(VMX_BASIC_REVISION, basic); }
bool caps_proc_may_be_1(uint32_t bits) { return (proc_may_be_1 & bits) == bits; }

uint64_t caps_cr0_fixed(uint64_t cr0)
{
    return (cr0 | rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & rdmsr(MSR_IA32_VMX_CR0_FIXED1);
}

uint64_t caps_cr4_fixed(uint64_t cr4)
{
    return (cr4 | rdmsr(MSR_IA32_VMX_CR4_FIXED0)) & rdmsr(MSR_IA32_VMX_CR4_FIXED1);
}

/* Low half: bits that must be 1. High half: bits that may be 1. */
static uint64_t word_allowed(enum control_word word)
{
    bool has_secondary =
        rdmsr(MSR_IA32_VMX_PROCBASED_CTLS) & FIELD_SET(BITS(63, 32), PROC_SECONDARY);
    if (word == CONTROL_PROC2 && !has_secondary)
        return 0;
    return rdmsr(basic & VMX_BASIC_TRUE_CONTROLS ? word_msr[word].true_msr : word_msr[word].msr);
}

static int lacking(const char *name) { return FAIL(ENODEV, "this CPU lacks \"%s\"", name); }

/* Build the five words. Every row that fails is named, not only the first. */
static int controls_check(void)
{
    uint64_t allowed[ARRAY_COUNT(words)];
    for (unsigned w = 0; w < ARRAY_COUNT(words); w++) {
        allowed[w] = word_allowed(w);
        words[w] = LO32(allowed[w]);
    }
    int err = 0;
    for (const struct control *c = controls; c < controls + ARRAY_COUNT(controls); c++) {
        bool may_be_1 = HI32(allowed[c->word]) & c->bit;
        bool must_be_1 = LO32(allowed[c->word]) & c->bit;
        if (c->want == WANT_1 && !may_be_1)
            err = lacking(c->name);
        else if (c->want == WANT_0 && must_be_1)
            err = FAIL(ENODEV, "this CPU cannot do without \"%s\"", c->name);
        else if (c->want != WANT_0 && may_be_1)
            words[c->word] |= c->bit;
    }
    proc_may_be_1 = HI32(allowed[CONTROL_PROC]);
    return err;
}

static int ept_check(void)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } needed[] = {
        {EPT_CAP_WALK_4, "EPT page-walk length 4"},
        {EPT_CAP_WB, "EPT structures in write-back memory"},
        {EPT_CAP_INVEPT, "INVEPT"},
        {EPT_CAP_INVEPT_ALL, "all-context INVEPT"},
        {EPT_CAP_INVVPID, "INVVPID"},
        {EPT_CAP_INVVPID_ALL, "all-context INVVPID"},
    };
    if (!(words[CONTROL_PROC2] & PROC2_EPT))
        return -ENODEV; /* logged already; and without EPT and VPID the MSR does not exist */
    ept_vpid_cap = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
    int err = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(needed); i++)
        if (!(ept_vpid_cap & needed[i].bit))
            err = lacking(needed[i].name);
    vmx_caps.ept_2m = ept_vpid_cap & EPT_CAP_2M;
    vmx_caps.ept_1g = ept_vpid_cap & EPT_CAP_1G;
    vmx_caps.ept_ad = ept_vpid_cap & EPT_CAP_ACCESSED_DIRTY;
    vmx_caps.invept_single = ept_vpid_cap & EPT_CAP_INVEPT_SINGLE;
    vmx_caps.invvpid_single = ept_vpid_cap & EPT_CAP_INVVPID_SINGLE;
    return err;
}

/* All of APICv or nothing of it: half a virtual local APIC would need two sets of rules for EOI. */
static void apicv_choose(void)
{
    const uint32_t all =
        PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS;
    vmx_caps.apicv = options.apicv && (words[CONTROL_PROC] & PROC_TPR_SHADOW) &&
                     (words[CONTROL_PROC2] & all) == all;
    vmx_caps.posting =
        vmx_caps.apicv && options.post != POST_OFF && (words[CONTROL_PIN] & PIN_POSTED_INTERRUPTS);

    /* The mode of each guest's APIC chooses between the first two (vmx/vcpu/apicv.c). */
    words[CONTROL_PROC2] &= ~(uint32_t)(PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE);
    if (!vmx_caps.apicv) {
        words[CONTROL_PROC2] &= ~(uint32_t)all;
        words[CONTROL_PROC] &= ~(uint32_t)PROC_TPR_SHADOW;
        words[CONTROL_PROC] |= PROC_CR8_LOAD | PROC_CR8_STORE;
    } else {
        words[CONTROL_PROC] &= ~(uint32_t)(PROC_CR8_LOAD | PROC_CR8_STORE);
    }
    if (!vmx_caps.posting)
        words[CONTROL_PIN] &= ~(uint32_t)PIN_POSTED_INTERRUPTS;
}

/* IA32_FEATURE_CONTROL is each CPU's own, and keeps its value until reset once it is locked. */
int caps_feature_control(void)
{
    const uint64_t on = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
    uint64_t value = rdmsr(MSR_IA32_FEATURE_CONTROL);
    if ((value & on) == on)
        return 0;
    if (value & FEATURE_CONTROL_LOCK)
        return FAIL(ENODEV,
                    "the firmware has locked VMX off (IA32_FEATURE_CONTROL=0x%lx): "
                    "switch it on in the firmware's setup",
                    value);
    wrmsr(MSR_IA32_FEATURE_CONTROL, value | on);
    return 0;
}

/* Facts that other files need, after all conditions are checked. */
static void caps_note(void)
{
    vmx_caps.timer_shift = (uint8_t)FIELD_GET(VMX_MISC_TIMER_SHIFT, rdmsr(MSR_IA32_VMX_MISC));
    vmx_caps.invpcid = words[CONTROL_PROC2] & PROC2_INVPCID;
    vmx_caps.rdtscp = words[CONTROL_PROC2] & PROC2_RDTSCP;
    vmx_caps.nested = cpuid(1, 0).ecx & CPUID_1_HYPERVISOR;
    log_info("revision=0x%x apicv=%s posting=%s ept-1g=%s timer-shift=%u nested=%s",
             caps_revision(), vmx_caps.apicv ? "on" : "off", vmx_caps.posting ? "on" : "off",
             vmx_caps.ept_1g ? "on" : "off", vmx_caps.timer_shift, vmx_caps.nested ? "yes" : "no");
}

int caps_init(void)
{
    if (!(cpuid(1, 0).ecx & BIT(5)))
        return FAIL(ENODEV, "this CPU lacks \"VMX\"");
    if (caps_feature_control() < 0)
        return -ENODEV;
    basic = rdmsr(MSR_IA32_VMX_BASIC);
    int controls_err = controls_check();
    int ept_err = ept_check();
    if (controls_err < 0 || ept_err < 0)
        return -ENODEV;
    apicv_choose();
    caps_note();
    return 0;
}
