/* SPDX-License-Identifier: MIT */
/*
 * Two numbers of the CPU in words: the reason of a VM exit, and the error of a VMX instruction.
 * From: vmx/vmcs.c (vm_instruction_error), vmx/show/dump.c (exit_reason_name).
 * To: vmx/vmx_bits.h (EXIT_REASONS).
 * Spec: SDM Appendix C "VMX Basic Exit Reasons", "VM Instruction Error Numbers".
 */
#include "vmx/reasons.h"
#include "vmx/vmx_bits.h"

static const char *const exit_reasons[EXIT_REASON_COUNT] = {
#define F(name, number, words) [number] = words,
    EXIT_REASONS(F)
#undef F
};

static const char *const instruction_errors[] = {
    [0] = "VMfailInvalid: no current VMCS",
    [1] = "VMCALL in root operation",
    [2] = "VMCLEAR with an invalid address",
    [3] = "VMCLEAR of the VMXON region",
    [4] = "VMLAUNCH of a VMCS that is not clear",
    [5] = "VMRESUME of a VMCS that was not launched",
    [6] = "VMRESUME after VMXOFF",
    [7] = "VM entry with invalid control fields",
    [8] = "VM entry with invalid host-state fields",
    [9] = "VMPTRLD with an invalid address",
    [10] = "VMPTRLD of the VMXON region",
    [11] = "VMPTRLD of a VMCS with another revision",
    [12] = "VMREAD or VMWRITE of a field that this CPU lacks",
    [13] = "VMWRITE to a read-only field",
    [15] = "VMXON in root operation",
    [16] = "VM entry with an invalid executive-VMCS pointer",
    [17] = "VM entry with an executive VMCS that was not launched",
    [18] = "VM entry with a bad executive-VMCS pointer",
    [19] = "VMCALL with a VMCS that is not clear",
    [20] = "VMCALL with invalid VM-exit controls",
    [22] = "VMCALL with a wrong MSEG revision",
    [23] = "VMXOFF under dual-monitor treatment",
    [24] = "VMCALL with invalid SMM-monitor features",
    [25] = "VM entry with invalid execution controls in the executive VMCS",
    [26] = "VM entry with events blocked by MOV SS",
    [28] = "invalid operand to INVEPT or INVVPID",
};

const char *exit_reason_name(uint32_t reason)
{
    const char *name = reason < EXIT_REASON_COUNT ? exit_reasons[reason] : NULL;
    return name ? name : "unknown";
}

const char *vm_instruction_error(uint32_t number)
{
    const char *name = number < ARRAY_COUNT(instruction_errors) ? instruction_errors[number] : NULL;
    return name ? name : "unknown error number";
}
