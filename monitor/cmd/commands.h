/* SPDX-License-Identifier: MIT */
/*
 * The commands. A command changes a VM only if that is its purpose.
 * From: monitor/term/command.c (their table).   To: monitor/cmd/.
 */
#pragma once
#include "monitor/args.h"

/* `a`: the words behind the name. */
void cmd_vm(struct args *a);
void cmd_vcpu(struct args *a);
void cmd_exits(struct args *a);
void cmd_x(struct args *a);
void cmd_walk(struct args *a);
void cmd_map(struct args *a);
void cmd_screen(struct args *a);
void cmd_mem(struct args *a);
void cmd_pci(struct args *a);
void cmd_assign(struct args *a);
void cmd_unassign(struct args *a);
void cmd_audit(struct args *a);
void cmd_vtd(struct args *a);
void cmd_irq(struct args *a);
void cmd_pid(struct args *a);
void cmd_check(struct args *a);
void cmd_inject(struct args *a);
void cmd_explain(struct args *a);
void cmd_trace(struct args *a);
void cmd_log(struct args *a);
void cmd_cpu(struct args *a);
void cmd_machine(struct args *a);
void cmd_reboot(struct args *a);

/* One line: the known leaks that this CPU has, and what is done about each. */
void cmd_say_leaks(void);
/* Send the events that were not sent yet to the port of report=. all: no CPU writes one now. */
void cmd_trace_stream(bool all);
/* True: cmd_power_off() was called. */
bool cmd_power_is_off(void);
/* End every VM, and with the last of them Hamlet. The second time: at once. */
void cmd_power_off(void);
