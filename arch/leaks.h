/* SPDX-License-Identifier: MIT */
/*
 * Ways in which a CPU leaks data of one program to another by its caches, buffers and predictors,
 * and what Hamlet does so that no guest learns of another guest, or of Hamlet.
 * From: boot/main.c (leaks_join), vmx/ (the guards), monitor/cmd/machine.c.   To: arch/leaks.c.
 */
#pragma once
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/types.h"

/* What has to be done, a bit each. The first four are in struct vcpu, too: vmx/enter.asm. */
#define LEAKS_VERW       BIT(0) /* VERW before each entry: it overwrites buffers */
#define LEAKS_FLUSH      BIT(1) /* before each entry the L1 data cache is emptied */
#define LEAKS_SPEC_CTRL  BIT(2) /* this MSR is Hamlet's after an exit, the guest's from an entry */
#define LEAKS_RSB        BIT(3) /* after each exit: return predictions, general registers */
#define LEAKS_EACH_ENTRY BITS(3, 0)
#define LEAKS_IBPB       BIT(4) /* when the vCPU of another VM comes on a CPU */
#define LEAKS_SMALL      BIT(5) /* guests execute from pages of 4 KiB only */
#define LEAKS_ONE_THREAD BIT(6) /* of each core is used: threads of one core share buffers */

/* Constant after the first leaks_join(). */
extern uint32_t leaks_guards;    /* LEAKS_...; 0 with mitigations=off */
extern uint32_t leaks_spec_ctrl; /* Hamlet's own IA32_SPEC_CTRL */
extern uint32_t leaks_returns;   /* return predictions to overwrite after an exit */

/* On each CPU, before it runs guests: find out what this CPU needs. -ENODEV (logged): not what the
 * first one needs. */
MUST_CHECK int leaks_join(void);

/* The n-th known leak, from 0 on, and whether this CPU has it, as far as it can be known: a CPU
 * that does not report that it is safe counts as leaking. `done`: what is done about it, in the
 * words of docs/hardware.md. False: no more. */
bool leaks_known(unsigned n, const char **name, bool *here, const char **done);

/* What a guest gets of these registers: bits of IA32_SPEC_CTRL that it may set, 0: the register is
 * not there; its own value beside those that stay set in a guest; IA32_ARCH_CAPABILITIES. */
uint32_t leaks_guest_bits(void);
uint32_t leaks_guest_value(uint32_t value);
uint64_t leaks_guest_capabilities(void);
