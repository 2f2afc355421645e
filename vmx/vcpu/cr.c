/* SPDX-License-Identifier: MIT */
/*
 * CR0 and CR4 of a guest: the value in force, and the shadow that the guest reads.
 * From: vmx/exit/cr.c (MOV to CR), vmx/vcpu/setup.c (after INIT), vmx/vcpu/vcpu.c (entry state).
 * To: vmx/vmcs.h (the fields).
 * Spec: SDM "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
#include "vmx/vcpu/cr.h"
#include "vmx/caps.h"
#include "vmx/vcpu/request.h"
#include "vmx/vmcs.h"
#include "arch/x86.h"

uint64_t cr0_guest_view(void)
{
    return (vmread(GUEST_CR0) & ~CR0_HOSTS) | (vmread(CR0_READ_SHADOW) & CR0_HOSTS);
}

/* MCE stays on, and what CPUID says follows OSXSAVE. */
uint64_t cr4_hosts(void) { return ~vmx_caps.guest_cr4 | CR4_MCE | CR4_OSXSAVE; }

uint64_t cr4_guest_view(void)
{
    uint64_t mask = cr4_hosts();
    return (vmread(GUEST_CR4) & ~mask) | (vmread(CR4_READ_SHADOW) & mask);
}

/* The caches stay on: all guests on this CPU share them. NE = 1, as VMX operation requires. */
void cr0_write(uint64_t value)
{
    vmwrite(GUEST_CR0, (value | CR0_NE) & ~(CR0_CD | CR0_NW));
    vmwrite(CR0_READ_SHADOW, value);
}

/* MCE stays on, because a machine check while a guest runs goes to the host. */
void cr4_write(struct vcpu *v, uint64_t value)
{
    if ((vmread(GUEST_CR4) ^ value) & CR4_OSXSAVE)
        vcpu_request(v, VCPU_REQUEST_RELOAD);
    vmwrite(GUEST_CR4, value | CR4_VMXE | CR4_MCE);
    vmwrite(CR4_READ_SHADOW, value);
}
