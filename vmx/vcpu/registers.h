/* SPDX-License-Identifier: MIT */
/*
 * Registers that neither the VMCS nor vmx/enter.asm carries. Private to vmx/.
 * From: vmx/vcpu/vcpu.c (load, unload), vmx/exit/cpuid.c (XSETBV).   To: vmx/vcpu/registers.c.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

void registers_init(void);   /* which state components there are, once */
void registers_enable(void); /* each CPU: OSFXSR, OSXSAVE */
MUST_CHECK int registers_create(struct vcpu *v);
void registers_destroy(struct vcpu *v);
void registers_reset(struct vcpu *v);
void registers_save(struct vcpu *v);
void registers_restore(struct vcpu *v);
void registers_set_xcr0(struct vcpu *v, uint64_t xcr0);
