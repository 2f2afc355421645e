/* SPDX-License-Identifier: MIT */
/*
 * The FPU and vector registers of a vCPU, out of this CPU and back. Private to vmx/.
 * From: vmx/vcpu/load.c (each switch), vmx/vcpu/registers.c (vcpu_vectors_out).
 * To: vmx/vcpu/load.h (LOAD_FPU), vmx/caps.h (xcr0).
 * Spec: SDM "Managing State Using the XSAVE Feature Set", "FXSAVE Area".
 *
 * A component that the guest has switched off keeps its contents, so XCR0 is all of vmx_caps.xcr0
 * while the state is saved and restored.
 */
#pragma once
#include "vmx/caps.h"
#include "vmx/vcpu/load.h"

static inline void fpu_save(struct vcpu *v)
{
    if (__builtin_expect(v->extra & LOAD_FPU, 0)) {
        if (!vmx_caps.xcr0) {
            fxsave(v->fpu);
            return;
        }
        xsetbv(0, vmx_caps.xcr0);
    }
    xsave(v->fpu);
}

/* XCR0 is as fpu_save(), or registers_enable(), leaves it: all of vmx_caps.xcr0. */
static inline void fpu_restore(const struct vcpu *v)
{
    if (__builtin_expect(v->extra & LOAD_FPU, 0)) {
        if (!vmx_caps.xcr0) {
            fxrstor(v->fpu);
            return;
        }
        xrstor(v->fpu);
        xsetbv(0, v->xcr0);
        return;
    }
    xrstor(v->fpu);
}
