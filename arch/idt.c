/* SPDX-License-Identifier: MIT */
/*
 * The IDT, one for all CPUs: 256 interrupt gates, each to its own stub.
 * From: boot/main.c, arch/cpu.c (idt_load).   To: arch/trap.asm (trap_stubs).
 * Contract: arch/trap.h.
 * Spec: SDM "IDT Descriptors", "Interrupt Stack Table".
 */
#include "arch/cpu.h"
#include "arch/gdt.h"
#include "arch/trap.h"
#include "arch/x86.h"
#include "lib/bits.h"

#define STUB_SIZE 8 /* arch/trap.asm */

struct idt_entry {
    uint64_t lo, hi;
};
// clang-format off
#define IDT_OFFSET_15_0  BITS(15, 0)
#define IDT_SELECTOR     BITS(31, 16)
#define IDT_IST          BITS(34, 32)
#define IDT_TYPE         BITS(43, 40)
#define     IDT_TYPE_INTERRUPT 0xe      /* clears IF, unlike a trap gate */
#define IDT_P            BIT(47)
#define IDT_OFFSET_31_16 BITS(63, 48)
// clang-format on

extern const char trap_stubs[];

static struct idt_entry idt[VECTOR_COUNT] __attribute__((aligned(16)));

/* #DF, NMI and #MC can come when RSP is not usable, or in the middle of another handler. */
static const uint8_t stack_of[VECTOR_COUNT] = {
    [VECTOR_NMI] = IST_NMI, [VECTOR_DF] = IST_DF, [VECTOR_MC] = IST_MC};

void idt_load(void)
{
    struct table_register idtr = {sizeof(idt) - 1, (uintptr_t)idt};
    asm volatile("lidt %0" ::"m"(idtr));
}

void idt_init(void)
{
    for (unsigned v = 0; v < VECTOR_COUNT; v++) {
        uint64_t entry = (uintptr_t)trap_stubs + v * STUB_SIZE;
        idt[v].lo = FIELD_SET(IDT_OFFSET_15_0, entry) | FIELD_SET(IDT_SELECTOR, GDT_CODE) |
                    FIELD_SET(IDT_IST, stack_of[v]) | FIELD_SET(IDT_TYPE, IDT_TYPE_INTERRUPT) |
                    IDT_P | FIELD_SET(IDT_OFFSET_31_16, entry >> 16);
        idt[v].hi = HI32(entry);
    }
    idt_load();
}
