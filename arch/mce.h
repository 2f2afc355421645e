/* SPDX-License-Identifier: MIT */
/*
 * Machine checks: errors of the hardware that the CPU sees. Each CPU has banks of its own.
 * From: boot/main.c (mce_init, mce_poll), arch/trap.c (mce_print), guest/life/run.c (mce_poll).
 * To: arch/mce.c.
 */
#pragma once

/* On each CPU: what the banks still hold from before is logged, and each kind of error is reported
 * from now on. */
void mce_init(void);
/* On each CPU, often: once per second, errors that the hardware has corrected are logged. */
void mce_poll(void);
void mce_print(void); /* for #MC: all that the banks of this CPU hold */
