/* SPDX-License-Identifier: MIT */
/*
 * What the load of a vCPU takes beside what each load takes: most have none of it, so that one look
 * at v->extra is all that a switch pays. Private to vmx/.
 * From: vmx/vcpu/vcpu.c, vmx/vcpu/registers.c, vmx/vcpu/debug.c.   To: vmx/vcpu/load.c.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

#define LOAD_HOST        BIT(0) /* it comes from memory, and perhaps from another CPU */
#define LOAD_BARRIER     BIT(1) /* against LEAKS_IBPB, if the last one was of another VM */
#define LOAD_BREAKPOINTS BIT(2) /* DR0-DR3: v->debug.in_cpu */
#define LOAD_FPU         BIT(3) /* XCR0 is less than vmx_caps.xcr0; or the CPU has no XSAVE */

static inline void load_extra(struct vcpu *v, uint8_t what, bool needed)
{
    v->extra = (uint8_t)(needed ? v->extra | what : v->extra & ~what);
}
