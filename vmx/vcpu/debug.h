/* SPDX-License-Identifier: MIT */
/*
 * A vCPU under a debugger.
 * From: guest/life/step.c, monitor/gdb/target.c (arm, disarm), vmx/run/run.c and vmx/exit/ (exits).
 * To: vmx/vcpu/debug.c.   Spec: SDM "Debug Registers", "Monitor Trap Flag".
 */
#pragma once
#include "vmx/upcalls.h"

/* For which events a debugger wants v to come back. */
struct vcpu_debug {
    bool step;      /* after each instruction, to vcpu_on_step() */
    bool int3;      /* at each INT3, to vcpu_on_debug() */
    uint64_t dr[4]; /* linear addresses */
    /* Local enable bits, kinds and lengths: SDM "Debug Control Register (DR7)"; 0: none. */
    uint64_t dr7;
};
/* Both only while v is STOPPED. -ENODEV: this CPU cannot, and nothing is changed. */
MUST_CHECK int vcpu_debug_arm(struct vcpu *v, const struct vcpu_debug *want);
void vcpu_debug_disarm(struct vcpu *v);

/* From an exit of v: after the delivery of v->event, and before the first instruction of its
 * handler, vcpu_on_delivered() is called. False: this CPU cannot. */
bool vcpu_tell_delivery(struct vcpu *v);

/* --- For the other files of vmx/ -------------------------------------------------------------- */

/* Exits, from the exit table; `info` is the VM-exit interruption information. */
enum exit_action debug_exception(struct vcpu *v, uint32_t info);
enum exit_action debug_int3(struct vcpu *v, uint32_t info);
enum exit_action debug_step(struct vcpu *v);
enum exit_action debug_mov_dr(struct vcpu *v);
/* These bits of the guest's DR7 become 0. */
void debug_dr7_clear(struct vcpu *v, uint64_t bits);
/* The guest's debug registers as after RESET and INIT; v is not loaded, and its VMCS is current. */
void debug_reset(struct vcpu *v);
