/* SPDX-License-Identifier: MIT */
/*
 * A guest accessed memory that its EPT does not map, or maps without that right.
 * From: vmx/run/run.c (exit table).   To: guest/pc/mmio.c (who owns the address?).
 * Hot: the exit of every trapped memory access.
 * Spec: SDM "EPT Violations", "Exit Qualification for EPT Violations".
 */
#include "vmx/exit/exit.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vmcs.h"

enum exit_action exit_ept_violation(struct vcpu *v)
{
    inject_again(v);
    uint64_t qualification = vmread(EXIT_QUALIFICATION), at = vmread(GUEST_PHYSICAL_ADDRESS);
    hottest_count(&v->hottest[HOTTEST_GPA], at);
    v->exit.qualification = qualification;
    /* An IRET that ends an NMI handler has unblocked NMIs, but will be executed again. */
    if ((qualification & QUAL_EPT_NMI_UNBLOCKED) && !v->event)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) | BLOCKED_BY_NMI);
    uint64_t linear = qualification & QUAL_EPT_LINEAR ? vmread(GUEST_LINEAR_ADDRESS) : 0;
    return vcpu_on_gpa(v, gpa(at), qualification, qualification & QUAL_EPT_LINEAR ? &linear : NULL);
}
