/* SPDX-License-Identifier: MIT */
/*
 * What this CPU can, compared with what Hamlet wants.
 * From: vmx/run/init.c (caps_init), vmx/vcpu/setup.c (caps_control).
 * To: vmx/controls.c (what Hamlet wants), arch/options.c (apicv=, post=, ipiv=).
 * Spec: SDM Appendix A "VMX Capability Reporting Facility"; "Algorithms for Determining VMX
 * Capabilities"; "Enabling and Entering VMX Operation".
 */
#include "vmx/caps.h"
#include "arch/msr.h"
#include "arch/options.h"
#include "arch/x86.h"
#include "vmx/controls.h"
#define LOG "vmx"
#include "arch/log.h"

#define LEAF_XSAVE 0xd

struct vmx_caps vmx_caps;

/* The MSRs that report each word. The TRUE one also reports which default-1 controls may be 0. */
static const struct {
    uint32_t msr, true_msr;
} word_msr[] = {
    [CONTROL_PIN] = {MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS},
    [CONTROL_PROC] = {MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS},
    [CONTROL_PROC2] = {MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2},
    [CONTROL_PROC3] = {MSR_IA32_VMX_PROCBASED_CTLS3, MSR_IA32_VMX_PROCBASED_CTLS3},
    [CONTROL_EXIT] = {MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS},
    [CONTROL_ENTRY] = {MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS},
};

static uint64_t basic, ept_vpid_cap, allowed[ARRAY_COUNT(word_msr)];
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

/* Low half: bits that must be 1. High half: bits that may be 1. The tertiary word has 64 of the
 * latter kind, and Hamlet wants none of the upper half. */
static uint64_t word_allowed(enum control_word word)
{
    uint32_t proc = HI32(rdmsr(MSR_IA32_VMX_PROCBASED_CTLS));
    if ((word == CONTROL_PROC2 && !(proc & PROC_SECONDARY)) ||
        (word == CONTROL_PROC3 && !(proc & PROC_TERTIARY)))
        return 0;
    if (word == CONTROL_PROC3)
        return FIELD_SET(BITS(63, 32), LO32(rdmsr(MSR_IA32_VMX_PROCBASED_CTLS3)));
    return rdmsr(basic & VMX_BASIC_TRUE_CONTROLS ? word_msr[word].true_msr : word_msr[word].msr);
}

static int lacking(const char *name) { return FAIL(ENODEV, "this CPU lacks \"%s\"", name); }

/* Build the words. Every row that fails is named, not only the first. */
static int controls_check(void)
{
    for (unsigned w = 0; w < ARRAY_COUNT(words); w++) {
        allowed[w] = word_allowed(w);
        words[w] = LO32(allowed[w]);
    }
    int err = 0;
    for (const struct control *c = controls; c->name; c++) {
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

/* What Hamlet uses of IA32_VMX_EPT_VPID_CAP. */
static const struct {
    uint64_t bit;
    bool needed;
    const char *name;
} ept_bits[] = {
    {EPT_CAP_WALK_4, true, "EPT page-walk length 4"},
    {EPT_CAP_WB, true, "EPT structures in write-back memory"},
    {EPT_CAP_INVEPT, true, "INVEPT"},
    {EPT_CAP_INVEPT_ALL, true, "all-context INVEPT"},
    {EPT_CAP_INVVPID, true, "INVVPID"},
    {EPT_CAP_INVVPID_ALL, true, "all-context INVVPID"},
    {EPT_CAP_2M, false, "2-MByte EPT pages"},
    {EPT_CAP_1G, false, "1-GByte EPT pages"},
    {EPT_CAP_ACCESSED_DIRTY, false, "accessed and dirty flags for EPT"},
    {EPT_CAP_INVEPT_SINGLE, false, "single-context INVEPT"},
    {EPT_CAP_INVVPID_SINGLE, false, "single-context INVVPID"},
};

static int ept_check(void)
{
    if (!(words[CONTROL_PROC2] & PROC2_EPT))
        return -ENODEV; /* logged already; and without EPT and VPID the MSR does not exist */
    ept_vpid_cap = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
    int err = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(ept_bits); i++)
        if (ept_bits[i].needed && !(ept_vpid_cap & ept_bits[i].bit))
            err = lacking(ept_bits[i].name);
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
    vmx_caps.no_posting = !options.apicv             ? "apicv=off"
                          : !vmx_caps.apicv          ? "this CPU has no APICv"
                          : options.post == POST_OFF ? "post=off"
                          : !(words[CONTROL_PIN] & PIN_POSTED_INTERRUPTS)
                              ? "this CPU takes no posted interrupts"
                              : NULL;
    vmx_caps.posting = !vmx_caps.no_posting;
    vmx_caps.ipiv = vmx_caps.posting && options.ipiv && (words[CONTROL_PROC3] & PROC3_IPI);

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
    if (vmx_caps.ipiv)
        words[CONTROL_PROC] |= PROC_TERTIARY;
}

/* IA32_FEATURE_CONTROL is each CPU's own, and keeps its value until reset once it is locked. */
static int allow_vmx(void)
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
    vmx_caps.ready = true;
    vmx_caps.timer_shift = (uint8_t)FIELD_GET(VMX_MISC_TIMER_SHIFT, rdmsr(MSR_IA32_VMX_MISC));
    vmx_caps.invpcid = words[CONTROL_PROC2] & PROC2_INVPCID;
    vmx_caps.rdtscp = words[CONTROL_PROC2] & PROC2_RDTSCP;
    vmx_caps.nested = cpuid(1, 0).ecx & CPUID_1_HYPERVISOR;
    log_info("revision=0x%x apicv=%s posting=%s ipiv=%s ept-1g=%s timer-shift=%u nested=%s",
             caps_revision(), vmx_caps.apicv ? "on" : "off", vmx_caps.posting ? "on" : "off",
             vmx_caps.ipiv ? "on" : "off", vmx_caps.ept_1g ? "on" : "off", vmx_caps.timer_shift,
             vmx_caps.nested ? "yes" : "no");
}

/* The control by which the words differ: that the first CPU can have 1, or 0, and this one not.
 * NULL: Hamlet knows none of these. */
static const char *differing_control(unsigned word, uint32_t not_1, uint32_t not_0)
{
    for (const struct control *c = controls; c->name; c++)
        if (c->word == word && (c->bit & (c->want == WANT_0 ? not_0 : not_1)))
            return c->name;
    bool matters = not_0 || (not_1 && word == CONTROL_PROC); /* debug.c uses more of this word */
    return matters ? "a control of VMX" : NULL;
}

/* What the first CPU has and this one lacks; NULL: this CPU can run any vCPU. */
static const char *lack_of_this_cpu(void)
{
    if ((rdmsr(MSR_IA32_VMX_BASIC) ^ basic) & VMX_BASIC_REVISION)
        return "VMCS revision";
    for (unsigned w = 0; w < ARRAY_COUNT(words); w++) {
        uint64_t here = word_allowed(w);
        const char *name = differing_control(w, HI32(allowed[w]) & ~HI32(here),
                                             LO32(here) & ~LO32(allowed[w]) & ~words[w]);
        if (name)
            return name;
    }
    uint64_t lacks = ept_vpid_cap & ~rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
    for (unsigned i = 0; i < ARRAY_COUNT(ept_bits); i++)
        if (lacks & ept_bits[i].bit)
            return ept_bits[i].name;
    if (FIELD_GET(VMX_MISC_TIMER_SHIFT, rdmsr(MSR_IA32_VMX_MISC)) != vmx_caps.timer_shift)
        return "rate of the preemption timer";
    if (vmx_caps.xcr0 & ~(uint64_t)cpuid(LEAF_XSAVE, 0).eax)
        return "XSAVE state";
    return NULL;
}

int caps_check_cpu(void)
{
    int err = allow_vmx();
    const char *lack = err ? NULL : lack_of_this_cpu();
    return lack ? FAIL(ENODEV, "this CPU differs from the first one: \"%s\"", lack) : err;
}

bool caps_lack(unsigned n, const char **name, const char **why, bool *needed)
{
    for (const struct control *c = controls; c->name && basic; c++) {
        if (c->want == WANT_0 || (HI32(allowed[c->word]) & c->bit) || n-- > 0)
            continue;
        *name = c->name;
        *why = c->why;
        *needed = c->want == WANT_1;
        return true;
    }
    return false;
}

int caps_init(void)
{
    if (!(cpuid(1, 0).ecx & BIT(5)))
        return FAIL(ENODEV, "this CPU lacks \"VMX\"");
    if (allow_vmx() < 0)
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
