/* SPDX-License-Identifier: MIT */
/*
 * CR0 and CR4: the register, and what the guest believes it to be. Private to vmx/.
 * From: vmx/exit/cr.c, vmx/vcpu/.   To: vmx/vcpu/cr.c.
 */
#pragma once
#include "lib/types.h"

/* As the guest believes them to be; its VMCS is current. */
uint64_t cr0_guest_view(void);
uint64_t cr4_guest_view(void);
/* Write real register and shadow; `value` has been checked. */
void cr0_write(uint64_t value);
void cr4_write(uint64_t value);
