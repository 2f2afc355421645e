/* SPDX-License-Identifier: MIT */
/*
 * CR0 and CR4 of a guest: the value in force, and the value that the guest reads. Private to vmx/.
 * From: vmx/exit/cr.c, vmx/vcpu/.   To: vmx/vcpu/cr.c.
 */
#pragma once
#include "lib/types.h"

/* The value that the guest reads. All four: the VMCS of the vCPU is current. */
uint64_t cr0_guest_view(void);
uint64_t cr4_guest_view(void);
/* Write register and shadow. The caller has checked `value`: vmx/exit/cr.c. */
void cr0_write(uint64_t value);
void cr4_write(uint64_t value);
