/* SPDX-License-Identifier: MIT */
/*
 * The GDT and the TSS of one CPU. The TSS serves only for the three exception stacks.
 * From: arch/cpu.c.   To: nothing.
 * Spec: SDM "Segment Descriptors", "Task Management in 64-bit Mode", "Loading Host Segment and
 * Descriptor-Table Registers". A VM exit sets the limits of GDTR and IDTR to 0xFFFF. That does no
 * harm: no selector that Hamlet uses lies behind the end of the table.
 */
#include "arch/gdt.h"
#include "arch/msr.h"
#include "arch/x86.h"
#include "lib/bits.h"

// clang-format off
#define SEG_BASE_23_0   BITS(39, 16)
#define SEG_LIMIT_15_0  BITS(15, 0)
#define SEG_TYPE        BITS(43, 40)
#define     SEG_TYPE_DATA 0x3           /* writable, accessed */
#define     SEG_TYPE_CODE 0xb           /* readable, accessed */
#define     SEG_TYPE_TSS  0x9           /* 64-bit TSS, available */
#define SEG_S           BIT(44)         /* code or data; 0: system */
#define SEG_P           BIT(47)
#define SEG_L           BIT(53)
#define SEG_BASE_31_24  BITS(63, 56)
// clang-format on

LAYOUT(struct tss, rsp, 4);
LAYOUT(struct tss, ist, 0x24);
LAYOUT(struct tss, iomap_base, 0x66);
LAYOUT(struct cpu, self, 0);

static void set_tss_descriptor(struct cpu *cpu)
{
    uint64_t base = (uintptr_t)&cpu->tss;
    cpu->gdt[GDT_TSS / 8] = FIELD_SET(SEG_LIMIT_15_0, sizeof(cpu->tss) - 1) |
                            FIELD_SET(SEG_BASE_23_0, base) | FIELD_SET(SEG_BASE_31_24, base >> 24) |
                            FIELD_SET(SEG_TYPE, SEG_TYPE_TSS) | SEG_P;
    cpu->gdt[GDT_TSS / 8 + 1] = HI32(base);
}

void gdt_load(struct cpu *cpu, uint8_t *stacks_end)
{
    cpu->self = cpu;
    cpu->gdt[GDT_CODE / 8] = FIELD_SET(SEG_TYPE, SEG_TYPE_CODE) | SEG_S | SEG_P | SEG_L;
    cpu->gdt[GDT_DATA / 8] = FIELD_SET(SEG_TYPE, SEG_TYPE_DATA) | SEG_S | SEG_P;
    for (unsigned i = 0; i < IST_COUNT; i++)
        cpu->tss.ist[i] = (uintptr_t)stacks_end - i * PAGE_SIZE;
    cpu->tss.iomap_base = sizeof(cpu->tss); /* behind the limit: no port for ring 3 */
    set_tss_descriptor(cpu);
    struct table_register gdtr = {sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt};
    asm volatile("lgdt %0" ::"m"(gdtr));
    /* A far return loads CS. The selectors are those of boot/header.asm, the descriptors new. */
    asm volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:" ::"i"(GDT_CODE)
                 : "rax", "memory");
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss" ::"r"(GDT_DATA) : "memory");
    asm volatile("mov %0, %%fs; mov %0, %%gs" ::"r"(0) : "memory");
    asm volatile("ltr %w0" ::"r"(GDT_TSS));
    wrmsr(MSR_IA32_GS_BASE, (uintptr_t)cpu); /* last: the load of GS has cleared its base */
}
