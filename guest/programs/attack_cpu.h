/* SPDX-License-Identifier: MIT */
/*
 * The attacker's second half, without its device: memory that is not ours, registers of the CPU,
 * ports, hypercalls, the local APIC, storms.
 * From: guest/programs/attacker.c.
 */
#pragma once
#include "arch/msr.h"
#include "guest/programs/attack.h"

/* --- Memory ----------------------------------------------------------------------------------- */

static void memory_at(const char *what, uint64_t from, uint64_t to, uint64_t step)
{
    uint64_t n = 0, foreign = 0;
    for (uint64_t at = from; at < to; at += step, n++) {
        mmio_write32((void *)at, 0x5ec2e751u);
        foreign += mmio_read32((void *)at) != ~0u;
    }
    report(what, 2 * n, foreign == 0, "0x%lx to 0x%lx reads as ones", from, to);
}

static void memory_of_others(void)
{
    memory_at("CPU: host memory behind our RAM", 0x200000, 0x10000000, 0x200000);
    memory_at("CPU: memory up to the first hole", 0x10000000, 0xc0000000, 0x4000000);
    memory_at("CPU: where a remapping unit has its registers", 0xfed90000, 0xfed91000, 64);
    memory_at("CPU: firmware", 0xffff0000, 0xfffff000, 0x1000);
    report("CPU: a jump to where nothing is", 1,
           exception_of("jmp *%%rax", UINT64_C(0xbf000000)) == VECTOR_UD, "#UD");
}

/* --- Registers -------------------------------------------------------------------------------- */

static bool would_end_us(uint32_t msr)
{
    return msr == MSR_IA32_APIC_BASE || msr == MSR_IA32_TSC_DEADLINE;
}

/* In the VMCS, or switched with us: no other VM sees what we write there. A TSC that is written
 * moves the offset of our own. */
static bool is_ours(uint32_t msr)
{
    return (msr >= MSR_IA32_SYSENTER_CS && msr <= MSR_IA32_SYSENTER_EIP) ||
           (msr >= MSR_IA32_STAR && msr <= MSR_IA32_FMASK) ||
           (msr >= MSR_IA32_FS_BASE && msr <= MSR_IA32_TSC_AUX) || msr == MSR_IA32_TSC ||
           msr == MSR_IA32_TSC_ADJUST;
}

static void msr_scan(const char *what, uint32_t from, uint32_t count)
{
    unsigned readable = 0, written = 0, changed = 0;
    for (uint32_t msr = from; msr < from + count; msr += every()) {
        bool reads = rdmsr_fault(msr) == NO_EXCEPTION;
        uint64_t before = reads ? rdmsr(msr) : 0;
        readable += reads;
        if (would_end_us(msr) || wrmsr_ones_fault(msr) != NO_EXCEPTION)
            continue;
        written++;
        changed += !is_ours(msr) && !(reads && rdmsr(msr) == before);
    }
    report(what, 2 * count / every(), changed == 0,
           "%u readable, %u take ones, the others #GP; changed are %u that are not ours alone",
           readable, written, changed);
}

static void msr_refused(const char *what, uint32_t from, uint32_t to)
{
    unsigned refused = 0;
    for (uint32_t msr = from; msr <= to; msr++)
        refused += rdmsr_fault(msr) == VECTOR_GP && wrmsr_ones_fault(msr) == VECTOR_GP;
    report(what, 2 * (to - from + 1), refused == to - from + 1, "#GP each");
}

static void control_registers(void)
{
    unsigned stuck = 0;
    uint64_t cr4 = read_cr4(), cr0 = read_cr0();
    for (unsigned bit = 11; bit < 64; bit++)
        if (bit != 16 && bit != 17 && bit != 18 && bit != 20 && bit != 21)
            stuck += exception_of("mov %%rax, %%cr4", cr4 | BIT(bit)) == NO_EXCEPTION;
    report("CR4: VMXE, SMXE and every reserved bit", 53 - 5, stuck == 0 && read_cr4() == cr4,
           "#GP each");
    for (unsigned bit = 32; bit < 64; bit++)
        stuck += exception_of("mov %%rax, %%cr0", cr0 | BIT(bit)) == NO_EXCEPTION;
    report("CR0: every reserved bit", 32, stuck == 0, "#GP each");
    for (unsigned bit = 52; bit < 63; bit++)
        stuck += exception_of("mov %%rax, %%cr3", read_cr3() | BIT(bit)) == NO_EXCEPTION;
    for (unsigned bit = 4; bit < 64; bit++)
        stuck += exception_of("mov %%rax, %%cr8", BIT(bit)) == NO_EXCEPTION;
    report("CR3 and CR8: every reserved bit", 11 + 60, stuck == 0, "#GP each");
    exception_of("mov %%rax, %%cr0", cr0 | CR0_CD);
    exception_of("wbinvd; invd; mov %%rax, %%cr0", cr0);
    report("CR0.CD and INVD: caches off for everybody", 2, read_cr0() == cr0, "ours alone to see");
    stuck = 0;
    exception_of("mov %%rax, %%cr4", cr4 | CR4_OSXSAVE);
    for (unsigned bit = 8; bit < 63; bit++)
        stuck += exception_of("mov $1, %%edx; xor %%ecx, %%ecx; xsetbv", BIT(bit % 32) | 1) ==
                 NO_EXCEPTION;
    report("XCR0: states that are not switched", 55, stuck == 0, "#GP each");
    exception_of("mov %%rax, %%cr4", cr4);
}

static void instructions(void)
{
#define UNDEFINED(text, name) report(name, 1, exception_of(text, 0) == VECTOR_UD, "#UD")
    UNDEFINED("vmxoff", "VMXOFF");
    UNDEFINED("vmlaunch", "VMLAUNCH");
    UNDEFINED("vmresume", "VMRESUME");
    UNDEFINED("vmread %%rax, %%rdx", "VMREAD");
    UNDEFINED("vmwrite %%rax, %%rdx", "VMWRITE");
    UNDEFINED("vmclear memory(%%rip)", "VMCLEAR");
    UNDEFINED("vmptrld memory(%%rip)", "VMPTRLD");
    UNDEFINED("invept memory(%%rip), %%rax", "INVEPT");
    UNDEFINED("invvpid memory(%%rip), %%rax", "INVVPID");
    UNDEFINED("vmfunc", "VMFUNC");
    UNDEFINED("getsec", "GETSEC");
    UNDEFINED("rsm", "RSM");
    UNDEFINED("monitor", "MONITOR");
    UNDEFINED("mwait", "MWAIT");
    report("RDPMC", 1, exception_of("xor %%ecx, %%ecx; rdpmc", 0) == VECTOR_GP, "#GP");
#undef UNDEFINED
}

static void registers(void)
{
    msr_refused("MSRs of VMX", MSR_IA32_VMX_BASIC, MSR_IA32_VMX_BASIC + 0x11);
    msr_refused("MSR of SMM and its base", 0x9b, 0x9e);
    msr_refused("MSR of feature control", 0x3a, 0x3a);
    msr_refused("MSR of a microcode update", 0x79, 0x79);
    msr_refused("MSRs of performance counters", 0x186, 0x18d);
    msr_refused("MSRs of machine-check banks", 0x400, 0x47f);
    msr_scan("MSRs 0 to 0x7ff", 0, 0x800);
    msr_scan("MSRs 0x900 to 0x1fff", 0x900, 0x1700);
    msr_scan("MSRs 0x40000000 to 0x400000ff", 0x40000000, 0x100);
    msr_scan("MSRs 0xc0000000 to 0xc00001ff", 0xc0000000, 0x200);
    msr_refused("MSRs 0xc0002000 to 0xc00020ff", 0xc0002000, 0xc00020ff);
    control_registers();
    instructions();
}

/* --- Ports ------------------------------------------------------------------------------------ */

static bool is_own_port(unsigned port)
{
    return (port >= 0xf0 && port < 0xf8) || (port >= 0x3f5 && port < 0x400) ||
           (port >= 0xcf4 && port < 0xd00) || (port >= 0x5fc && port < 0x604);
}

static void ports(void)
{
    unsigned answered = 0, n = 0;
    for (unsigned port = 0; port < 0x10000; port += port < 0x1000 ? every() : 61)
        if (!is_own_port(port)) {
            answered += in8((uint16_t)port) != 0xff && port / 2 != 0x70 / 2;
            n++;
        }
    report("reads of ports, below 0x1000 close to each other", n, answered == 0,
           "ones, but for the clock");
    n = 0;
    for (unsigned port = 0; port < 0x10000; port += port < 0x1000 ? every() : 61)
        if (!is_own_port(port)) {
            out8((uint16_t)port, 0xff);
            out32((uint16_t)port, 0x00ff00ff);
            n += 2;
        }
    report("writes to them", n, true, "nobody there; we are alive");
    report("a read across the last port", 1, in32(0xffff) == ~0u, "ones");
}

/* --- Hypercalls ------------------------------------------------------------------------------- */

static void hypercalls(void)
{
    static const uint64_t bad[] = {0,
                                   1,
                                   0xfff,
                                   0x200000,
                                   0xfee00000,
                                   UINT32_MAX,
                                   UINT64_C(1) << 47,
                                   UINT64_C(1) << 63,
                                   ~UINT64_C(7),
                                   UINT64_MAX};
    unsigned known = 0, n = 0, foreign = 0;
    for (uint64_t number = 12; number < 4096; number += every(), n++)
        known += hypercall((enum hypercall)number, number) != HC_UNKNOWN;
    report("hypercalls that there are not", n, known == 0, "HC_UNKNOWN each");
    for (unsigned i = 3; i < ARRAY_COUNT(bad); i++)
        foreign += hypercall(HC_HOST_ADDRESS, bad[i]) != HC_UNKNOWN;
    report("host addresses of memory that is not ours", 7, foreign == 0, "HC_UNKNOWN each");
    for (enum hypercall number = HC_NOTHING; number <= HC_DMA_PINNED; number++)
        for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
            hypercall(number, bad[i]);
    report("hypercalls with bad arguments", 12 * ARRAY_COUNT(bad), hypercall(HC_DMA_PINNED, 0) == 0,
           "nothing pinned; we are alive");
}

/* --- The local APIC --------------------------------------------------------------------------- */

static void apic_abuse(void)
{
    static const uint32_t commands[] = {0x200, 0x000, 0x00f, 0x300, 0x700, 0x500, 0x608, 0x4030};
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(commands); i++)
        for (uint32_t id = 1; id < 64; id++, n++)
            exception_of("mov $0x830, %%ecx; mov %%rax, %%rdx; shr $32, %%rdx; wrmsr",
                         (uint64_t)id << 32 | commands[i]);
    report("IPIs of every kind to CPUs that we have not", n, true, "we are alive; ask the victim");
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    unsigned moved = 0;
    for (uint64_t at = 0; at < 0x100000; at += 0x1000)
        moved +=
            exception_of("mov $0x1b, %%ecx; xor %%edx, %%edx; wrmsr", at | 0xd00) == NO_EXCEPTION;
    report("the local APIC moved over memory", 256, !moved && rdmsr(MSR_IA32_APIC_BASE) == base,
           "#GP each");
    for (unsigned i = 0; i < 2000; i++)
        apic_write(APIC_EOI, 0);
    report("EOIs for nothing", 2000, true, "we are alive");
}

/* --- Storms ----------------------------------------------------------------------------------- */

static void storms(void)
{
    uint64_t n = 20000 / every();
    for (uint64_t i = 0; i < n; i++)
        hypercall(HC_NOTHING, i);
    for (uint64_t i = 0; i < n / 10; i++) {
        cpuid(0, 0);
        asm volatile("wbinvd" ::: "memory");
        mmio_write32((void *)0xbf000000, 0);
    }
    report("a storm of exits", n + 3 * n / 10, true, "we are alive; ask the victim");
    for (uint64_t i = 0; i < n / 10; i++)
        exception_of("ud2", 0);
    report("a storm of exceptions", n / 10, true, "we are alive");
    interrupts_on();
    for (uint64_t i = 0; i < n; i++)
        apic_write(APIC_SELF_IPI, 0x44);
    interrupts_off();
    report("a storm of IPIs to ourselves", n, true, "we are alive; ask the victim");
    apic_write(APIC_LVT_TIMER, 0x60 | 1 << 17);
    apic_write(APIC_TIMER_INITIAL, 1);
    interrupts_on();
    for (uint64_t i = 0; i < n; i++)
        cpu_relax();
    interrupts_off();
    apic_write(APIC_TIMER_INITIAL, 0);
    report("a timer of one tick", 1, true, "we are alive");
}

static void attack_cpu_all(void)
{
    memory_of_others();
    registers();
    ports();
    hypercalls();
    apic_abuse();
    storms();
}
