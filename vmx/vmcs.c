/* SPDX-License-Identifier: MIT */
/*
 * The instructions that work on a VMCS as a whole. VMfail is a bug of ours, and panics with its reason.
 * From: vmx/vcpu/vcpu.c (a vCPU is made, loaded, unloaded), vmx/run/init.c (VMXON).   To: vmx/caps.c (revision).
 * Spec: SDM "Virtual Machine Control Structures", "Software Use of Virtual-Machine Control Structures",
 * "VMX Instruction Reference".
 */
#include "vmx/vmcs.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/reasons.h"
#include "arch/page.h"
#include "arch/panic.h"

void vmcs_failed(const char *instruction, uint64_t operand)
{
    uint32_t number = 0;
    if (this_vmx_cpu()->vcpu) {
        uint64_t error = 0;
        asm volatile("vmread %1, %0" : "=r"(error) : "r"((uint64_t)VM_INSTRUCTION_ERROR));
        number = (uint32_t)error;
    }
    panic("%s 0x%llx fails: %s", instruction, (unsigned long long)operand,
          vm_instruction_error(number));
}

struct vmcs *vmcs_alloc(void)
{
    struct vmcs *vmcs = page_alloc();
    if (vmcs)
        vmcs->revision = caps_revision();
    return vmcs;
}

void vmcs_clear(struct vmcs *vmcs)
{
    uint64_t address = ptr_hpa(vmcs).v;
    bool failed;
    asm volatile("vmclear %1" : "=@ccbe"(failed) : "m"(address) : "memory");
    if (failed)
        vmcs_failed("VMCLEAR", address);
}

void vmcs_make_current(struct vmcs *vmcs)
{
    uint64_t address = ptr_hpa(vmcs).v;
    bool failed;
    asm volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(address) : "memory");
    if (failed)
        vmcs_failed("VMPTRLD", address);
}

void vmcs_enter_operation(struct vmcs *region)
{
    uint64_t address = ptr_hpa(region).v;
    bool failed;
    asm volatile("vmxon %1" : "=@ccbe"(failed) : "m"(address) : "memory");
    if (failed)
        vmcs_failed("VMXON", address);
}
