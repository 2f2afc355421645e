/* SPDX-License-Identifier: MIT */
/*
 * VM entry that looks like a call. Private to vmx/.
 * From: vmx/run/run.c (vcpu_run), vmx/vcpu/setup.c (HOST_RIP).   To: vmx/enter.asm.
 */
#pragma once

struct vcpu;

/* Returns 0 at the VM exit, 1 after VMfailInvalid, 2 after VMfailValid. Guest registers come from
 * v->regs and are back there afterwards. */
int vmx_enter(struct vcpu *v);
void vmx_exit_point(void); /* HOST_RIP */
