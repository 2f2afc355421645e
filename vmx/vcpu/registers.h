/* SPDX-License-Identifier: MIT */
/*
 * Registers that neither the VMCS nor vmx/enter.asm carries. Private to vmx/.
 * From: vmx/vcpu/load.c, vmx/vcpu/debug.c, vmx/exit/cpuid.c (XSETBV), vmx/exit/msr.c.
 * To: vmx/vcpu/registers.c.
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

/* SDM "XSAVE-Managed Features" */
#define XCR0_X87    BIT(0)
#define XCR0_SSE    BIT(1)
#define XCR0_AVX    BIT(2)
#define XCR0_AVX512 BITS(7, 5)

void registers_init(void);                       /* which state components exist, once */
void registers_enable(void);                     /* on each CPU: CR4.OSFXSR and OSXSAVE, CR0.MP */
uint32_t registers_area_size(void);              /* bytes of an XSAVE area with all of them */
MUST_CHECK int registers_create(struct vcpu *v); /* -ENOMEM */
void registers_destroy(struct vcpu *v);
/* To the values after RESET, but the debug registers (debug_reset); v is not loaded. */
void registers_reset(struct vcpu *v);
/* This CPU has the kept MSRs of `from` and gets those of `to`, but for IA32_TSC_AUX; NULL: of none
 * that is known. */
void registers_msrs(const struct vcpu *from, struct vcpu *to);
/* DR0-DR3 become v->debug.in_cpu, which is not NULL; v is loaded. */
void registers_breakpoints(const struct vcpu *v);
/* v is loaded and writes one of its MSRs. -EIO: #GP; -ENOENT: it is none of those that are kept. */
MUST_CHECK int registers_set_msr(struct vcpu *v, uint32_t msr, uint64_t value);
/* Of v, loaded or not; of the vCPU that is loaded here. */
uint64_t registers_cr2(const struct vcpu *v);
void registers_set_cr2(uint64_t linear);
/* v is loaded, and its CR4.OSXSAVE may have changed. */
void registers_reload(struct vcpu *v);
/* The CPU's answer to CPUID leaf 0DH with the guest's XCR0; v is loaded, and there is XSAVE. */
struct cpuid_regs registers_cpuid(const struct vcpu *v, uint32_t subleaf);
/* v is loaded. -EINVAL: #GP by SDM "XSETBV-Set Extended Control Register". */
MUST_CHECK int registers_set_xcr0(struct vcpu *v, uint64_t xcr0);
