/* SPDX-License-Identifier: MIT */
/*
 * Over an instruction that Hamlet has executed in the guest's place: the only "RIP += length", with
 * the other effects of an instruction that has come to its end. Private to vmx/.
 * From: vmx/run/run.c (RESUME_NEXT), vmx/vcpu/state.c (vcpu_step_over), vmx/exit/cr.c and
 * vmx/vcpu/debug.c (how wide is an operand?).   To: vmx/vmcs.h.
 * Spec: SDM "Saving RIP, RSP, RFLAGS, and SSP", "Guest Non-Register State", "Checks on Guest RIP,
 * RFLAGS, and SSP".
 */
#pragma once
#include "vmx/vmcs.h"
#include "arch/x86.h"

/* False in compatibility mode, too. */
static inline bool vcpu_has_64_bit_code(void)
{
    return (vmread(VM_ENTRY_CONTROLS) & ENTRY_GUEST_64BIT) &&
           (vmread(GUEST_CS_ACCESS_RIGHTS) & SEG_AR_L);
}

/* The VMCS of the vCPU is current. Blocking by STI and MOV SS ends. RF is 0 now, and an EPT
 * violation has saved it as 1. With TF the single-step trap becomes pending. */
static inline void advance_from(struct vmcs_advance from)
{
    uint64_t next = from.rip + from.length;
    /* Bits 63:32 of RIP are 0 outside of 64-bit mode. */
    if (__builtin_expect(LO32(next) < LO32(from.length), 0) && !vcpu_has_64_bit_code())
        next = LO32(next);
    vmwrite(GUEST_RIP, next);
    if (__builtin_expect(from.blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS), 0))
        vmwrite(GUEST_INTERRUPTIBILITY, from.blocked & ~(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
    if (__builtin_expect(from.rflags & (RFLAGS_RF | RFLAGS_TF), 0)) {
        vmwrite(GUEST_RFLAGS, from.rflags & ~RFLAGS_RF);
        if (from.rflags & RFLAGS_TF)
            vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
    }
}

static inline void vcpu_advance_rip(void) { advance_from(vmread_advance()); }
