/* SPDX-License-Identifier: MIT */
/*
 * The first contents of a VMCS. Private to vmx/.
 * From: vmx/vcpu/vcpu.c (a vCPU is made, reset, or comes to another
 * CPU), vmx/vcpu/inject.c (vcpu_set_proc).
 * To: vmx/vcpu/setup.c, vmx/vcpu/state.c.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"
#include "vmx/vmcs_fields.h"

/* One per area of the VMCS. For all of this header: the VMCS of v is current. */
void vcpu_setup_controls(struct vcpu *v);
void vcpu_setup_host(struct vcpu *v); /* also when v has come to another CPU */
void vcpu_setup_guest(struct vcpu *v);
void vcpu_setup_msrs(void); /* those of the guest that an INIT leaves as they are */
void setup_segment(enum segment s, uint16_t selector, uint64_t base, uint32_t limit,
                   uint32_t rights);
/* Write the primary controls if they differ from what the VMCS holds. */
void vcpu_set_proc(struct vcpu *v, uint32_t proc);
