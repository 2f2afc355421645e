/* SPDX-License-Identifier: MIT */
/*
 * The virtual local APIC as far as the CPU serves it. Private to vmx/.
 * From: vmx/vcpu/vcpu.c, vmx/run/.   To: vmx/vcpu/apicv.c.
 * Spec: SDM "APIC Virtualization and Virtual Interrupts".
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

MUST_CHECK int apicv_create(struct vcpu *v);  /* -ENOMEM */
void apicv_reload(struct vcpu *v);            /* controls as the APIC mode asks for */
void apicv_fold(struct vcpu *v);              /* take PIR into the virtual IRR, or into v->irr */
bool apicv_deliverable(const struct vcpu *v); /* with APICv: RVI beats PPR */
