/* SPDX-License-Identifier: MIT */
/*
 * What is done for a vCPU about known leaks of the CPU. Private to vmx/.
 * From: vmx/vcpu/vcpu.c (power-on, load), vmx/vcpu/setup.c (HOST_RIP), vmx/exit/msr.c
 * (IA32_SPEC_CTRL).   To: vmx/vcpu/guards.c.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

void guards_reset(struct vcpu *v); /* as after RESET; v's VMCS need not be current */
/* With LEAKS_IBPB: v's state is about to be loaded, and no predictions of another VM are left. */
void guards_vm_comes(const struct vcpu *v);
/* Where v comes out of the guest: HOST_RIP. */
uintptr_t guards_exit_point(const struct vcpu *v);
/* By an exit of v: its IA32_SPEC_CTRL. -EINVAL: a reserved bit is 1. */
MUST_CHECK int guards_set_spec_ctrl(struct vcpu *v, uint64_t value);
