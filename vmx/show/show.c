/* SPDX-License-Identifier: MIT */
/*
 * What only a person asks for: a VMCS field by its number.
 * From: monitor/.   To: vmx/vcpu/vcpu.c (vcpu_borrow).
 * Spec: SDM "VMREAD".
 */
#include "vmx/show/show.h"

bool vcpu_vmcs_field(const struct vcpu *v, uint32_t encoding, uint64_t *value)
{
    bool failed;
    vcpu_borrow(v);
    asm volatile("vmread %2, %1"
                 : "=@ccbe"(failed), "=r"(*value)
                 : "r"((uint64_t)encoding)
                 : "memory");
    vcpu_return(v);
    return !failed;
}
