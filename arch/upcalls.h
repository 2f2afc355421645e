/* SPDX-License-Identifier: MIT */
/*
 * What arch/ uses of boot/: the code that a CPU executes before it can run C, and what that code
 * shares with C. These are the only symbols of arch/ that lead up.
 * From: arch/cpu.c.   To: boot/header.asm, boot/ap.asm.
 */
#pragma once
#include <stdint.h>

struct cpu;

/* boot/header.asm: the end of the stack of the bootstrap processor. */
extern uint8_t boot_stack_top[];

/* boot/ap.asm: the code between these two is copied to a page below 1 MiB. */
extern const uint8_t ap_start16[];
extern const uint8_t ap_start16_end[];
/* boot/ap.asm: the CPU that is being started. That CPU reads it once, to find its stack. */
extern struct cpu *ap_cpu;
