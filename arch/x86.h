/* SPDX-License-Identifier: MIT */
/*
 * Bits of registers, and instructions that C cannot express, each as a function of the same name.
 * Beside it: arch/msr.h (numbers of MSRs), arch/io.h (ports and device memory).
 * From: everywhere.
 * Spec: SDM "Control Registers", "Extended Feature Enable Register", "EFLAGS Register",
 * "Debug Registers".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

// clang-format off

#define CR0_PE           BIT(0, "PE", "protected mode")
#define CR0_MP           BIT(1, "MP", "monitor coprocessor")
#define CR0_EM           BIT(2, "EM", "emulate the FPU")
#define CR0_TS           BIT(3, "TS", "task switched")
#define CR0_ET           BIT(4, "ET", "always 1")
#define CR0_NE           BIT(5, "NE", "FPU errors by #MF")
#define CR0_WP           BIT(16, "WP", "supervisor obeys read-only")
#define CR0_AM           BIT(18, "AM", "alignment checks possible")
#define CR0_NW           BIT(29, "NW", "not write-through")
#define CR0_CD           BIT(30, "CD", "caches off")
#define CR0_PG           BIT(31, "PG", "paging")

#define CR4_VME          BIT(0, "VME", "virtual-8086 extensions")
#define CR4_DE           BIT(3, "DE", "debugging extensions")
#define CR4_PSE          BIT(4, "PSE", "4 MiB pages")
#define CR4_PAE          BIT(5, "PAE", "64-bit page tables")
#define CR4_MCE          BIT(6, "MCE", "machine checks by #MC")
#define CR4_PGE          BIT(7, "PGE", "global pages")
#define CR4_OSFXSR       BIT(9, "OSFXSR", "FXSAVE is used")
#define CR4_OSXMMEXCPT   BIT(10, "OSXMMEX", "SIMD errors by #XM")
#define CR4_LA57         BIT(12, "LA57", "5-level paging")
#define CR4_VMXE         BIT(13, "VMXE", "VMX is allowed")
#define CR4_SMXE         BIT(14, "SMXE", "SMX is allowed")
#define CR4_FSGSBASE     BIT(16, "FSGSBASE", "RDFSBASE and others are allowed")
#define CR4_PCIDE        BIT(17, "PCIDE", "PCIDs")
#define CR4_OSXSAVE      BIT(18, "OSXSAVE", "XSAVE is used")
#define CR4_SMEP         BIT(20, "SMEP", "no fetches from user pages")
#define CR4_SMAP         BIT(21, "SMAP", "no accesses to user pages")

#define EFER_SCE         BIT(0, "SCE", "SYSCALL is allowed")
#define EFER_LME         BIT(8, "LME", "IA-32e mode as soon as paging is on")
#define EFER_LMA         BIT(10, "LMA", "IA-32e mode is active")
#define EFER_NXE         BIT(11, "NXE", "pages can forbid fetches")

#define RFLAGS_CF        BIT(0, "CF", "carry")
#define RFLAGS_1         BIT(1) /* always one */
#define RFLAGS_PF        BIT(2, "PF", "parity")
#define RFLAGS_AF        BIT(4, "AF", "auxiliary carry")
#define RFLAGS_ZF        BIT(6, "ZF", "zero")
#define RFLAGS_SF        BIT(7, "SF", "sign")
#define RFLAGS_TF        BIT(8, "TF", "trap after each instruction")
#define RFLAGS_IF        BIT(9, "IF", "interrupts are taken")
#define RFLAGS_DF        BIT(10, "DF", "strings go down")
#define RFLAGS_OF        BIT(11, "OF", "overflow")
#define RFLAGS_IOPL      BITS(13, 12, "IOPL", "I/O privilege level")
#define RFLAGS_NT        BIT(14, "NT", "nested task")
#define RFLAGS_RF        BIT(16, "RF", "resume: no instruction breakpoint now")
#define RFLAGS_VM        BIT(17, "VM", "virtual-8086 mode")
#define RFLAGS_AC        BIT(18, "AC", "alignment checks")
#define RFLAGS_ID        BIT(21, "ID", "CPUID is there")

/* SDM "Debug Registers". The exit qualification of #DB has the bits of DR6, RTM inverted. */
#define DR6_BREAKS       BITS(3, 0, "B3-B0", "which breakpoints were met, a bit each")
#define DR6_BD           BIT(13, "BD", "access to a debug register")
#define DR6_BS           BIT(14, "BS", "single step")
#define DR6_BT           BIT(15, "BT", "task switch")
#define DR6_RTM          BIT(16, "RTM", "0: inside of a transaction")
#define DR7_LOCAL(n)     BIT(2 * (n))
#define DR7_ON(n)        BITS(2 * (n) + 1, 2 * (n), "LG" #n, "breakpoint " #n " is on", \
                              "1:local|2:global|3:both")
#define DR7_LE           BIT(8, "LE", "exact, local")
#define DR7_GE           BIT(9, "GE", "exact, global")
#define DR7_GD           BIT(13, "GD", "accesses to debug registers trap")
#define DR7_RW(n)        BITS(4 * (n) + 17, 4 * (n) + 16, "RW" #n, "breakpoint " #n " is for", \
                              "0:an instruction|1:writes|2:I/O|3:reads and writes")
#define DR7_LEN(n)       BITS(4 * (n) + 19, 4 * (n) + 18, "LEN" #n, "breakpoint " #n " covers", \
                              "0:1 byte|1:2 bytes|2:8 bytes|3:4 bytes")

// clang-format on

/* SDM "Exception and Interrupt Reference" */
enum vector {
    VECTOR_DE = 0,
    VECTOR_DB = 1,
    VECTOR_NMI = 2,
    VECTOR_BP = 3,
    VECTOR_UD = 6,
    VECTOR_NM = 7,
    VECTOR_DF = 8,
    VECTOR_TS = 10,
    VECTOR_NP = 11,
    VECTOR_SS = 12,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    VECTOR_AC = 17,
    VECTOR_MC = 18,
};

/* An instruction writes the low `bytes` bytes of a general-purpose register: 1, 2, 4, 8.
 * SDM "General-Purpose Registers": 8 and 16 bits leave the rest alone, 32 bits clear it. */
static inline void gpr_set(uint64_t *reg, unsigned bytes, uint64_t value)
{
    if (bytes == 4)
        *reg = LO32(value);
    else if (bytes == 1)
        *(uint8_t *)reg = (uint8_t)value;
    else
        *reg = bytes == 2 ? (*reg & ~WIDTH_MASK(2)) | (uint16_t)value : value;
}

static inline uint64_t read_cr0(void)
{
    uint64_t v;
    asm volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr2(void)
{
    uint64_t v;
    asm volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr3(void)
{
    uint64_t v;
    asm volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr4(void)
{
    uint64_t v;
    asm volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

static inline void write_cr0(uint64_t v) { asm volatile("mov %0, %%cr0" ::"r"(v) : "memory"); }
static inline void write_cr2(uint64_t v) { asm volatile("mov %0, %%cr2" ::"r"(v)); }
static inline void write_cr3(uint64_t v) { asm volatile("mov %0, %%cr3" ::"r"(v) : "memory"); }
static inline void write_cr4(uint64_t v) { asm volatile("mov %0, %%cr4" ::"r"(v) : "memory"); }

static inline uint64_t rdmsr(uint32_t msr)
{
    uint64_t lo, hi; /* their upper halves become 0 */
    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    asm volatile("wrmsr" ::"c"(msr), "a"(LO32(v)), "d"(HI32(v)) : "memory");
}

/* FPU and vector registers, all that XCR0 has; into and out of an area of 64-byte alignment. */
static inline void xsave(void *area)
{
    asm volatile("xsave64 (%0)" ::"r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
}
static inline void xrstor(const void *area)
{
    asm volatile("xrstor64 (%0)" ::"r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
}
/* Of a CPU without XSAVE. */
static inline void fxsave(void *area) { asm volatile("fxsave64 (%0)" ::"r"(area) : "memory"); }
static inline void fxrstor(const void *area)
{
    asm volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

/* Every earlier store of this CPU is visible to the others before the next instruction begins. */
static inline void stores_done(void) { asm volatile("mfence; lfence" ::: "memory"); }

/* A pseudo-descriptor, as LGDT and LIDT load it, and SGDT and SIDT store it. */
struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

#define CPUID_1_HYPERVISOR BIT(31) /* ECX; a convention, not SDM: a hypervisor is below */
#define CPUID_7_TSC_ADJUST BIT(1)  /* EBX: IA32_TSC_ADJUST is there */
/* Leaf 7, EDX: commands against known leaks */
#define CPUID_7_MD_CLEAR   BIT(10) /* VERW overwrites buffers */
#define CPUID_7_IBRS       BIT(26) /* IA32_SPEC_CTRL, IA32_PRED_CMD */
#define CPUID_7_STIBP      BIT(27)
#define CPUID_7_L1D_FLUSH  BIT(28) /* IA32_FLUSH_CMD */
#define CPUID_7_ARCH       BIT(29) /* IA32_ARCH_CAPABILITIES */
#define CPUID_7_SSBD       BIT(31)

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdtsc(void)
{
    uint64_t lo, hi; /* their upper halves become 0 */
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return hi << 32 | lo;
}

/* No later instruction begins before all earlier loads have their data. */
static inline void load_fence(void) { asm volatile("lfence" ::: "memory"); }

static inline void xsetbv(uint32_t index, uint64_t v)
{
    asm volatile("xsetbv" ::"c"(index), "a"(LO32(v)), "d"(HI32(v)) : "memory");
}

static inline void invlpg(const void *p) { asm volatile("invlpg (%0)" ::"r"(p) : "memory"); }
static inline void cpu_relax(void) { asm volatile("pause" ::: "memory"); }
static inline void interrupts_off(void) { asm volatile("cli" ::: "memory"); }
