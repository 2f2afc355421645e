/* SPDX-License-Identifier: MIT */
/*
 * VMX operation on a CPU, and the run of a vCPU until it has to leave.
 * From: boot/main.c (vmx_init, vmx_enable), vmx/run/sched.c (vcpu_run).
 * To: vmx/run/init.c, run.c.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

/* Read what this CPU can, and prepare what is the same for all vCPUs, once. -ENODEV: no VMX, VMX
 * locked off by the firmware, or a feature missing (each is logged by name). */
MUST_CHECK int vmx_init(void);
/* Enter VMX operation on this CPU (CR0/CR4 fixed bits, VMXON). Each CPU once. -ENODEV (logged):
 * VMX is off here, or not like that of the first CPU. -ENOMEM (logged). */
MUST_CHECK int vmx_enable(void);

/* Why vcpu_run() came back. */
enum vcpu_left { LEFT_PREEMPTED, LEFT_HALTED, LEFT_STOPPED, LEFT_WAIT_SIPI };
/* Run v on this CPU until it has to leave. In: loaded, RUNNING; v->alarm is 0, as all questions are
 * asked before the first entry; now: the TSC of a moment ago. */
enum vcpu_left vcpu_run(struct vcpu *v, uint64_t now);
