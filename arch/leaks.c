/* SPDX-License-Identifier: MIT */
/*
 * Which leaks this CPU has. The CPU reports that it is free of one by a bit; leaks that were found
 * in some models only stand here with those models, as others have no bit for them.
 * From: monitor/cmd/machine.c.   To: lib/bits.h.
 * Spec: SDM "CPUID-CPU Identification"; Intel "CPUID Enumeration and
 * Architectural MSRs".
 */
#include "arch/leaks.h"
#include "arch/msr.h"
#include "arch/x86.h"
#include "lib/bits.h"

#define CPUID_7_ARCH_CAPABILITIES BIT(29) /* EDX */
#define CPUID_7_RTM               BIT(11) /* EBX */
#define MODELS_MAX                14

static const struct leak {
    const char *name;
    uint32_t free_bits; /* of IA32_ARCH_CAPABILITIES: all of them are 1 in a CPU without it */
    bool needs_rtm;
    uint8_t models[MODELS_MAX]; /* of family 6; none: all */
} leaks[] = {
    {"Meltdown", BIT(0), false, {0}},
    {"L1TF", BIT(0), false, {0}},
    {"SSB", BIT(4), false, {0}},
    {"MDS", BIT(5), false, {0}},
    {"iTLB-multihit", BIT(6), false, {0}},
    {"TAA", BIT(8), true, {0}},
    {"MMIO-stale-data", BIT(13) | BIT(14) | BIT(15), false, {0}},
    {"Downfall",
     BIT(26),
     false,
     {0x4e, 0x5e, 0x55, 0x8e, 0x9e, 0xa5, 0xa6, 0x66, 0x7e, 0x6a, 0x6c, 0x8c, 0x8d, 0xa7}},
    {"RFDS",
     BIT(27),
     false,
     {0x5c, 0x5f, 0x7a, 0x86, 0x96, 0x9c, 0xbe, 0x97, 0x9a, 0xb7, 0xba, 0xbf}},
};

/* SDM "CPUID-CPU Identification": the upper half of the number counts for family 6. */
static uint32_t model_of_this_cpu(void)
{
    uint32_t id = cpuid(1, 0).eax;
    return (uint32_t)(FIELD_GET(BITS(19, 16), id) << 4 | FIELD_GET(BITS(7, 4), id));
}

static bool is_of(const struct leak *l, uint32_t model)
{
    for (unsigned i = 0; i < MODELS_MAX && l->models[i]; i++)
        if (l->models[i] == model)
            return true;
    return !l->models[0];
}

bool leaks_known(unsigned n, const char **name, bool *here)
{
    if (n >= ARRAY_COUNT(leaks))
        return false;
    const struct leak *l = &leaks[n];
    struct cpuid_regs features = {0};
    if (cpuid(0, 0).eax >= 7)
        features = cpuid(7, 0);
    uint64_t safe =
        features.edx & CPUID_7_ARCH_CAPABILITIES ? rdmsr(MSR_IA32_ARCH_CAPABILITIES) : 0;
    *name = l->name;
    *here = (safe & l->free_bits) != l->free_bits && is_of(l, model_of_this_cpu()) &&
            (!l->needs_rtm || (features.ebx & CPUID_7_RTM));
    return true;
}
