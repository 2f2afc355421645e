/* SPDX-License-Identifier: MIT */
/*
 * The CPU that a guest sees: the host's CPU less what Hamlet does not carry, by an explicit
 * list. A bit that no row lets through is 0. The answers are prepared, because CPUID itself may be
 * slow: it exits if Hamlet runs under another hypervisor. Leaf 1 is prepared for each vCPU, again
 * when a register changes that it depends on; in other leaves an exit adds what depends on the
 * moment.
 * From: vmx/run/run.c (exit table), vmx/run/init.c (cpuid_init).
 * To: vmx/vcpu/registers.c (XSETBV), vmx/caps.h (CR4 follows what is offered here).
 * Hot: kernels execute CPUID to serialize.
 * Spec: SDM "CPUID-CPU Identification"; "Determination of Hypervisor Presence" is a
 * convention, not SDM.
 */
#include "vmx/exit/exit.h"
#include "vmx/caps.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vmcs.h"
#include "arch/msr.h"
#include "arch/time.h"
#define LOG "vmx"
#include "arch/log.h"

#define ALL                 UINT32_MAX
#define NONE                0
#define LEAF_EXTENDED       0x80000000u
#define LEAF_HYPERVISOR     0x40000000u
#define BASIC_COUNT         0x17
#define EXTENDED_COUNT      9

/* Leaf 1 */
#define L1_ECX_X2APIC       BIT(21)
#define L1_ECX_TSC_DEADLINE BIT(24)
#define L1_ECX_XSAVE        BIT(26)
#define L1_ECX_OSXSAVE      BIT(27)
#define L1_ECX_AVX          BIT(28)
#define L1_EDX_APIC         BIT(9)
#define L1_EBX_APIC_ID      BITS(31, 24)
#define L1_EBX_CPU_COUNT    BITS(23, 16)
/* Leaf 80000008H */
#define L88_EAX_PHYSICAL    BITS(7, 0)
#define L88_EAX_LINEAR      BITS(15, 8)
#define LINEAR_WIDTH        48 /* 57 bits only with LA57, which guests are not offered */
/* Leaf 4 */
#define L4_EAX_SHARING      (BITS(31, 26) | BITS(25, 14))
/* Bits of CR4 that Hamlet itself does not use */
#define CR4_VME_PVI         BITS(1, 0)
#define CR4_TSD             BIT(2)
#define CR4_PCE             BIT(8)
/* Leaf 7 */
#define L7_EBX_AVX512       (BITS(17, 16) | BIT(28) | BITS(31, 30))
#define L7_EBX_INVPCID      BIT(10)
#define L7_EBX_TSC_ADJUST   BIT(1)

/* One row per thing that a guest may see; rows of the same leaf add up. */
static const struct cpuid_row {
    uint32_t leaf;
    struct cpuid_regs mask;
    const char *why;
} rows[] = {
    {0x0, {NONE, ALL, ALL, ALL}, "vendor; the highest leaf is ours"},
    {0x1, {ALL, BITS(15, 0), NONE, NONE}, "family, model, stepping, brand, CLFLUSH size"},
    {0x1, {0, 0, BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13), 0}, "SSE3 PCLMUL SSSE3 FMA CX16"},
    {0x1, {0, 0, BIT(17) | BIT(19) | BIT(20), 0}, "PCID SSE4.1 SSE4.2"},
    {0x1, {0, 0, BIT(22) | BIT(23) | BIT(25), 0}, "MOVBE POPCNT AES"},
    {0x1, {0, 0, L1_ECX_XSAVE, 0}, "XSAVE: registers.c switches the state"},
    {0x1, {0, 0, L1_ECX_AVX | BIT(29) | BIT(30), 0}, "AVX F16C RDRAND"},
    {0x1, {0, 0, 0, BITS(6, 0)}, "FPU VME DE PSE TSC MSR PAE"},
    {0x1, {0, 0, 0, BIT(8) | BIT(9) | BIT(11)}, "CX8, APIC, SYSENTER"},
    {0x1, {0, 0, 0, BIT(7) | BIT(14)}, "MCE, MCA: machine checks, from no bank at all"},
    {0x1, {0, 0, 0, BIT(12) | BIT(13) | BIT(15) | BIT(16) | BIT(17)}, "MTRR PGE CMOV PAT PSE-36"},
    {0x1, {0, 0, 0, BIT(19) | BITS(27, 23)}, "CLFLUSH MMX FXSR SSE SSE2 self-snoop"},
    {0x2, {ALL, ALL, ALL, ALL}, "caches, as descriptors"},
    {0x7, {ALL, NONE, NONE, NONE}, "the highest subleaf; subleaf 1 is empty"},
    {0x7, {NONE, BIT(0) | BIT(3) | BIT(5) | BIT(8), 0, 0}, "FSGSBASE BMI1 AVX2 BMI2"},
    {0x7, {NONE, L7_EBX_TSC_ADJUST, 0, 0}, "IA32_TSC_ADJUST: by how much the TSC was moved"},
    {0x7, {NONE, BIT(7) | BIT(20), 0, 0}, "SMEP SMAP: their bits of CR4 are the guest's"},
    {0x7, {NONE, BIT(9) | L7_EBX_INVPCID | BIT(13), 0, 0}, "REP MOVSB, INVPCID, no FPU CS/DS"},
    {0x7,
     {NONE, BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29), 0, 0},
     "RDSEED ADX CLFLUSHOPT CLWB SHA"},
    {0x7,
     {0, 0, 0, CPUID_7_IBRS | CPUID_7_STIBP | CPUID_7_SSBD | CPUID_7_ARCH},
     "IA32_SPEC_CTRL, IA32_PRED_CMD, IA32_ARCH_CAPABILITIES"},
    {0x7, {0, 0, 0, CPUID_7_MD_CLEAR | CPUID_7_L1D_FLUSH}, "VERW, IA32_FLUSH_CMD"},
    {0x7, {NONE, L7_EBX_AVX512, 0, 0}, "AVX-512 F DQ CD BW VL: registers.c switches the state"},
    {0x80000001, {ALL, NONE, BIT(0) | BIT(5) | BIT(8), 0}, "LAHF LZCNT PREFETCHW"},
    {0x80000001,
     {0, 0, 0, BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29)},
     "SYSCALL NX 1-GByte-pages RDTSCP 64-bit"},
    {0x80000002, {ALL, ALL, ALL, ALL}, "brand string"},
    {0x80000003, {ALL, ALL, ALL, ALL}, "brand string"},
    {0x80000004, {ALL, ALL, ALL, ALL}, "brand string"},
    {0x80000006, {NONE, NONE, ALL, NONE}, "L2 cache"},
    {0x80000007, {NONE, NONE, NONE, BIT(8)}, "invariant TSC"},
    {0x80000008, {L88_EAX_PHYSICAL, NONE, NONE, NONE}, "width of physical addresses"},
};

/* The prepared answers, of leaves 0... and 0x80000000... */
static struct cpuid_regs basic[BASIC_COUNT], extended[EXTENDED_COUNT];

static struct cpuid_regs *answer_of(uint32_t leaf)
{
    if (leaf < BASIC_COUNT)
        return &basic[leaf];
    if (leaf - LEAF_EXTENDED < EXTENDED_COUNT)
        return &extended[leaf - LEAF_EXTENDED];
    return NULL;
}

/* A kernel without a PIT cannot measure its TSC. The CPU's own answer may be wrong (on an
 * emulator), so the guest gets the frequency that Hamlet measured. The "crystal" is the clock of
 * the local APIC's timer, and the TSC is EBX times as fast. Its frequency has 32 bits. */
static void frequencies_fill(void)
{
    uint32_t mhz = (uint32_t)(time_tsc_khz() / 1000);
    uint64_t crystal = time_tsc_khz() * 1000 / VCPU_TSC_RATIO;
    basic[0x15] = (struct cpuid_regs){.eax = 1, .ebx = VCPU_TSC_RATIO, .ecx = (uint32_t)crystal};
    basic[0x16] = (struct cpuid_regs){.eax = mhz, .ebx = mhz, .ecx = 0};
}

/* Features that depend on more than the CPU. */
static void cpuid_adjust(void)
{
    bool avx = vmx_caps.xcr0 & XCR0_AVX;
    basic[0].eax = BASIC_COUNT - 1;
    basic[1].ecx |= L1_ECX_X2APIC | CPUID_1_HYPERVISOR | L1_ECX_TSC_DEADLINE;
    basic[1].ebx |= FIELD_SET(L1_EBX_CPU_COUNT, 1);
    if (!vmx_caps.xcr0)
        basic[1].ecx &= ~(uint32_t)L1_ECX_XSAVE;
    if (!avx) {
        basic[1].ecx &= ~(uint32_t)(L1_ECX_AVX | BIT(29) | BIT(12));
        basic[7].ebx &= ~(uint32_t)BIT(5);
    }
    if (!(vmx_caps.xcr0 & XCR0_AVX512))
        basic[7].ebx &= ~(uint32_t)L7_EBX_AVX512;
    if (!vmx_caps.invpcid)
        basic[7].ebx &= ~(uint32_t)L7_EBX_INVPCID;
    if (!vmx_caps.rdtscp)
        extended[1].edx &= ~(uint32_t)BIT(27);
    vmx_caps.guest_commands = basic[7].edx;
    basic[7].eax = MIN(basic[7].eax, 2u);
    basic[6].eax = (uint32_t)BIT(2); /* the APIC timer never stops */
    frequencies_fill();
    extended[8].eax |= FIELD_SET(L88_EAX_LINEAR, LINEAR_WIDTH);
    extended[0].eax = MIN(cpuid(LEAF_EXTENDED, 0).eax, LEAF_EXTENDED + EXTENDED_COUNT - 1);
}

/* SDM "Control Registers": a bit of CR4 whose feature is not offered is reserved. */
static void cr4_derive(void)
{
    static const struct {
        uint64_t cr4;
        const uint32_t *reg;
        uint32_t feature;
    } needs[] = {
        {CR4_VME_PVI, &basic[1].edx, BIT(1)},  {CR4_TSD, &basic[1].edx, BIT(4)},
        {CR4_DE, &basic[1].edx, BIT(2)},       {CR4_PSE, &basic[1].edx, BIT(3)},
        {CR4_PAE, &basic[1].edx, BIT(6)},      {CR4_PGE, &basic[1].edx, BIT(13)},
        {CR4_PCE, &basic[1].edx, BIT(0)},      {CR4_MCE, &basic[1].edx, BIT(7)},
        {CR4_OSFXSR, &basic[1].edx, BIT(24)},  {CR4_OSXMMEXCPT, &basic[1].edx, BIT(25)},
        {CR4_FSGSBASE, &basic[7].ebx, BIT(0)}, {CR4_PCIDE, &basic[1].ecx, BIT(17)},
        {CR4_OSXSAVE, &basic[1].ecx, BIT(26)}, {CR4_SMEP, &basic[7].ebx, BIT(7)},
        {CR4_SMAP, &basic[7].ebx, BIT(20)},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(needs); i++)
        if (*needs[i].reg & needs[i].feature)
            vmx_caps.guest_cr4 |= needs[i].cr4;
}

/* Zeroes, if the CPU has no such leaf. */
static COLD struct cpuid_regs host_leaf(uint32_t leaf)
{
    bool has = leaf <= cpuid(leaf & LEAF_EXTENDED, 0).eax;
    return has ? cpuid(leaf, 0) : (struct cpuid_regs){0};
}

COLD void cpuid_init(void)
{
    for (const struct cpuid_row *row = rows; row < rows + ARRAY_COUNT(rows); row++) {
        struct cpuid_regs host = host_leaf(row->leaf), *to = answer_of(row->leaf);
        to->eax |= host.eax & row->mask.eax;
        to->ebx |= host.ebx & row->mask.ebx;
        to->ecx |= host.ecx & row->mask.ecx;
        to->edx |= host.edx & row->mask.edx;
    }
    cpuid_adjust();
    cr4_derive();
}

/* A register that passes as a whole describes the CPU: it promises nothing. */
static bool breaks(uint32_t told, uint32_t mask, uint32_t here)
{
    return mask != ALL && (told & mask & ~here);
}

COLD int cpuid_check_cpu(void)
{
    for (const struct cpuid_row *row = rows; row < rows + ARRAY_COUNT(rows); row++) {
        struct cpuid_regs here = host_leaf(row->leaf), *told = answer_of(row->leaf);
        if (breaks(told->eax, row->mask.eax, here.eax) ||
            breaks(told->ebx, row->mask.ebx, here.ebx) ||
            breaks(told->ecx, row->mask.ecx, here.ecx) ||
            breaks(told->edx, row->mask.edx, here.edx))
            return FAIL(ENODEV, "this CPU differs from the first one: one of \"%s\"", row->why);
    }
    return 0;
}

/* EBX of subleaf 0 is the size of the enabled state: right, as the guest's XCR0 is in the CPU. ECX
 * is that of all state that the guest could enable. */
static struct cpuid_regs leaf_xsave(const struct vcpu *v, uint32_t subleaf)
{
    if (!vmx_caps.xcr0 || subleaf > 7 || (subleaf > 1 && !(vmx_caps.xcr0 & BIT(subleaf))))
        return (struct cpuid_regs){0};
    struct cpuid_regs host = registers_cpuid(v, subleaf);
    if (subleaf == 0) {
        host.eax = LO32(vmx_caps.xcr0);
        host.ecx = registers_area_size();
        host.edx = HI32(vmx_caps.xcr0);
    } else if (subleaf == 1) {
        /* XSAVEC is offered, so EBX holds a size; XSAVES and IA32_XSS are not */
        host = (struct cpuid_regs){.eax = host.eax & (uint32_t)BITS(2, 0), .ebx = host.ebx};
    }
    return host;
}

/* Each vCPU is a package of its own, so no cache is shared. */
static struct cpuid_regs leaf_caches(uint32_t subleaf)
{
    struct cpuid_regs r = cpuid(4, subleaf);
    r.eax &= ~(uint32_t)L4_EAX_SHARING;
    return r;
}

/* Subleaf 2 of leaf 7: which bits IA32_SPEC_CTRL has, and that MXCSR does not change timing. */
static struct cpuid_regs leaf_spec_ctrl(void)
{
    if (basic[7].eax < 2)
        return (struct cpuid_regs){0};
    return (struct cpuid_regs){.edx = cpuid(7, 2).edx & (uint32_t)BITS(5, 0)};
}

/* Leaf 1, which kernels execute to serialize: some bits of it follow registers of the guest. */
COLD void cpuid_reload(struct vcpu *v)
{
    struct cpuid_regs r = basic[1];
    r.ebx |= FIELD_SET(L1_EBX_APIC_ID, v->index);
    if (vmread(GUEST_CR4) & CR4_OSXSAVE)
        r.ecx |= L1_ECX_OSXSAVE;
    if (!(v->apic_base & APIC_BASE_EN))
        r.edx &= ~(uint32_t)L1_EDX_APIC;
    v->features = r;
}

static COLD struct cpuid_regs other_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const struct cpuid_regs none = {0};
    const struct cpuid_regs *prepared = answer_of(leaf);
    switch (leaf) {
    case 0x4:
        return leaf_caches(subleaf);
    case 0x7:
        return subleaf == 0 ? *prepared : subleaf == 2 ? leaf_spec_ctrl() : none;
    case 0xb: /* the x2APIC id; no levels above the thread */
        return (struct cpuid_regs){.ecx = subleaf & (uint32_t)BITS(7, 0), .edx = v->index};
    case 0xd:
        return leaf_xsave(v, subleaf);
    case LEAF_HYPERVISOR: /* "HamletHamlet", four letters to a register */
        return (struct cpuid_regs){LEAF_HYPERVISOR, 0x6c6d6148, 0x61487465, 0x74656c6d};
    }
    return prepared ? *prepared : none;
}

static inline enum exit_action reply(struct vcpu *v, const struct cpuid_regs *r)
{
    uint64_t *gpr = v->regs.gpr;
    gpr[RAX] = r->eax;
    gpr[RBX] = r->ebx;
    gpr[RCX] = r->ecx;
    gpr[RDX] = r->edx;
    return RESUME_NEXT;
}

static COLD enum exit_action reply_other(struct vcpu *v, uint32_t leaf)
{
    struct cpuid_regs r = other_leaf(v, leaf, LO32(v->regs.gpr[RCX]));
    return reply(v, &r);
}

enum exit_action exit_cpuid(struct vcpu *v)
{
    uint32_t leaf = LO32(v->regs.gpr[RAX]);
    return leaf == 1 ? reply(v, &v->features) : reply_other(v, leaf);
}

enum exit_action exit_xsetbv(struct vcpu *v)
{
    const uint64_t *gpr = v->regs.gpr;
    uint64_t value = (uint64_t)LO32(gpr[RDX]) << 32 | LO32(gpr[RAX]);
    if (LO32(gpr[RCX]) != 0 || registers_set_xcr0(v, value) < 0)
        return inject_gp(v);
    return RESUME_NEXT;
}
