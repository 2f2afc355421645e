/* SPDX-License-Identifier: MIT */
/*
 * What guests see of a CPU that can more than Hamlet offers, or is faster than CPUID's words are
 * wide.
 * Spec: SDM "CPUID-CPU Identification".
 */
#include "arch/x86.h"
#include "tests/unit/test.h"
#include <string.h>

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
#include "vmx/exit/cpuid.c"
#include "vmx/vcpu/registers.c"

static uint64_t khz;
uint64_t time_tsc_khz(void) { return khz; }
struct cpu *this_cpu(void) { return NULL; }
struct vmx_caps vmx_caps;
enum exit_action inject_gp(struct vcpu *v) { return (void)v, RESUME_SAME; }
void *pages_alloc(size_t count, uint64_t align) { return (void)count, (void)align, NULL; }
void pages_free(void *first, size_t count) { (void)first, (void)count; }
uint64_t vmread(enum vmcs_field field) { return (void)field, 0; }
int wrmsr_safe(uint32_t msr, uint64_t value) { return (void)msr, (void)value, 0; }

static uint32_t highest = 0x20;

/* 52-bit physical addresses, 57-bit linear ones, AMX and everything else. */
static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0:
        return (struct cpuid_regs){.eax = highest};
    case 0x80000000:
        return (struct cpuid_regs){.eax = 0x80000008};
    case 0x80000008:
        return (struct cpuid_regs){.eax = 57 << 8 | 52, .ebx = UINT32_MAX};
    case 0xd:
        if (subleaf == 0)
            return (struct cpuid_regs){.eax = 0x602e7, .ebx = 832, .ecx = 11008};
        return (struct cpuid_regs){.eax = 64, .ebx = 832 + 64 * subleaf};
    }
    return (struct cpuid_regs){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
}

static struct vcpu vcpu;

FIXTURE(start)
{
    memset(basic, 0, sizeof(basic));
    memset(extended, 0, sizeof(extended));
    vmx_caps = (struct vmx_caps){.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX};
    khz = 2900000;
    cpuid_init();
    return 0;
}

static uint64_t tsc_khz_told(void)
{
    struct cpuid_regs r = answer(&vcpu, 0x15, 0);
    /* with 32 bits to a number, as kernels compute it */
    return (uint32_t)(r.ecx / 1000 * r.ebx) / r.eax;
}

TEST(frequency_of_the_tsc)
{
    static const uint64_t speeds[] = {99988, 2904000, 4300000, 5000000, 6200000};
    for (size_t i = 0; i < ARRAY_COUNT(speeds); i++) {
        khz = speeds[i];
        frequencies_fill();
        assert_int_equal(tsc_khz_told(), khz);
        assert_int_equal(answer(&vcpu, 0x15, 0).ecx / 1000 * VCPU_TSC_RATIO, khz);
        assert_int_equal(answer(&vcpu, 0x16, 0).eax, khz / 1000);
    }
}

TEST(widths_of_addresses)
{
    assert_int_equal(answer(&vcpu, 0x80000008, 0).eax, 48 << 8 | 52);
    assert_int_equal(answer(&vcpu, 0x80000008, 0).ebx, 0);
}

TEST(size_of_the_state_that_is_offered)
{
    vmx_caps.xcr0 = 0;
    registers_init();
    assert_int_equal(answer(&vcpu, 0xd, 0).ecx, 832 + 64 * 7 + 64); /* opmask, ZMM: up to bit 7 */
    assert_int_equal(answer(&vcpu, 0xd, 0).eax, XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512);
    assert_int_equal(answer(&vcpu, 0xd, 9).eax, 0);
    assert_int_equal(answer(&vcpu, 0xd, 17).eax, 0);
}

/* SDM "Enabling or Disabling the Local APIC" */
TEST(the_apic_follows_its_enable_bit)
{
    vcpu.apic_base = APIC_BASE_EN;
    assert_true(answer(&vcpu, 1, 0).edx & BIT(9));
    vcpu.apic_base = 0;
    assert_false(answer(&vcpu, 1, 0).edx & BIT(9));
}

/* The firmware may limit CPUID to leaf 3 (IA32_MISC_ENABLE); higher leaves then repeat that one. */
TEST(limited_cpuid)
{
    highest = 3;
    vmx_caps.xcr0 = 0;
    registers_init();
    assert_int_equal(vmx_caps.xcr0, 0);
    highest = 0x20;
}

/* Commands against leaks are the guest's as they are the host's; which bits IA32_SPEC_CTRL has
 * stands in subleaf 2, if there is one. */
TEST(commands_against_leaks)
{
    struct cpuid_regs r = answer(&vcpu, 7, 0);
    assert_int_equal(r.edx, BIT(10) | BITS(29, 26) | BIT(31));
    assert_int_equal(vmx_caps.guest_commands, r.edx);
    assert_int_equal(r.eax, 2);
    assert_int_equal(answer(&vcpu, 7, 1).edx, 0);
    assert_int_equal(answer(&vcpu, 7, 2).edx, 0x3f);
    assert_int_equal(answer(&vcpu, 7, 2).eax, 0);
    basic[7].eax = 0;
    assert_int_equal(answer(&vcpu, 7, 2).edx, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(frequency_of_the_tsc, start),
        cmocka_unit_test_setup(widths_of_addresses, start),
        cmocka_unit_test_setup(the_apic_follows_its_enable_bit, start),
        cmocka_unit_test_setup(limited_cpuid, start),
        cmocka_unit_test_setup(commands_against_leaks, start),
        cmocka_unit_test_setup(size_of_the_state_that_is_offered, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
