/* SPDX-License-Identifier: MIT */
/*
 * Who has the console: a guest or the monitor. While the monitor has it, what guests print is kept
 * and shown later, so that a guest does not write between the lines of an answer.
 * From: monitor/term/console.c, monitor/args.c, monitor/cmd/vm.c.   To: monitor/focus.c.
 */
#pragma once
#include "guest/core/vm.h"

void focus_init(void);
bool focus_on_monitor(void);
void focus_to_monitor(void);
void focus_to_guest(void); /* and show what was kept */
/* The guest in focus: the chosen one, or else the first that runs. NULL: no VM runs. */
struct vm *focus_vm(void);
void focus_next(void); /* choose the next guest */
/* Say it when the guest in focus has ended and another one has the console. */
void focus_follow(void);
