/* SPDX-License-Identifier: MIT */
/*
 * A vCPU in words and numbers, for reports and for a person who looks.
 * From: vmx/run/run.c (an entry fails), guest/life/report.c, monitor/.
 * To: vmx/show/dump.c, entry_check.c.
 */
#pragma once
#include "lib/text.h"
#include "vmx/vcpu/vcpu.h"

/* Registers, controls and the decoded last exit, to the log. */
void vcpu_dump(const struct vcpu *v);
void vcpu_dump_loaded(void); /* for a panic: the vCPU whose state is in this CPU, if any */
/* In words: RIP, RFLAGS and the control registers; then four general ones a row, "rax=0x1 ...". */
#define GPR_ROWS 4
struct text vcpu_system_row(const struct vcpu *v);
struct text vcpu_gpr_row(const struct vcpu *v, unsigned row);
const char *vcpu_state_name(enum vcpu_state state);
/* The first broken rule of SDM "Checks on the Guest State Area" in the current VMCS; or "". */
const char *entry_check_guest(void);
/* A field by its encoding; false: this CPU has no such field. v is loaded in this CPU or in none,
 * which vm_visit() in guest/ arranges. */
bool vcpu_vmcs_field(const struct vcpu *v, uint32_t encoding, uint64_t *value);
