/* SPDX-License-Identifier: MIT */
/*
 * CR0 and CR4 of a guest: the value in force, and the value that the guest reads. Private to vmx/.
 * From: vmx/exit/cr.c, vmx/vcpu/.   To: vmx/vcpu/cr.c.
 */
#pragma once
#include "lib/types.h"
#include "arch/x86.h"

struct vcpu;

/* Bits of which the guest reads and writes the shadow: the guest/host masks. */
#define CR0_HOSTS (CR0_NE | CR0_CD | CR0_NW)
uint64_t cr4_hosts(void);

/* The value that the guest reads. All four: the VMCS of the vCPU is current. */
uint64_t cr0_guest_view(void);
uint64_t cr4_guest_view(void);
/* Write register and shadow. The caller has checked `value`: vmx/exit/cr.c. */
void cr0_write(uint64_t value);
void cr4_write(struct vcpu *v, uint64_t value);
