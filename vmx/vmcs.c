/* SPDX-License-Identifier: MIT */
/*
 * The instructions that work on a VMCS as a whole. A VMfail is a bug of Hamlet's own, so it panics
 * with the CPU's reason.
 * From: vmx/vcpu/vcpu.c (a vCPU is made, loaded, unloaded), vmx/run/init.c (VMXON).
 * To: vmx/caps.c (caps_revision), vmx/reasons.c (the reason in words).
 * Spec: SDM "Virtual Machine Control Structures", "Software Use of Virtual-Machine Control
 * Structures", "VMX Instruction Reference".
 */
#include "vmx/vmcs.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/reasons.h"
#include "arch/page.h"
#include "arch/panic.h"

void vmcs_failed(const char *instruction, uint64_t operand)
{
    uint64_t error = 0;
    /* Only a current VMCS has the error field. Not vmread(), whose failure would end here again. */
    if (this_vmx_cpu()->vcpu)
        asm volatile("vmread %1, %0" : "=r"(error) : "r"((uint64_t)VM_INSTRUCTION_ERROR));
    panic("%s 0x%lx fails: %s", instruction, operand, vm_instruction_error((uint32_t)error));
}

/* Each VMREAD and VMWRITE has a call of these: without the name they are shorter. */

struct vmcs *vmcs_alloc(void)
{
    struct vmcs *vmcs = page_alloc();
    if (vmcs)
        vmcs->revision = caps_revision();
    return vmcs;
}

/* The operand of these instructions is the address of a VMCS, in memory. */
#define EXECUTE(instruction, name, vmcs)                                                           \
    do {                                                                                           \
        uint64_t address = ptr_hpa(vmcs).v;                                                        \
        bool failed;                                                                               \
        asm volatile(instruction " %1" : "=@ccbe"(failed) : "m"(address) : "memory");              \
        if (failed)                                                                                \
            vmcs_failed(name, address);                                                            \
    } while (0)

void vmcs_clear(struct vmcs *vmcs) { EXECUTE("vmclear", "VMCLEAR", vmcs); }
void vmcs_enter_operation(struct vmcs *region) { EXECUTE("vmxon", "VMXON", region); }
