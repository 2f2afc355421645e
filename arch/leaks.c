/* SPDX-License-Identifier: MIT */
/*
 * Which leaks this CPU has, and what is done about each. The CPU reports that it is free of one by
 * a bit; leaks that were found in some models only stand here with those models, as others have no
 * bit for them.
 * From: boot/main.c, vmx/vcpu/guards.c, monitor/cmd/machine.c.   To: lib/bits.h, arch/options.c
 * (mitigations=, smt=).
 * Spec: SDM "CPUID-CPU Identification"; Intel "CPUID Enumeration and Architectural MSRs",
 * "Microarchitectural Data Sampling", "L1 Terminal Fault", "Indirect Branch Restricted
 * Speculation", "Post-barrier Return Stack Buffer Predictions".
 */
#include "arch/leaks.h"
#include "arch/cpu.h"
#include "arch/msr.h"
#include "arch/options.h"
#include "arch/x86.h"
#define LOG "leaks"
#include "arch/log.h"

#define CPUID_7_RTM        BIT(11) /* EBX */
#define CPUID_7_2_BHI_CTRL BIT(4)  /* EDX of subleaf 2 */
#define RETURNS_ALL        32      /* no CPU predicts more returns */
#define MODELS_MAX         15

/* What Hamlet can do: EDX of leaf 7, and, above it, bits of other words. */
#define CAN_SRBDS          BIT(9) /* the microcode does it */
#define CAN_VERW           CPUID_7_MD_CLEAR
#define CAN_IBRS           CPUID_7_IBRS
#define CAN_FLUSH          CPUID_7_L1D_FLUSH
#define CAN_VERW_MMIO      BIT(32)
#define CAN_VERW_RFDS      BIT(33)
#define CAN_GDS            BIT(34) /* the microcode does it */
#define CAN_BHI            BIT(35)

static const struct leak {
    const char *name, *done; /* done: if this CPU can do `needs` */
    uint64_t free_bits;      /* of struct facts.safe: all are 1 in a CPU without it; 0: no bit */
    uint64_t needs;
    uint32_t guards;
    uint8_t models[MODELS_MAX]; /* of family 6; none: all */
} leaks[] = {
    {"Spectre-v2", "ibpb+ibrs", 0, CAN_IBRS, LEAKS_IBPB | LEAKS_SPEC_CTRL, {0}},
    {"RSB", "fill", ARCH_PBRSB_NO, 0, LEAKS_RSB, {0}},
    {"BHI", "ibrs", ARCH_BHI_NO, CAN_BHI, 0, {0}},
    {"Meltdown", "guest", ARCH_RDCL_NO, 0, 0, {0}},
    {"L1TF", "flush", ARCH_SKIP_L1DFL, CAN_FLUSH, LEAKS_FLUSH | LEAKS_ONE_THREAD, {0}},
    {"SSB", "guest", ARCH_SSB_NO, 0, 0, {0}},
    {"MDS", "verw", ARCH_MDS_NO, CAN_VERW, LEAKS_VERW | LEAKS_ONE_THREAD, {0}},
    {"iTLB-multihit", "4K", ARCH_PSCHANGE_NO, 0, LEAKS_SMALL, {0}},
    {"TAA", "verw", ARCH_TAA_NO, CAN_VERW, LEAKS_VERW | LEAKS_ONE_THREAD, {0}},
    {"MMIO-stale-data", "verw", ARCH_MMIO_NO, CAN_VERW_MMIO, LEAKS_VERW | LEAKS_ONE_THREAD, {0}},
    {"SRBDS",
     "microcode",
     0,
     CAN_SRBDS,
     0,
     {0x3a, 0x3c, 0x45, 0x46, 0x3d, 0x47, 0x4e, 0x5e, 0x8e, 0x9e}},
    {"Downfall",
     "microcode",
     ARCH_GDS_NO,
     CAN_GDS,
     0,
     {0x4e, 0x5e, 0x55, 0x8e, 0x9e, 0xa5, 0xa6, 0x66, 0x7e, 0x6a, 0x6c, 0x8c, 0x8d, 0xa7}},
    {"RFDS",
     "verw",
     ARCH_RFDS_NO,
     CAN_VERW_RFDS,
     LEAKS_VERW,
     {0x5c, 0x5f, 0x7a, 0x86, 0x96, 0x9c, 0xbe, 0x97, 0x9a, 0xb7, 0xba, 0xbf}},
};

uint32_t leaks_guards, leaks_spec_ctrl, leaks_returns;

/* What this CPU says of itself, made whole: a bit also stands for what follows from others. */
struct facts {
    uint64_t safe; /* IA32_ARCH_CAPABILITIES */
    uint64_t can;  /* CAN_... */
    uint32_t model;
};

/* SDM "CPUID-CPU Identification": the upper half of the number counts for family 6. */
static uint32_t model_of_this_cpu(void)
{
    uint32_t id = cpuid(1, 0).eax;
    return (uint32_t)(FIELD_GET(BITS(19, 16), id) << 4 | FIELD_GET(BITS(7, 4), id));
}

static struct cpuid_regs leaf_7(uint32_t subleaf)
{
    if (cpuid(0, 0).eax < 7 || (subleaf && cpuid(7, 0).eax < subleaf))
        return (struct cpuid_regs){0};
    return cpuid(7, subleaf);
}

static uint64_t capabilities(void)
{
    return leaf_7(0).edx & CPUID_7_ARCH ? rdmsr(MSR_IA32_ARCH_CAPABILITIES) : 0;
}

/* "Microarchitectural Data Sampling": VERW of a CPU that has MDS overwrites fill buffers, too. */
static uint64_t abilities(uint64_t caps)
{
    uint64_t can = leaf_7(0).edx;
    if ((caps & ARCH_FB_CLEAR) || ((can & CAN_VERW) && !(caps & ARCH_MDS_NO)))
        can |= CAN_VERW_MMIO;
    if (caps & ARCH_RFDS_CLEAR)
        can |= CAN_VERW_RFDS;
    if (caps & ARCH_GDS_CTRL)
        can |= CAN_GDS;
    if (leaf_7(2).edx & CPUID_7_2_BHI_CTRL)
        can |= CAN_BHI;
    return can;
}

/* Without RTM there is no TAA, and without enhanced IBRS no BHI that IBRS would leave. */
static struct facts facts_of_this_cpu(void)
{
    uint64_t caps = capabilities(), safe = caps;
    if (caps & ARCH_RDCL_NO)
        safe |= ARCH_SKIP_L1DFL;
    if (!(leaf_7(0).ebx & CPUID_7_RTM))
        safe |= ARCH_TAA_NO;
    if (!(caps & ARCH_IBRS_ALL))
        safe |= ARCH_BHI_NO;
    return (struct facts){safe, abilities(caps), model_of_this_cpu()};
}

static bool is_of(const struct leak *l, uint32_t model)
{
    for (unsigned i = 0; i < MODELS_MAX && l->models[i]; i++)
        if (l->models[i] == model)
            return true;
    return !l->models[0];
}

static bool is_here(const struct leak *l, const struct facts *f)
{
    bool is_free = l->free_bits && (f->safe & l->free_bits) == l->free_bits;
    return !is_free && is_of(l, f->model);
}

static bool is_met(const struct leak *l, const struct facts *f)
{
    return (f->can & l->needs) == l->needs;
}

static uint32_t guards_of(const struct facts *f)
{
    uint32_t guards = 0;
    for (const struct leak *l = leaks; l < leaks + ARRAY_COUNT(leaks); l++)
        if (is_here(l, f) && is_met(l, f))
            guards |= l->guards;
    if (f->safe & ARCH_IBRS_ALL)
        guards &= ~(uint32_t)LEAKS_SPEC_CTRL;
    if (!options.mitigations)
        guards = 0;
    if (options.smt != SMT_AUTO)
        guards = (guards & ~(uint32_t)LEAKS_ONE_THREAD) |
                 (options.smt == SMT_OFF ? (uint32_t)LEAKS_ONE_THREAD : 0);
    return guards;
}

/* Hamlet's own IA32_SPEC_CTRL. With enhanced IBRS the bits of this value stay while a guest runs:
 * no exit has to set them again. */
static uint32_t own_spec_ctrl(const struct facts *f)
{
    uint32_t value = f->can & CAN_IBRS ? (uint32_t)SPEC_CTRL_IBRS : 0;
    if (!(f->safe & ARCH_BHI_NO) && (f->can & CAN_BHI))
        value |= (uint32_t)SPEC_CTRL_BHI_DIS_S;
    return options.mitigations ? value : 0;
}

int leaks_join(void)
{
    struct facts f = facts_of_this_cpu();
    uint32_t guards = guards_of(&f), spec_ctrl = own_spec_ctrl(&f);
    if (this_cpu()->index == 0) {
        leaks_guards = guards;
        leaks_spec_ctrl = spec_ctrl;
        leaks_returns = f.safe & ARCH_IBRS_ALL ? 1 : RETURNS_ALL;
    } else if (guards != leaks_guards || spec_ctrl != leaks_spec_ctrl) {
        return FAIL(ENODEV, "this CPU has other leaks, or commands against them, than the first");
    }
    if (spec_ctrl)
        wrmsr(MSR_IA32_SPEC_CTRL, spec_ctrl);
    return 0;
}

bool leaks_known(unsigned n, const char **name, bool *here, const char **done)
{
    if (n >= ARRAY_COUNT(leaks))
        return false;
    const struct leak *l = &leaks[n];
    struct facts f = facts_of_this_cpu();
    bool by_us = l->guards || l->needs == CAN_BHI;
    *name = l->name;
    *here = is_here(l, &f);
    *done = !is_met(l, &f) ? "NO-MICROCODE" : by_us && !options.mitigations ? "OFF" : l->done;
    return true;
}

uint32_t leaks_guest_bits(void)
{
    static const uint16_t by_ctrl[] = {/* by bit of EDX of subleaf 2 */
                                       BIT(7), BITS(4, 3), BITS(6, 5), BIT(8), BIT(10)};
    uint32_t edx = leaf_7(0).edx, more = leaf_7(2).edx;
    if (!(edx & CPUID_7_IBRS))
        return 0;
    uint32_t bits = BITS(1, 0) | (edx & CPUID_7_SSBD ? BIT(2) : 0);
    for (unsigned i = 0; i < ARRAY_COUNT(by_ctrl); i++)
        if (more & BIT(i))
            bits |= by_ctrl[i];
    return bits;
}

uint32_t leaks_guest_value(uint32_t value)
{
    return value | (capabilities() & ARCH_IBRS_ALL ? leaks_spec_ctrl : 0);
}

/* Not the bits of commands and registers that a guest does not get, nor what is of use to a
 * hypervisor only. */
uint64_t leaks_guest_capabilities(void)
{
    return capabilities() &
           (BITS(2, 0) | ARCH_SSB_NO | ARCH_MDS_NO | ARCH_PSCHANGE_NO | ARCH_TAA_NO | ARCH_MMIO_NO |
            ARCH_FB_CLEAR | BITS(20, 19) | ARCH_PBRSB_NO | ARCH_GDS_NO | ARCH_RFDS_NO |
            ARCH_RFDS_CLEAR | BIT(62));
}
