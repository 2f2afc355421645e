/* SPDX-License-Identifier: MIT */
/*
 * The virtual local APIC as far as the CPU serves it. Private to vmx/.
 * From: vmx/vcpu/vcpu.c, vmx/run/.   To: vmx/vcpu/apicv.c.
 * Spec: SDM "APIC Virtualization and Virtual Interrupts".
 */
#pragma once
#include "arch/apic.h"
#include "vmx/vcpu/vcpu.h"
#include "vmx/vmcs.h"

MUST_CHECK int apicv_create(struct vcpu *v); /* -ENOMEM */
/* Write controls, MSR bitmap and EOI-exit bitmap for the APIC's mode; v's VMCS is current. */
void apicv_reload(struct vcpu *v);
/* Take PIR into the virtual IRR; without APICv into v->irr. */
void apicv_fold(struct vcpu *v);
/* With APICv only, SDM "Evaluation of Pending Virtual Interrupts": RVI beats PPR. */
static inline bool apicv_deliverable(const struct vcpu *v)
{
    uint64_t rvi = FIELD_GET(INTERRUPT_STATUS_RVI, vmread(GUEST_INTERRUPT_STATUS));
    return (rvi & PRIORITY_CLASS) > (v->vapic[APIC_PPR / 4] & PRIORITY_CLASS);
}
