/* SPDX-License-Identifier: MIT */
/*
 * A vCPU under a debugger.
 * From: guest/life/step.c, monitor/gdb/target.c (arm, disarm), vmx/run/run.c and vmx/exit/ (exits).
 * To: vmx/vcpu/debug.c.   Spec: SDM "Debug Registers", "Monitor Trap Flag".
 */
#pragma once
#include "vmx/upcalls.h"

/* What v comes back for, while a debugger has it. Both only while STOPPED. */
struct vcpu_debug {
    bool step;      /* after each instruction, to vcpu_on_step() */
    bool int3;      /* at each INT3, to vcpu_on_debug() */
    uint64_t dr[4]; /* linear addresses */
    uint64_t
        dr7; /* local enable bits, kinds and lengths, as SDM "Debug Control Register (DR7)"; 0: none */
};
MUST_CHECK int vcpu_debug_arm(struct vcpu *v,
                              const struct vcpu_debug *want); /* -ENODEV: this CPU cannot */
void vcpu_debug_disarm(struct vcpu *v);

/* --- For the other files of vmx/ ----------------------------------------------------------------- */

enum exit_action debug_exception(struct vcpu *v, uint32_t info);
enum exit_action debug_int3(struct vcpu *v, uint32_t info);
enum exit_action debug_step(struct vcpu *v);
enum exit_action debug_mov_dr(struct vcpu *v);
void debug_write_dr7(struct vcpu *v, uint64_t value); /* the guest's, wherever it is now */
