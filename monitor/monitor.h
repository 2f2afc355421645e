/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a person at the serial console looks at everything that the book describes, on the
 * live machine. It runs on the bootstrap processor between two turns of the scheduler, so no guest
 * waits for it longer than it takes to print an answer.
 * From: boot/main.c.   To: monitor/term/console.c (monitor_init).
 *
 * From the ground up, each calls only those below it: args.c focus.c memory.c edit.c here; explain/
 * (registers in words); cmd/ (the commands); gdb/ (a debugger); term/ (keys and the table of
 * commands).
 */
#pragma once

/* Before the first VM is made: from here on what guests print and what is typed goes through the
 * monitor. */
void monitor_init(void);
