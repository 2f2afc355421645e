/* SPDX-License-Identifier: MIT */
/*
 * CPUID bit by bit, of a CPU that has every feature: what guests see of each leaf, what is missing
 * where Hamlet or a control of the CPU does not carry it, and the bits of CR4 that follow; XSETBV.
 * From: make unit.   To: vmx/exit/cpuid.c.
 * Spec: SDM "CPUID-CPU Identification", "Control Registers".
 */
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <string.h>

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
#include "vmx/exit/cpuid.c"

struct vmx_caps vmx_caps;
static struct vcpu vcpu;
static unsigned faults;

static struct {
    uint32_t leaf;
    struct cpuid_regs bits;
} without; /* what this CPU lacks */

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    struct cpuid_regs r = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    if (leaf == 0)
        r = (struct cpuid_regs){.eax = 0x20};
    if (leaf == LEAF_EXTENDED)
        r = (struct cpuid_regs){.eax = 0x80000008};
    if (leaf == without.leaf) {
        r.eax &= ~without.bits.eax;
        r.ebx &= ~without.bits.ebx;
        r.ecx &= ~without.bits.ecx;
        r.edx &= ~without.bits.edx;
    }
    return r;
}
uint64_t vmread(enum vmcs_field field) { return (void)field, 0; }
uint64_t time_tsc_khz(void) { return 2900000; }
enum exit_action inject_gp(struct vcpu *v) { return (void)v, faults++, RESUME_SAME; }
struct cpuid_regs registers_cpuid(const struct vcpu *v, uint32_t subleaf)
{
    assert_ptr_equal(v, &vcpu);
    return (struct cpuid_regs){64, 832 + 64 * subleaf, 2, 3};
}
uint32_t registers_area_size(void) { return 1234; }
static uint64_t xcr0;
int registers_set_xcr0(struct vcpu *v, uint64_t value)
{
    assert_ptr_equal(v, &vcpu);
    xcr0 = value;
    return value & XCR0_X87 ? 0 : -EINVAL;
}

/* The exit, after all requests of the vCPU were attended to. */
static struct cpuid_regs answer(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const uint64_t *gpr = v->regs.gpr;
    cpuid_reload(v);
    v->regs.gpr[RAX] = leaf;
    v->regs.gpr[RCX] = subleaf;
    assert_int_equal(exit_cpuid(v), RESUME_NEXT);
    return (struct cpuid_regs){(uint32_t)gpr[RAX], (uint32_t)gpr[RBX], (uint32_t)gpr[RCX],
                               (uint32_t)gpr[RDX]};
}

static uint64_t bits_of(const uint8_t *bits, unsigned count)
{
    uint64_t set = 0;
    while (count)
        set |= BIT(bits[--count]);
    return set;
}
#define SET(...) bits_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Prepared again, after `vmx_caps` or `without` has changed. */
static void prepare(void)
{
    memset(basic, 0, sizeof(basic));
    memset(extended, 0, sizeof(extended));
    vmx_caps.guest_cr4 = 0;
    cpuid_init();
}

FIXTURE(start)
{
    vcpu = (struct vcpu){0};
    without = (typeof(without)){0, {0}};
    vmx_caps = (struct vmx_caps){.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX};
    prepare();
    return 0;
}

TEST(features_of_a_full_cpu)
{
    vmx_caps.invpcid = vmx_caps.rdtscp = true;
    vmx_caps.xcr0 |= XCR0_AVX512;
    prepare();
    vcpu.index = 5;
    vcpu.apic_base = APIC_BASE_EN;
    struct cpuid_regs r = answer(&vcpu, 1, 0);
    assert_int_equal(r.eax, UINT32_MAX);
    assert_int_equal(r.ebx, 5 << 24 | 1 << 16 | 0xffff);
    assert_int_equal(r.ecx,
                     SET(0, 1, 9, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31));
    assert_int_equal(r.edx, SET(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 19, 23,
                                24, 25, 26, 27));
    assert_int_equal(answer(&vcpu, 7, 0).ebx,
                     SET(0, 1, 3, 5, 7, 8, 9, 10, 13, 16, 17, 18, 19, 20, 23, 24, 28, 29, 30, 31));
    assert_int_equal(answer(&vcpu, 7, 0).ecx, 0);
    assert_int_equal(answer(&vcpu, 0x80000001, 0).ecx, SET(0, 5, 8));
    assert_int_equal(answer(&vcpu, 0x80000001, 0).edx, SET(11, 20, 26, 27, 29));
}

/* What is missing because Hamlet, or a control of the CPU, does not carry it. */
TEST(features_that_are_not_carried)
{
    vmx_caps.invpcid = vmx_caps.rdtscp = true;
    vmx_caps.xcr0 |= XCR0_AVX512;
    prepare();
    uint32_t ecx = answer(&vcpu, 1, 0).ecx, ebx = answer(&vcpu, 7, 0).ebx;
    uint32_t edx = answer(&vcpu, 0x80000001, 0).edx;
    vmx_caps.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    prepare();
    assert_int_equal(answer(&vcpu, 1, 0).ecx, ecx);
    assert_int_equal(answer(&vcpu, 7, 0).ebx, ebx & ~SET(16, 17, 28, 30, 31));
    vmx_caps.xcr0 = XCR0_X87 | XCR0_SSE;
    prepare();
    assert_int_equal(answer(&vcpu, 1, 0).ecx, ecx & ~SET(12, 28, 29));
    assert_int_equal(answer(&vcpu, 7, 0).ebx, ebx & ~SET(5, 16, 17, 28, 30, 31));
    vmx_caps.xcr0 = 0;
    prepare();
    assert_int_equal(answer(&vcpu, 1, 0).ecx, ecx & ~SET(12, 26, 28, 29));
    vmx_caps.invpcid = false;
    prepare();
    assert_int_equal(answer(&vcpu, 7, 0).ebx, ebx & ~SET(5, 10, 16, 17, 28, 30, 31));
    assert_int_equal(answer(&vcpu, 0x80000001, 0).edx, edx);
    vmx_caps.rdtscp = false;
    prepare();
    assert_int_equal(answer(&vcpu, 0x80000001, 0).edx, edx & ~SET(27));
}

/* SDM "Control Registers": each bit of CR4 goes with one feature. */
TEST(cr4_follows_the_features)
{
    static const struct {
        uint64_t cr4;
        uint32_t leaf;
        struct cpuid_regs bits;
    } rows[] = {
        {BIT(0) | BIT(1), 1, {.edx = BIT(1)}}, /* VME, PVI */
        {BIT(2), 1, {.edx = BIT(4)}},          /* TSD */
        {BIT(3), 1, {.edx = BIT(2)}},          /* DE */
        {BIT(4), 1, {.edx = BIT(3)}},          /* PSE */
        {BIT(5), 1, {.edx = BIT(6)}},          /* PAE */
        {BIT(6), 1, {.edx = BIT(7)}},          /* MCE */
        {BIT(7), 1, {.edx = BIT(13)}},         /* PGE */
        {BIT(8), 1, {.edx = BIT(0)}},          /* PCE */
        {BIT(9), 1, {.edx = BIT(24)}},         /* OSFXSR */
        {BIT(10), 1, {.edx = BIT(25)}},        /* OSXMMEXCPT */
        {BIT(16), 7, {.ebx = BIT(0)}},         /* FSGSBASE */
        {BIT(17), 1, {.ecx = BIT(17)}},        /* PCIDE */
        {BIT(18), 1, {.ecx = BIT(26)}},        /* OSXSAVE */
        {BIT(20), 7, {.ebx = BIT(7)}},         /* SMEP */
        {BIT(21), 7, {.ebx = BIT(20)}},        /* SMAP */
    };
    const uint64_t all = BITS(10, 0) | BITS(18, 16) | BITS(21, 20);
    prepare();
    assert_int_equal(vmx_caps.guest_cr4, all);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        without = (typeof(without)){rows[i].leaf, rows[i].bits};
        prepare();
        assert_int_equal(vmx_caps.guest_cr4, all & ~rows[i].cr4);
    }
}

/* --- Other leaves ----------------------------------------------------------------------------- */

static void assert_answer(uint32_t leaf, uint32_t subleaf, struct cpuid_regs wanted)
{
    struct cpuid_regs r = answer(&vcpu, leaf, subleaf);
    if (memcmp(&r, &wanted, sizeof(r)) != 0)
        fail_msg("leaf %x.%x: %x %x %x %x", leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
}

TEST(other_leaves)
{
    const struct cpuid_regs none = {0};
    const uint32_t nothing[] = {0x3,        0x5,        0x8,        0xa,        0x14,
                                0x17,       0x1f,       0x3fffffff, 0x40000001, 0x7fffffff,
                                0x80000005, 0x80000009, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_COUNT(nothing); i++)
        assert_answer(nothing[i], 0, none);
    assert_answer(0, 0, (struct cpuid_regs){0x16, 0, 0, 0}); /* the model has no name */
    assert_answer(2, 0, (struct cpuid_regs){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX});
    assert_answer(4, 3, (struct cpuid_regs){0x3fff, UINT32_MAX, UINT32_MAX, UINT32_MAX});
    assert_answer(6, 0, (struct cpuid_regs){.eax = 4});
    assert_answer(7, 1, none);
    assert_answer(7, 3, none);
    assert_answer(0x16, 0, (struct cpuid_regs){2900, 2900, 0, 0});
    assert_answer(0x80000000, 0, (struct cpuid_regs){.eax = 0x80000008});
    assert_answer(0x80000006, 0, (struct cpuid_regs){.ecx = UINT32_MAX});
    assert_answer(0x80000007, 0, (struct cpuid_regs){.edx = BIT(8)});
    vcpu.index = 6;
    assert_answer(0xb, 0x102, (struct cpuid_regs){.ecx = 2, .edx = 6});
    assert_answer(0xb, 0x1ff, (struct cpuid_regs){.ecx = 0xff, .edx = 6});
    struct cpuid_regs name = answer(&vcpu, 0x40000000, 0);
    assert_int_equal(name.eax, 0x40000000);
    assert_memory_equal(&name.ebx, "HamletHamlet", 12);
}

/* registers_cpuid() says 64, 832 + 64 * subleaf, 2, 3. */
TEST(subleaves_of_xsave)
{
    const struct cpuid_regs none = {0};
    vmx_caps.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    assert_answer(0xd, 1, (struct cpuid_regs){.ebx = 832 + 64}); /* EAX bits 2:0 of 64 */
    assert_answer(0xd, 2, (struct cpuid_regs){64, 832 + 128, 2, 3});
    assert_answer(0xd, 3, none);
    assert_answer(0xd, 5, none);
    vmx_caps.xcr0 |= XCR0_AVX512;
    assert_answer(0xd, 7, (struct cpuid_regs){64, 832 + 64 * 7, 2, 3});
    assert_answer(0xd, 8, none);
    assert_answer(0xd, 66, none); /* bit 66 - 64 is on */
    assert_answer(0xd, 0, (struct cpuid_regs){0xe7, 832, 1234, 0});
    vmx_caps.xcr0 = 0;
    for (unsigned subleaf = 0; subleaf < 3; subleaf++)
        assert_answer(0xd, subleaf, none);
}

/* SDM "XSETBV-Set Extended Control Register": ECX, and EDX:EAX; the upper halves do not count. */
TEST(an_xsetbv)
{
    static const struct {
        uint64_t rcx, rdx, rax;
        bool good;
    } rows[] = {{0, 0, 7, true},
                {BIT(32), BIT(33) | 0x10, BIT(34) | 7, true},
                {1, 0, 7, false},
                {0, 0, 6, false}};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        vcpu.regs.gpr[RCX] = rows[i].rcx;
        vcpu.regs.gpr[RDX] = rows[i].rdx;
        vcpu.regs.gpr[RAX] = rows[i].rax;
        faults = 0;
        assert_int_equal(exit_xsetbv(&vcpu), rows[i].good ? RESUME_NEXT : RESUME_SAME);
        assert_int_equal(faults, !rows[i].good);
        if (rows[i].good)
            assert_int_equal(xcr0, (rows[i].rdx & UINT32_MAX) << 32 | (rows[i].rax & UINT32_MAX));
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        T(features_of_a_full_cpu),   T(features_that_are_not_carried),
        T(cr4_follows_the_features), T(other_leaves),
        T(subleaves_of_xsave),       T(an_xsetbv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
