/* SPDX-License-Identifier: MIT */
/*
 * Which leaks a CPU has, by what it reports, and what is done about each of them.
 * Spec: Intel "CPUID Enumeration and Architectural MSRs".
 */
#include "arch/x86.h"
#include "arch/cpu.h"
#include "arch/options.h"
#include "tests/unit/test.h"
#include <stdio.h>
#include <string.h>

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
static uint64_t model_rdmsr(uint32_t msr);
static void model_wrmsr(uint32_t msr, uint64_t value);
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
#define rdmsr(msr)           model_rdmsr(msr)
#define wrmsr(msr, value)    model_wrmsr(msr, value)
#include "arch/leaks.c"

#define MICROCODE                                                                                  \
    ((uint32_t)(CPUID_7_MD_CLEAR | CPUID_7_IBRS | CPUID_7_STIBP | CPUID_7_L1D_FLUSH |              \
                CPUID_7_ARCH | CPUID_7_SSBD))
#define FREE_OF_ALL                                                                                \
    (BIT(0) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BITS(15, 13) | BIT(20) | BIT(24) |      \
     BIT(26) | BIT(27))

struct options options = {.mitigations = true};
static struct cpu cpus[2], *now = cpus;
static uint32_t signature, features_ebx, features_edx, subleaf_2, leaf_max;
static uint64_t capabilities_msr, written;

struct cpu *this_cpu(void) { return now; }

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0)
        return (struct cpuid_regs){.eax = leaf_max};
    assert_true(leaf <= leaf_max);
    if (subleaf == 2)
        return (struct cpuid_regs){.edx = subleaf_2};
    assert_int_equal(subleaf, 0);
    return leaf == 1 ? (struct cpuid_regs){.eax = signature}
                     : (struct cpuid_regs){
                           .eax = subleaf_2 ? 2 : 0, .ebx = features_ebx, .edx = features_edx};
}

static uint64_t model_rdmsr(uint32_t msr)
{
    assert_int_equal(msr, 0x10a);
    assert_true(features_edx & BIT(29)); /* else it is #GP */
    return capabilities_msr;
}

static void model_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, 0x48);
    assert_true(features_edx & BIT(26));
    written = value;
}

/* The names of those that are here, and what is done. */
static const char *here(void)
{
    static char all[400];
    const char *name, *done;
    bool leaks_so;
    all[0] = '\0';
    for (unsigned n = 0; leaks_known(n, &name, &leaks_so, &done); n++)
        if (leaks_so)
            strcat(strcat(strcat(strcat(all, name), "="), done), " ");
    return all;
}

static void cpu(uint32_t id, uint32_t leaves, uint32_t ebx, uint32_t edx, uint64_t caps)
{
    signature = id;
    leaf_max = leaves;
    features_ebx = ebx;
    features_edx = edx;
    capabilities_msr = caps;
    subleaf_2 = 0;
    now = &cpus[0];
    cpus[1].index = 1;
    options = (struct options){.mitigations = true};
}

static uint32_t guards(void)
{
    written = 0;
    assert_int_equal(leaks_join(), 0);
    assert_int_equal(written, leaks_spec_ctrl);
    return leaks_guards;
}

/* Without an update there is no command; what needs none is done. */
TEST(old_microcode)
{
    cpu(0x206a7, 5, 0, 0, 0); /* Sandy Bridge: reports nothing */
    assert_string_equal(here(), "Spectre-v2=NO-MICROCODE RSB=fill Meltdown=guest "
                                "L1TF=NO-MICROCODE SSB=guest MDS=NO-MICROCODE iTLB-multihit=4K "
                                "MMIO-stale-data=NO-MICROCODE ");
    assert_int_equal(guards(), LEAKS_RSB | LEAKS_SMALL);
    assert_int_equal(leaks_returns, 32);
    assert_int_equal(leaks_guest_bits(), 0);
    assert_int_equal(leaks_guest_capabilities(), 0);
    cpu(0x406e3, 22, BIT(11), 0, 0); /* Skylake, with RTM */
    assert_string_equal(here(), "Spectre-v2=NO-MICROCODE RSB=fill Meltdown=guest "
                                "L1TF=NO-MICROCODE SSB=guest MDS=NO-MICROCODE iTLB-multihit=4K "
                                "TAA=NO-MICROCODE MMIO-stale-data=NO-MICROCODE "
                                "SRBDS=NO-MICROCODE Downfall=NO-MICROCODE ");
}

TEST(new_microcode)
{
    cpu(0x406e3, 22, BIT(11), MICROCODE | BIT(9), BIT(25)); /* Skylake */
    assert_string_equal(here(), "Spectre-v2=ibpb+ibrs RSB=fill Meltdown=guest L1TF=flush SSB=guest "
                                "MDS=verw iTLB-multihit=4K TAA=verw MMIO-stale-data=verw "
                                "SRBDS=microcode Downfall=microcode ");
    assert_int_equal(guards(), LEAKS_EACH_ENTRY | LEAKS_IBPB | LEAKS_SMALL | LEAKS_ONE_THREAD);
    assert_int_equal(leaks_spec_ctrl, 1);
    assert_int_equal(leaks_returns, 32);
    cpu(0x806c1, 27, 0, MICROCODE, 0x1 | BIT(1) | BIT(5) | BIT(6) | BITS(15, 13)); /* Tiger Lake */
    assert_string_equal(here(), "Spectre-v2=ibpb+ibrs RSB=fill BHI=NO-MICROCODE SSB=guest "
                                "Downfall=NO-MICROCODE ");
    assert_int_equal(guards(), LEAKS_IBPB | LEAKS_RSB); /* enhanced IBRS: set once */
    assert_int_equal(leaks_spec_ctrl, 1);
    assert_int_equal(leaks_returns, 1);
    cpu(0x906a3, 32, 0, MICROCODE, (FREE_OF_ALL & ~BIT(27)) | BIT(1)); /* Alder Lake, no update */
    assert_string_equal(here(), "Spectre-v2=ibpb+ibrs RFDS=NO-MICROCODE ");
    capabilities_msr |= BIT(28);
    assert_string_equal(here(), "Spectre-v2=ibpb+ibrs RFDS=verw ");
    assert_int_equal(guards(), LEAKS_IBPB | LEAKS_VERW); /* nothing of a sibling's is read */
}

TEST(free_of_all)
{
    cpu(0x806f8, 32, BIT(11), (uint32_t)CPUID_7_ARCH, FREE_OF_ALL);
    assert_string_equal(here(), "Spectre-v2=NO-MICROCODE ");
    assert_int_equal(guards(), 0);
    assert_int_equal(leaks_spec_ctrl, 0);
}

/* One of three bits is not enough. VERW helps by FB_CLEAR, or where MDS made it do so. */
TEST(mmio_stale_data)
{
    for (unsigned bit = 13; bit <= 15; bit++) {
        cpu(0x806f8, 32, 0, (uint32_t)(CPUID_7_ARCH | CPUID_7_MD_CLEAR), FREE_OF_ALL & ~BIT(bit));
        assert_string_equal(here(), "Spectre-v2=NO-MICROCODE MMIO-stale-data=NO-MICROCODE ");
        assert_int_equal(guards(), 0);
        capabilities_msr |= BIT(17);
        assert_int_equal(guards(), LEAKS_VERW | LEAKS_ONE_THREAD);
    }
    cpu(0x806f8, 32, 0, (uint32_t)(CPUID_7_ARCH | CPUID_7_MD_CLEAR),
        FREE_OF_ALL & ~(BIT(5) | BIT(13)));
    assert_string_equal(here(), "Spectre-v2=NO-MICROCODE MDS=verw MMIO-stale-data=verw ");
}

/* A hypervisor below that empties the L1 cache has a bit for it. */
TEST(l1tf_by_the_hypervisor_below)
{
    cpu(0x50654, 22, 0, MICROCODE, FREE_OF_ALL & ~(BIT(0) | BIT(3)));
    assert_true(guards() & LEAKS_FLUSH);
    capabilities_msr |= BIT(3);
    assert_false(guards() & LEAKS_FLUSH);
    cpu(0x50654, 22, 0, MICROCODE, FREE_OF_ALL & ~BIT(3)); /* RDCL_NO */
    assert_false(guards() & LEAKS_FLUSH);
}

TEST(branch_history)
{
    cpu(0x906a3, 32, 0, MICROCODE, (FREE_OF_ALL & ~BIT(20)) | BIT(1));
    subleaf_2 = BIT(4);
    assert_string_equal(here(), "Spectre-v2=ibpb+ibrs BHI=ibrs ");
    assert_int_equal(guards(), LEAKS_IBPB);
    assert_int_equal(leaks_spec_ctrl, BIT(10) | 1);
    assert_int_equal(leaks_guest_bits(), BITS(2, 0) | BIT(10));
    assert_int_equal(leaks_guest_value(4), BIT(10) | 5); /* what is Hamlet's stays */
    capabilities_msr |= BIT(20);
    assert_int_equal((guards(), leaks_spec_ctrl), 1);
}

/* Without enhanced IBRS nothing of Hamlet's slows the guest down. */
TEST(what_a_guest_has)
{
    cpu(0x406e3, 22, 0, MICROCODE, 0);
    assert_int_not_equal(guards(), 0);
    assert_int_equal(leaks_guest_value(0), 0);
    assert_int_equal(leaks_guest_value(5), 5);
    assert_int_equal(leaks_guest_bits(), BITS(2, 0));
    features_edx &= ~(uint32_t)CPUID_7_SSBD;
    assert_int_equal(leaks_guest_bits(), BITS(1, 0));
    static const uint32_t by_ctrl[] = {0x80, 0x18, 0x60, 0x100, 0x400};
    for (unsigned i = 0; i < ARRAY_COUNT(by_ctrl); i++) {
        subleaf_2 = (uint32_t)BIT(i);
        assert_int_equal(leaks_guest_bits(), by_ctrl[i] | BITS(1, 0));
    }
    subleaf_2 = (uint32_t)BIT(5);
    assert_int_equal(leaks_guest_bits(), BITS(1, 0));
    capabilities_msr = UINT64_MAX;
    assert_int_equal(leaks_guest_capabilities(), UINT64_C(0x400000001d1ae177));
    leaf_max = 7;
    assert_int_not_equal(leaks_guest_capabilities(), 0);
    leaf_max = 6; /* a firmware may limit CPUID */
    assert_int_equal(leaks_guest_capabilities(), 0);
    assert_int_equal(leaks_guest_bits(), 0);
}

TEST(as_the_options_say)
{
    cpu(0x406e3, 22, 0, MICROCODE, 0);
    options.smt = SMT_ON;
    assert_false(guards() & LEAKS_ONE_THREAD);
    options.mitigations = false;
    assert_int_equal(guards(), 0);
    assert_int_equal(leaks_spec_ctrl, 0);
    assert_non_null(strstr(here(), "Spectre-v2=OFF RSB=OFF Meltdown=guest L1TF=OFF SSB=guest"));
    options.smt = SMT_OFF;
    assert_int_equal(guards(), LEAKS_ONE_THREAD);
    cpu(0x806f8, 32, 0, (uint32_t)CPUID_7_ARCH, FREE_OF_ALL);
    options.smt = SMT_OFF;
    assert_int_equal(guards(), LEAKS_ONE_THREAD);
}

/* vCPUs move between CPUs, so each has to need, and be able to do, the same. */
TEST(cpus_that_differ)
{
    cpu(0x906a3, 32, 0, MICROCODE, FREE_OF_ALL | BIT(1));
    assert_int_equal(guards(), LEAKS_IBPB);
    now = &cpus[1];
    assert_int_equal(leaks_join(), 0);
    capabilities_msr &= ~BIT(5);
    assert_int_equal(leaks_join(), -ENODEV);
    capabilities_msr |= BIT(5);
    features_edx &= ~(uint32_t)CPUID_7_IBRS;
    assert_int_equal(leaks_join(), -ENODEV);
    assert_int_equal(leaks_guards, LEAKS_IBPB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_microcode),    cmocka_unit_test(new_microcode),
        cmocka_unit_test(free_of_all),      cmocka_unit_test(mmio_stale_data),
        cmocka_unit_test(branch_history),   cmocka_unit_test(l1tf_by_the_hypervisor_below),
        cmocka_unit_test(what_a_guest_has), cmocka_unit_test(as_the_options_say),
        cmocka_unit_test(cpus_that_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
