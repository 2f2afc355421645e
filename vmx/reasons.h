/* SPDX-License-Identifier: MIT */
/*
 * Two numbers of the CPU in words: the reason of a VM exit, and the error of a VMX instruction.
 * From: vmx/vmcs.c, vmx/run/run.c, vmx/show/dump.c, guest/life/report.c,
 * monitor/cmd/.   To: vmx/reasons.c.
 * Spec: SDM Appendix C "VMX Basic Exit Reasons", "VM Instruction Error Numbers".
 */
#pragma once
#include <stdint.h>

const char *exit_reason_name(uint32_t reason);
const char *vm_instruction_error(uint32_t number);
