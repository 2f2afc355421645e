/* SPDX-License-Identifier: MIT */
/*
 * The focus of the console: on a guest, or on the monitor. While it is on the monitor, the output
 * of guests is kept and shown later, so that no guest writes between the lines of an answer.
 * From: monitor/term/console.c, monitor/args.c, monitor/cmd/vm.c.   To: monitor/focus.c.
 */
#pragma once
#include "guest/core/vm.h"

void focus_init(void);
bool focus_on_monitor(void);
void focus_to_monitor(void);
void focus_to_guest(void); /* and show the output that was kept */
/* The guest in focus: the chosen one, or else the first VM that is up. NULL: no VM is. */
struct vm *focus_vm(void);
void focus_next(void); /* choose the next guest */
/* Print what was kept of a guest that has ended; and a line if the guest in focus has, and another
 * one has the console. */
void focus_follow(void);
