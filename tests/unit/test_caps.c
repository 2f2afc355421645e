/* SPDX-License-Identifier: MIT */
// sources: vmx/controls.c
/*
 * What Hamlet makes of a CPU's capabilities: controls that it needs, APICv as a whole or not at
 * all, posted interrupts with APICv only.
 * Spec: SDM "VMX Capability Reporting Facility", "VM-Execution Control Fields".
 */
#include <string.h>
#include "arch/msr.h"
#include "arch/options.h"
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"

struct options options;

/* The CPU: what may be 1 in each word of controls; the rest of its answers. */
static uint32_t may_be_1[6], must_be_1[6];
static uint64_t feature_control, written, ept_caps;
static bool has_vmx;

static uint64_t model_rdmsr(uint32_t msr);
static void model_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_IA32_FEATURE_CONTROL);
    written = value;
}
static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    assert_int_equal(leaf, 1);
    return (struct cpuid_regs){.ecx = has_vmx ? BIT(5) : 0};
}

#define rdmsr      model_rdmsr
#define wrmsr      model_wrmsr
#define cpuid(...) model_cpuid(__VA_ARGS__)
#include "vmx/caps.c"

static uint64_t model_rdmsr(uint32_t msr)
{
    if (msr == MSR_IA32_VMX_PROCBASED_CTLS3) { /* allowed 1-settings; not there without bit 17 */
        assert_true(may_be_1[CONTROL_PROC] & PROC_TERTIARY);
        return may_be_1[CONTROL_PROC3];
    }
    for (unsigned w = 0; w < ARRAY_COUNT(word_msr); w++)
        if (word_msr[w].true_msr == msr || word_msr[w].msr == msr)
            return (uint64_t)may_be_1[w] << 32 | must_be_1[w];
    return msr == MSR_IA32_FEATURE_CONTROL    ? feature_control
           : msr == MSR_IA32_VMX_BASIC        ? VMX_BASIC_TRUE_CONTROLS | 0x12
           : msr == MSR_IA32_VMX_EPT_VPID_CAP ? ept_caps
           : msr == MSR_IA32_VMX_MISC         ? 5
                                              : 0;
}

FIXTURE(fresh)
{
    memset(may_be_1, 0xff, sizeof(may_be_1));
    memset(must_be_1, 0, sizeof(must_be_1));
    memset(&vmx_caps, 0, sizeof(vmx_caps));
    feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
    ept_caps = UINT64_MAX;
    has_vmx = true;
    written = 0;
    options = (struct options){.apicv = true, .ipiv = true, .post = POST_HW};
    stub_log_clear();
    return 0;
}

static bool pin_posts(void) { return caps_control(CONTROL_PIN) & PIN_POSTED_INTERRUPTS; }

TEST(all_of_it)
{
    assert_int_equal(caps_init(), 0);
    assert_true(vmx_caps.apicv && vmx_caps.posting && pin_posts());
    assert_null(vmx_caps.no_posting);
    assert_int_equal(caps_revision(), 0x12);
    assert_int_equal(vmx_caps.timer_shift, 5);
    assert_true(caps_control(CONTROL_PROC) & PROC_TPR_SHADOW);
    assert_false(caps_control(CONTROL_PROC) & (PROC_CR8_LOAD | PROC_CR8_STORE));
    /* which of the two, each guest's APIC decides */
    assert_false(caps_control(CONTROL_PROC2) & (PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE));
    assert_true(caps_control(CONTROL_PROC2) & PROC2_VIRTUAL_INTERRUPTS);
    assert_true(vmx_caps.ipiv && (caps_control(CONTROL_PROC) & PROC_TERTIARY));
    assert_int_equal(caps_control(CONTROL_PROC3), PROC3_IPI);
}

static bool has_ipiv(void)
{
    assert_int_equal(caps_init(), 0);
    assert_int_equal(vmx_caps.ipiv, !!(caps_control(CONTROL_PROC) & PROC_TERTIARY));
    return vmx_caps.ipiv;
}

/* IPIs go into descriptors that CPUs process, so it is nothing without posting. */
TEST(ipi_virtualization_needs_posting)
{
    options.ipiv = false;
    assert_false(has_ipiv());
    options.ipiv = true;
    options.post = POST_OFF;
    assert_false(has_ipiv());
    options.post = POST_SW; /* that is about the unit's posting */
    assert_true(has_ipiv());
    options.apicv = false;
    assert_false(has_ipiv());
    options.apicv = true;
    may_be_1[CONTROL_PIN] &= ~(uint32_t)PIN_POSTED_INTERRUPTS;
    assert_false(has_ipiv());
}

TEST(without_ipi_virtualization)
{
    may_be_1[CONTROL_PROC3] &= ~(uint32_t)PROC3_IPI;
    assert_false(has_ipiv());
    may_be_1[CONTROL_PROC3] = UINT32_MAX;
    may_be_1[CONTROL_PROC] &= ~(uint32_t)PROC_TERTIARY;
    assert_false(has_ipiv());
    const char *name, *why;
    bool needed = true;
    assert_true(caps_lack(0, &name, &why, &needed));
    assert_string_equal(name, "IPI virtualization");
    assert_false(needed);
}

static void no_apicv(void)
{
    const uint32_t all =
        PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS;
    assert_int_equal(caps_init(), 0);
    assert_false(vmx_caps.apicv || vmx_caps.posting || pin_posts());
    assert_false(caps_control(CONTROL_PROC2) & all);
    assert_false(caps_control(CONTROL_PROC) & PROC_TPR_SHADOW);
    assert_int_equal(caps_control(CONTROL_PROC) & (PROC_CR8_LOAD | PROC_CR8_STORE),
                     PROC_CR8_LOAD | PROC_CR8_STORE);
}

/* SDM "VM-Execution Control Fields": posting needs virtual-interrupt delivery, and that needs the
 * shadow. So a CPU that posts and lacks one of them enters guests without any. */
TEST(posting_needs_all_of_apicv)
{
    static const uint32_t parts[] = {PROC2_APIC_ACCESSES, PROC2_X2APIC_MODE, PROC2_APIC_REGISTERS,
                                     PROC2_VIRTUAL_INTERRUPTS};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        fresh(NULL);
        may_be_1[CONTROL_PROC2] &= ~parts[i];
        no_apicv();
    }
    fresh(NULL);
    may_be_1[CONTROL_PROC] &= ~(uint32_t)PROC_TPR_SHADOW;
    no_apicv();
    assert_string_equal(vmx_caps.no_posting, "this CPU has no APICv");
    fresh(NULL);
    options.apicv = false;
    no_apicv();
    assert_string_equal(vmx_caps.no_posting, "apicv=off");
}

/* With APICv and without posting, the control is off: nothing receives the vector. */
TEST(no_posting)
{
    options.post = POST_OFF;
    assert_int_equal(caps_init(), 0);
    assert_true(vmx_caps.apicv);
    assert_false(vmx_caps.posting || pin_posts());
    assert_string_equal(vmx_caps.no_posting, "post=off");
    fresh(NULL);
    may_be_1[CONTROL_PIN] &= ~(uint32_t)PIN_POSTED_INTERRUPTS;
    assert_int_equal(caps_init(), 0);
    assert_true(vmx_caps.apicv);
    assert_false(vmx_caps.posting || pin_posts());
    assert_string_equal(vmx_caps.no_posting, "this CPU takes no posted interrupts");
}

/* A control that is needed and missing, or unwanted and fixed, is named, each of them. */
TEST(every_row_that_fails_is_named)
{
    may_be_1[CONTROL_PIN] &= ~(uint32_t)PIN_NMI;
    must_be_1[CONTROL_PROC] |= PROC_INVLPG;
    assert_int_equal(caps_init(), -ENODEV);
    assert_non_null(strstr(stub_log, "this CPU lacks \"NMI exiting\""));
    assert_non_null(strstr(stub_log, "this CPU cannot do without \"INVLPG exiting\""));
    fresh(NULL);
    may_be_1[CONTROL_PROC2] &= ~(uint32_t)PROC2_EPT;
    assert_int_equal(caps_init(), -ENODEV);
    assert_non_null(strstr(stub_log, "this CPU lacks \"EPT\""));
    assert_null(strstr(stub_log, "INVEPT")); /* its MSR does not exist */
    fresh(NULL);
    ept_caps &= ~(uint64_t)EPT_CAP_INVVPID_ALL;
    assert_int_equal(caps_init(), -ENODEV);
    assert_non_null(strstr(stub_log, "this CPU lacks \"all-context INVVPID\""));
}

/* SDM "Enabling and Entering VMX Operation" */
TEST(the_firmware_decides)
{
    feature_control = FEATURE_CONTROL_LOCK;
    assert_int_equal(caps_init(), -ENODEV);
    assert_non_null(strstr(stub_log, "the firmware has locked VMX off"));
    assert_int_equal(written, 0);
    fresh(NULL);
    feature_control = 0;
    assert_int_equal(caps_init(), 0);
    assert_int_equal(written, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
    fresh(NULL);
    has_vmx = false;
    assert_int_equal(caps_init(), -ENODEV);
}

#define CASE(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_of_it),
        CASE(posting_needs_all_of_apicv),
        CASE(no_posting),
        CASE(ipi_virtualization_needs_posting),
        CASE(without_ipi_virtualization),
        CASE(every_row_that_fails_is_named),
        CASE(the_firmware_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
