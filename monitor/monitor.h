/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a person at the serial console looks at everything that docs/ describes, on the live
 * machine. It runs on the bootstrap processor between two turns of the scheduler: no guest waits
 * longer than the printing of an answer takes.
 * From: boot/main.c.   To: monitor/term/console.c (monitor_init).
 *
 * From the ground up, each calls only those below it: args.c focus.c memory.c edit.c here; explain/
 * (registers in words); cmd/ (the commands); gdb/ (a debugger); term/ (keys and the table of
 * commands).
 */
#pragma once

/* To be called before the first VM is made. From here on, the output of guests and all typed bytes
 * go through the monitor. */
void monitor_init(void);
