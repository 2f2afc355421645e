/* SPDX-License-Identifier: MIT */
/*
 * What the checks of the processor share: VMCS access, a guest that is a copy of the program
 * itself, and the line that says what was seen.
 * From: tests/guests/mends.c, tests/guests/mends_tlb.c, tests/guests/mends_vmx.c,
 * tests/guests/mends_ipi.c
 * To: tests/guests/mends.c (definitions), tests/guests/mends_code.asm (the guests)
 */
#pragma once
#include "lib/bits.h"
#include "arch/io.h"
#include "arch/msr.h"
#include "arch/x86.h"
#include "vmx/vmcs_fields.h"
#include "vmx/vmx_bits.h"

#define PAGE __attribute__((aligned(4096)))

enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_CODE32 = 0x18, SELECTOR_TSS = 0x20 };
enum { APIC_TO_SELF = 0x44000 };
enum { APIC_EOI = 0xb0, APIC_ICR = 0x300, APIC_TIMER = 0x320 };

/* The EPT: 4 GiB in pages of 1 GiB, one to one. */
extern uint64_t mends_ept_top[512], mends_ept_giga[512];
extern uint8_t mends_virtual_apic[4096];

static inline uint64_t vmread(uint64_t field)
{
    uint64_t v;
    asm volatile("vmread %1, %0" : "=r"(v) : "r"(field) : "cc");
    return v;
}

static inline void vmwrite(uint64_t field, uint64_t v)
{
    asm volatile("vmwrite %1, %0" ::"r"(field), "r"(v) : "cc");
}

/* One line: "mends: NAME ok WHAT=VALUE", or WRONG. */
void mends_say(const char *name, bool ok, const char *what, uint64_t value);
/* A fresh VMCS, nothing pending, the counters at 0. `narrow`: 32-bit code. */
void mends_prepare(void (*rip)(void), uint64_t rflags, bool narrow, bool unrestricted);
/* The exit reason, or 1000 + the VM-instruction error. */
enum { INVALID_CONTROL = 1000 + 7 };
uint64_t mends_run(void);
uint32_t mends_apic_read(unsigned reg);
void mends_apic_write(unsigned reg, uint32_t v);

void mends_of_tlb(void);
void mends_of_vmx(void);
void mends_of_ipi(void);
