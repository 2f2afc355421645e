/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a vCPU, on its virtual-APIC page: by hardware where APIC virtualization does it,
 * by these functions where it does not.
 * From: vmx/upcalls.h (MSR, MMIO, APIC-write and EOI exits), guest/irq.c (destinations).
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)".
 */
#pragma once
#include "vmx/vmx.h"

/* The vCPUs that a destination names, as a bit per vCPU index. `dest`: the 8 bits of an MSI or an xAPIC ICR;
 * logical: against LDR and DFR, else the APIC id (0xff: all). */
uint64_t vlapic_match(struct vm *vm, uint32_t dest, bool logical);
