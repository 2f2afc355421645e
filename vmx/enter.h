/* SPDX-License-Identifier: MIT */
/*
 * VM entry that looks like a call. Private to vmx/.
 * From: vmx/run/run.c (vcpu_run), vmx/vcpu/guards.c (HOST_RIP).   To: vmx/enter.asm.
 */
#pragma once

struct vcpu;

/* Returns v at the VM exit. Guest registers come from v->regs and are back there afterwards. */
#ifdef HAMLET_UNIT
struct vcpu *vmx_enter(struct vcpu *v);
#else
static inline struct vcpu *vmx_enter(struct vcpu *v)
{
    asm volatile("call vmx_enter_guest"
                 : "+D"(v)
                 :
                 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                   "r15", "cc", "memory");
    return v;
}
#endif
/* HOST_RIP; the second one is for a CPU with known leaks. */
void vmx_exit_point(void);
void vmx_exit_point_guarded(void);
