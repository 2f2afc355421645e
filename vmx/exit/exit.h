/* SPDX-License-Identifier: MIT */
/*
 * One decoder per family of exits. Private to vmx/.
 * From: vmx/run/run.c (exit table).   To: vmx/exit/cpuid.c, msr.c, cr.c, io.c, ept.c, intr.c.
 */
#pragma once
#include "vmx/upcalls.h"

/* Called by the exit table, with the VMCS of v current. */
enum exit_action exit_cpuid(struct vcpu *v);
enum exit_action exit_xsetbv(struct vcpu *v);
enum exit_action exit_rdmsr(struct vcpu *v);
enum exit_action exit_wrmsr(struct vcpu *v);
enum exit_action exit_cr_access(struct vcpu *v);
enum exit_action exit_task_switch(struct vcpu *v);
enum exit_action exit_io_instruction(struct vcpu *v);
enum exit_action exit_ept_violation(struct vcpu *v);
enum exit_action exit_exception_nmi(struct vcpu *v);
enum exit_action exit_window(struct vcpu *v);
enum exit_action exit_apic_access(struct vcpu *v);
enum exit_action exit_apic_write(struct vcpu *v);
enum exit_action exit_virtualized_eoi(struct vcpu *v);

/* vmx/exit/cr.c: the four registers of PAE paging, from where CR3 points. -EINVAL: #GP. */
MUST_CHECK int cr_load_pdptes(struct vcpu *v);
void cpuid_init(void); /* prepare the answers, once */
/* Prepare v's own answer: IA32_APIC_BASE or CR4.OSXSAVE has changed. Its VMCS is current. */
void cpuid_reload(struct vcpu *v);
/* On each CPU: it has all that guests were told of the first one; caches and names may differ.
 * -ENODEV (logged): it has not. */
MUST_CHECK int cpuid_check_cpu(void);
