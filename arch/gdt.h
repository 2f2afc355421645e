/* SPDX-License-Identifier: MIT */
/*
 * The segment descriptors that 64-bit mode still needs: code, data, and a TSS, for each CPU.
 * From: arch/cpu.c.   To: arch/gdt.c.
 * Spec: SDM "Segment Descriptors", "TSS Descriptor in 64-bit Mode".
 */
#pragma once
#include "arch/cpu.h"

#define IST_DF    1 /* as in an IDT entry, where 0 means no switch of stacks */
#define IST_NMI   2
#define IST_MC    3
#define IST_COUNT 3

/* Fill cpu->gdt and cpu->tss; load them and the base of GS on the CPU that runs this. The
 * IST_COUNT stacks for exceptions are the pages before `stacks_end`. */
void gdt_load(struct cpu *cpu, uint8_t *stacks_end);
