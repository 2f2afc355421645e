/* SPDX-License-Identifier: MIT */
/*
 * Which leaks a CPU has, by what it reports.
 * Spec: Intel "CPUID Enumeration and Architectural MSRs".
 */
#include "arch/x86.h"
#include "tests/unit/test.h"
#include <string.h>

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
static uint64_t model_rdmsr(uint32_t msr);
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
#define rdmsr(msr)           model_rdmsr(msr)
#include "arch/leaks.c"

static uint32_t signature, features_ebx, features_edx, leaf_max;
static uint64_t capabilities;

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    assert_int_equal(subleaf, 0);
    if (leaf == 0)
        return (struct cpuid_regs){.eax = leaf_max};
    assert_true(leaf <= leaf_max);
    return leaf == 1 ? (struct cpuid_regs){.eax = signature}
                     : (struct cpuid_regs){.ebx = features_ebx, .edx = features_edx};
}

static uint64_t model_rdmsr(uint32_t msr)
{
    assert_int_equal(msr, 0x10a);
    assert_true(features_edx & BIT(29)); /* else it is #GP */
    return capabilities;
}

/* The names of those that are here. */
static const char *here(void)
{
    static char all[200];
    const char *name;
    bool leaks;
    all[0] = '\0';
    for (unsigned n = 0; leaks_known(n, &name, &leaks); n++)
        if (leaks)
            strcat(strcat(all, name), " ");
    return all;
}

static void cpu(uint32_t id, uint32_t leaves, uint32_t ebx, uint32_t edx, uint64_t caps)
{
    signature = id;
    leaf_max = leaves;
    features_ebx = ebx;
    features_edx = edx;
    capabilities = caps;
}

TEST(by_generation)
{
    cpu(0x206a7, 5, 0, 0, 0); /* Sandy Bridge: reports nothing */
    assert_string_equal(here(), "Meltdown L1TF SSB MDS iTLB-multihit MMIO-stale-data ");
    cpu(0x406e3, 22, BIT(11), 0, 0); /* Skylake, with RTM, before any update */
    assert_string_equal(here(),
                        "Meltdown L1TF SSB MDS iTLB-multihit TAA MMIO-stale-data Downfall ");
    cpu(0x806c1, 27, 0, BIT(29), BIT(0) | BIT(5) | BIT(6) | BIT(13) | BIT(14) | BIT(15));
    assert_string_equal(here(), "SSB Downfall ");   /* Tiger Lake */
    cpu(0x806f8, 32, BIT(11), BIT(29), 0xffffffff); /* Sapphire Rapids: free of all */
    assert_string_equal(here(), "");
    cpu(0x906a3, 32, 0, BIT(29), ~BIT(27)); /* Alder Lake without the update */
    assert_string_equal(here(), "RFDS ");
}

/* One of three bits is not enough. */
TEST(mmio_stale_data)
{
    for (unsigned bit = 13; bit <= 15; bit++) {
        cpu(0x806f8, 32, 0, BIT(29), ~BIT(bit));
        assert_string_equal(here(), "MMIO-stale-data ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_generation),
                                       cmocka_unit_test(mmio_stale_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
