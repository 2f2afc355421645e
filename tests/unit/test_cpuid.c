/* SPDX-License-Identifier: MIT */
/*
 * What guests see of a CPU that can more than Hamlet offers, or is faster than CPUID's words are
 * wide.
 * Spec: SDM "CPUID-CPU Identification".
 */
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <string.h>

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
static uint64_t xcr0; /* of the CPU */
#define xsetbv(index, value) (xcr0 = (value))
static void model_wrmsr(uint32_t msr, uint64_t value);
#define wrmsr(msr, value) model_wrmsr(msr, value)
#include "vmx/exit/cpuid.c"
#include "vmx/vcpu/registers.c"

static uint64_t khz;
uint64_t time_tsc_khz(void) { return khz; }
struct cpu *this_cpu(void) { return NULL; }
struct vmx_caps vmx_caps;
enum exit_action inject_gp(struct vcpu *v) { return (void)v, RESUME_SAME; }
void *pages_alloc(size_t count, uint64_t align) { return (void)count, (void)align, NULL; }
void pages_free(void *first, size_t count) { (void)first, (void)count; }
static uint64_t cr4;
uint64_t vmread(enum vmcs_field field) { return field == GUEST_CR4 ? cr4 : 0; }
static uint32_t written_msr;
static unsigned written;
static void model_wrmsr(uint32_t msr, uint64_t value)
{
    (void)value;
    written_msr = msr;
    written++;
}
int wrmsr_safe(uint32_t msr, uint64_t value)
{
    written_msr = msr;
    return value == UINT64_MAX ? -EIO : 0;
}

static uint32_t highest = 0x20;

static struct {
    uint32_t leaf;
    struct cpuid_regs bits;
} without; /* what a second CPU lacks */

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
            return (struct cpuid_regs){.eax = 0x602e7, .ebx = xcr0 == 1 ? 576 : 832, .ecx = 11008};
        return (struct cpuid_regs){.eax = 64, .ebx = 832 + 64 * subleaf};
    }
    struct cpuid_regs r = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    if (leaf == without.leaf) {
        r.eax &= ~without.bits.eax;
        r.ebx &= ~without.bits.ebx;
        r.ecx &= ~without.bits.ecx;
        r.edx &= ~without.bits.edx;
    }
    return r;
}

static struct vcpu vcpu;

/* The exit, after all requests of the vCPU were attended to. */
static struct cpuid_regs answer(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    uint64_t *gpr = v->regs.gpr;
    cpuid_reload(v);
    gpr[RAX] = leaf | BIT(40); /* of RAX and RCX, EAX and ECX count */
    gpr[RCX] = subleaf | BIT(41);
    assert_int_equal(exit_cpuid(v), RESUME_NEXT);
    for (enum gpr r = RAX; r <= RBX; r++)
        assert_int_equal(HI32(gpr[r]), 0);
    return (struct cpuid_regs){LO32(gpr[RAX]), LO32(gpr[RBX]), LO32(gpr[RCX]), LO32(gpr[RDX])};
}

FIXTURE(start)
{
    cr4 = 0;
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

TEST(xsave_follows_cr4)
{
    assert_int_equal(answer(&vcpu, 1, 0).ecx & L1_ECX_OSXSAVE, 0);
    cr4 = CR4_OSXSAVE;
    assert_int_equal(answer(&vcpu, 1, 0).ecx & L1_ECX_OSXSAVE, L1_ECX_OSXSAVE);
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

/* A CPU joins with all that guests were told of the first one; caches and names may differ. */
TEST(a_second_cpu_has_what_guests_were_told)
{
    static const struct {
        uint32_t leaf;
        struct cpuid_regs bits;
        const char *named; /* NULL: it joins */
    } others[] = {
        {1, {.eax = UINT32_MAX}, NULL},          /* family, model */
        {2, {1, 2, 3, 4}, NULL},                 /* caches */
        {0x80000006, {.ecx = UINT32_MAX}, NULL}, /* L2 cache */
        {0x80000003, {.edx = 7}, NULL},          /* brand string */
        {7, {.ecx = UINT32_MAX}, NULL},          /* not offered */
        {1, {.ecx = BIT(5)}, NULL},              /* VMX: neither */
        {1, {.ecx = BIT(25)}, "MOVBE POPCNT AES"},
        {7, {.ebx = BIT(5)}, "FSGSBASE BMI1 AVX2 BMI2"},
        {7, {.edx = BIT(10)}, "VERW"},
        {0x80000001, {.edx = BIT(26)}, "1-GByte-pages"},
        {0x80000007, {.edx = BIT(8)}, "invariant TSC"},
    };
    assert_int_equal(cpuid_check_cpu(), 0);
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        without = (typeof(without)){others[i].leaf, others[i].bits};
        stub_log_clear();
        assert_int_equal(cpuid_check_cpu(), others[i].named ? -ENODEV : 0);
        if (others[i].named && !strstr(stub_log, others[i].named))
            fail_msg("%s: not in \"%s\"", others[i].named, stub_log);
    }
    without.leaf = 1;
    without.bits.ecx = BIT(28); /* AVX, which the state that is switched does not allow */
    vmx_caps.xcr0 = 0;
    memset(basic, 0, sizeof(basic));
    without.bits.ecx = 0;
    cpuid_init();
    without.bits.ecx = BIT(28);
    assert_int_equal(cpuid_check_cpu(), 0);
    without.leaf = 0;
    highest = 6; /* leaf 7 is not there, where the last one would be repeated */
    stub_log_clear();
    assert_int_equal(cpuid_check_cpu(), -ENODEV);
    assert_non_null(strstr(stub_log, "FSGSBASE"));
    highest = 0x20;
}

/* A guest whose CR4.OSXSAVE is 0 cannot look at XCR0, but CPUID tells it the size of what it has
 * enabled. */
TEST(xcr0_is_the_guests_from_osxsave_on)
{
    vmx_caps.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    vcpu.xcr0 = XCR0_X87;
    for (unsigned on = 0; on < 2; on++) {
        cr4 = on ? CR4_OSXSAVE : 0;
        registers_reload(&vcpu);
        assert_int_equal(xcr0, on ? XCR0_X87 : vmx_caps.xcr0);
        assert_int_equal(vcpu.extra, on ? LOAD_FPU : 0);
        assert_int_equal(answer(&vcpu, 0xd, 0).ebx, 576);
        assert_int_equal(xcr0, on ? XCR0_X87 : vmx_caps.xcr0);
    }
    assert_int_equal(registers_set_xcr0(&vcpu, XCR0_X87 | XCR0_SSE), 0);
    assert_int_equal(vcpu.extra, LOAD_FPU);
    assert_int_equal(answer(&vcpu, 0xd, 0).ebx, 832);
    assert_int_equal(registers_set_xcr0(&vcpu, vmx_caps.xcr0), 0);
    assert_int_equal(vcpu.extra, 0);
    assert_int_equal(xcr0, vmx_caps.xcr0);
    vmx_caps.xcr0 = 0; /* no XSAVE, and no XSETBV */
    xcr0 = 7;
    registers_reload(&vcpu);
    assert_int_equal(xcr0, 7);
    vcpu.xcr0 = 0;
    cr4 = 0;
}

/* What a switch finds is what the CPU holds: a value that the CPU has refused is not kept. */
TEST(msrs_that_are_kept)
{
    struct vcpu other = {0};
    for (unsigned i = 0; i < VCPU_TSC_AUX; i++) {
        uint64_t before = vcpu.msr_set;
        assert_int_equal(registers_set_msr(&vcpu, kept[i], 7), 0);
        assert_int_equal(written_msr, kept[i]);
        assert_true(vcpu.msr_set > before); /* no vCPU has ever had it */
        assert_int_equal(registers_set_msr(&vcpu, kept[i], UINT64_MAX), -EIO);
        assert_int_equal(vcpu.msr_kept[i], 7);
        written = 0;
        registers_msrs(&vcpu, &other); /* writes the one that differs */
        assert_int_equal(written, 1);
        assert_int_equal(written_msr, kept[i]);
        assert_true(vcpu.msr_set != other.msr_set);
        assert_int_equal(registers_set_msr(&other, kept[i], 7), 0);
        assert_true(vcpu.msr_set != other.msr_set);
        registers_msrs(&vcpu, &other); /* none: the next switch does not look */
        assert_int_equal(written, 1);
        assert_int_equal(vcpu.msr_set, other.msr_set);
    }
    written = 0;
    registers_msrs(NULL, &other); /* what the CPU has is not known */
    assert_int_equal(written, VCPU_TSC_AUX);
    uint64_t set = other.msr_set; /* IA32_TSC_AUX is none of them */
    assert_int_equal(registers_set_msr(&other, MSR_IA32_TSC_AUX, 7), 0);
    assert_int_equal(other.msr_kept[VCPU_TSC_AUX], 7);
    assert_int_equal(other.msr_set, set);
    assert_int_equal(registers_set_msr(&vcpu, MSR_IA32_KERNEL_GS_BASE, 7), -ENOENT);
}

/* After RESET all are 0: one set, whatever the vCPU had before. */
TEST(msrs_after_reset)
{
    static uint8_t area[FXSAVE_SIZE];
    vcpu.fpu = area;
    vmx_caps.xcr0 = 0;
    area_size = sizeof(area);
    assert_int_equal(registers_set_msr(&vcpu, kept[0], 7), 0);
    registers_reset(&vcpu);
    for (unsigned i = 0; i < VCPU_MSR_KEPT; i++)
        assert_int_equal(vcpu.msr_kept[i], 0);
    assert_int_equal(vcpu.msr_set, 0);
    assert_int_equal(vcpu.extra, LOAD_FPU); /* FXSAVE */
    vmx_caps.xcr0 = XCR0_X87;
    registers_reset(&vcpu);
    assert_int_equal(vcpu.extra, 0);
    vcpu.fpu = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(frequency_of_the_tsc, start),
        cmocka_unit_test_setup(widths_of_addresses, start),
        cmocka_unit_test_setup(the_apic_follows_its_enable_bit, start),
        cmocka_unit_test_setup(xsave_follows_cr4, start),
        cmocka_unit_test_setup(limited_cpuid, start),
        cmocka_unit_test_setup(commands_against_leaks, start),
        cmocka_unit_test_setup(a_second_cpu_has_what_guests_were_told, start),
        cmocka_unit_test_setup(size_of_the_state_that_is_offered, start),
        cmocka_unit_test_setup(xcr0_is_the_guests_from_osxsave_on, start),
        cmocka_unit_test(msrs_that_are_kept),
        cmocka_unit_test(msrs_after_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
