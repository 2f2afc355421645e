/* SPDX-License-Identifier: MIT */
/*
 * Segment descriptors of 64-bit mode: as little as it allows, one code, one data, one TSS per CPU.
 * From: arch/cpu.c.   To: arch/gdt.c.
 * Spec: SDM "Segment Descriptors", "TSS Descriptor in 64-bit Mode".
 */
#pragma once
#include "arch/cpu.h"

/* Fill cpu->gdt and cpu->tss, load them and GS base on the CPU that runs this. ist[n]: the top of the
 * stack for IST n + 1. */
void gdt_load(struct cpu *cpu, uint8_t *const ist[3]);

#define IST_DF  1 /* numbers as in an IDT entry: 0 is "no switch" */
#define IST_NMI 2
#define IST_MC  3
