/* SPDX-License-Identifier: MIT */
/*
 * The first contents of a VMCS. Private to vmx/.
 * From: vmx/vcpu/vcpu.c (a vCPU is made, reset, or comes to another CPU).   To: vmx/vcpu/setup.c.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

/* One per area of the VMCS; v's is current. */
void vcpu_setup_controls(struct vcpu *v);
void vcpu_setup_host(struct vcpu *v); /* also when v has come to another CPU */
void vcpu_setup_guest(struct vcpu *v);
/* Write the primary controls if they differ from what the VMCS holds. */
void vcpu_set_proc(struct vcpu *v, uint32_t proc);
