/* SPDX-License-Identifier: MIT */
/*
 * A CPU that joins the first one: a vCPU must be able to move between the two.
 * Spec: SDM "VMX Capability Reporting Facility".
 */
// sources: vmx/controls.c
#include "arch/msr.h"
#include "arch/options.h"
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <string.h>

static uint64_t model_rdmsr(uint32_t msr);
static void model_wrmsr(uint32_t msr, uint64_t v);
static struct cpuid_regs model_cpuid(uint32_t leaf);
#define rdmsr(msr)       model_rdmsr(msr)
#define wrmsr(msr, v)    model_wrmsr(msr, v)
#define cpuid(leaf, sub) model_cpuid(leaf)
#include "vmx/caps.c"

static uint64_t feature_control_msr, vmx_msr[0x20];
static uint32_t components;

static uint64_t model_rdmsr(uint32_t msr)
{
    return msr == MSR_IA32_FEATURE_CONTROL ? feature_control_msr
                                           : vmx_msr[msr - MSR_IA32_VMX_BASIC];
}

static void model_wrmsr(uint32_t msr, uint64_t v)
{
    assert_int_equal(msr, MSR_IA32_FEATURE_CONTROL);
    feature_control_msr = v;
}

static struct cpuid_regs model_cpuid(uint32_t leaf)
{
    return (struct cpuid_regs){.eax = leaf == 0xd ? components : 0, .ecx = BIT(5)};
}

static uint64_t *of(uint32_t msr) { return &vmx_msr[msr - MSR_IA32_VMX_BASIC]; }

/* A CPU that can have each control 0 or 1. */
FIXTURE(first_cpu)
{
    memset(vmx_msr, 0, sizeof(vmx_msr));
    feature_control_msr = 0;
    components = 0xe7;
    *of(MSR_IA32_VMX_BASIC) = VMX_BASIC_TRUE_CONTROLS | 0x12;
    for (unsigned w = 0; w < ARRAY_COUNT(word_msr); w++)
        *of(word_msr[w].msr) = *of(word_msr[w].true_msr) = UINT64_C(0xffffffff00000000);
    *of(MSR_IA32_VMX_EPT_VPID_CAP) = UINT64_MAX;
    *of(MSR_IA32_VMX_MISC) = 5;
    options.apicv = true;
    assert_int_equal(caps_init(), 0);
    vmx_caps.xcr0 = 7;
    feature_control_msr = 0; /* each CPU has its own */
    stub_log_clear();
    return 0;
}

static void assert_lack(const char *what)
{
    assert_int_equal(caps_check_cpu(), -ENODEV);
    if (!strstr(stub_log, what))
        fail_msg("%s: not in \"%s\"", what, stub_log);
    first_cpu(NULL);
}

TEST(an_equal_or_better_one_joins)
{
    assert_int_equal(caps_check_cpu(), 0);
    assert_int_equal(feature_control_msr, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
    components |= 0x60000;
    *of(MSR_IA32_VMX_BASIC) |= BIT(56);
    assert_int_equal(caps_check_cpu(), 0);
    *of(MSR_IA32_VMX_TRUE_PINBASED_CTLS) |= BIT(0);     /* must be 1, as Hamlet wants it anyway */
    *of(MSR_IA32_VMX_PROCBASED_CTLS2) &= ~BIT(32 + 17); /* PML, which Hamlet does not use */
    *of(MSR_IA32_VMX_EPT_VPID_CAP) &= ~BIT(0);          /* execute-only pages: neither */
    assert_int_equal(caps_check_cpu(), 0);
}

TEST(one_that_lacks_something_does_not)
{
    feature_control_msr = FEATURE_CONTROL_LOCK;
    assert_lack("the firmware has locked VMX off");
    *of(MSR_IA32_VMX_BASIC) ^= 1;
    assert_lack("VMCS revision");
    *of(MSR_IA32_VMX_TRUE_PINBASED_CTLS) &= ~BIT(32 + 7);
    assert_lack("first one: \"process posted interrupts\"");
    *of(MSR_IA32_VMX_TRUE_PROCBASED_CTLS) |= BIT(15); /* must be 1 here */
    assert_lack("first one: \"CR3-load exiting\"");
    *of(MSR_IA32_VMX_TRUE_EXIT_CTLS) |= BIT(3); /* must be 1 here, whatever it is */
    assert_lack("a control of VMX");
    *of(MSR_IA32_VMX_TRUE_PROCBASED_CTLS) &= ~BIT(32 + 27); /* monitor trap flag */
    assert_lack("a control of VMX");
    *of(MSR_IA32_VMX_PROCBASED_CTLS2) &= ~BIT(32 + 9);
    assert_lack("first one: \"virtual-interrupt delivery\"");
    *of(MSR_IA32_VMX_EPT_VPID_CAP) &= ~EPT_CAP_1G;
    assert_lack("first one: \"1-GByte EPT pages\"");
    *of(MSR_IA32_VMX_MISC) = 4;
    assert_lack("rate of the preemption timer");
    components = 3;
    assert_lack("XSAVE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_equal_or_better_one_joins, first_cpu),
        cmocka_unit_test_setup(one_that_lacks_something_does_not, first_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
