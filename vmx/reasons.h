/* SPDX-License-Identifier: MIT */
/*
 * The numbers that the CPU answers with, in words: why a VM exit came, why an instruction failed.
 * From: vmx/vmcs.c, vmx/run/run.c, vmx/show/dump.c, guest/life/report.c, monitor/cmd/.   To: vmx/reasons.c.
 * Spec: SDM Appendix C "VMX Basic Exit Reasons", "VM Instruction Error Numbers".
 */
#pragma once
#include <stdint.h>

const char *exit_reason_name(uint32_t reason);
const char *vm_instruction_error(uint32_t number);
