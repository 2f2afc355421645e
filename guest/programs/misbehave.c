/* SPDX-License-Identifier: MIT */
/*
 * What a guest must not do, answered as a processor without VMX would: VMX instructions and
 * CR4.VMXE, reserved bits of control registers, MSRs that are not there, memory and code where
 * there is nothing.
 * To: vmx/exit/cr.c, vmx/exit/msr.c, vmx/run/run.c (exit table), guest/pc/mmio.c.
 * Spec: SDM "VMX Instruction Reference", "Control Registers", RDMSR.
 */
#include "guest/programs/misbehave.h"
#include "arch/msr.h"

#define NOWHERE    UINT64_C(0xbf000000) /* below 4 GiB: paging reaches it; behind RAM */

#define LOCAL_APIC UINT64_C(0xfee00000)

static void vmx_is_not_there(void)
{
    check(!(cpuid(1, 0).ecx & BIT(5)));
    check(exception_of("vmxon (%%rax)", &seen_error) == VECTOR_UD);
    check(exception_of("vmread %%rax, %%rdx", 0) == VECTOR_UD);
    check(exception_of("vmlaunch", 0) == VECTOR_UD);
    check(exception_of("vmxoff", 0) == VECTOR_UD);
    print("VMX instructions: #UD");
    check(exception_of("mov %%rax, %%cr4", read_cr4() | CR4_VMXE) == VECTOR_GP);
    check(!(read_cr4() & CR4_VMXE));
    print("CR4.VMXE: #GP");
}

static void registers(void)
{
    check(exception_of("mov %%rax, %%cr4", read_cr4() | BIT(31)) == VECTOR_GP);
    check(exception_of("mov %%rax, %%cr0", read_cr0() & ~CR0_PE) == VECTOR_GP);
    check(exception_of("mov %%rax, %%cr0", (read_cr0() | CR0_NW) & ~CR0_CD) == VECTOR_GP);
    check(exception_of("mov %%eax, %%ecx; rdmsr", 0x12345) == VECTOR_GP);
    check(exception_of("mov %%eax, %%ecx; rdmsr", MSR_IA32_VMX_BASIC) == VECTOR_GP);
    check(exception_of("mov %%eax, %%ecx; xor %%edx, %%edx; wrmsr", 0xc0001234) == VECTOR_GP);
    print("reserved bits and absent MSRs: #GP");
}

static void nowhere(void)
{
    mmio_write32((void *)NOWHERE, 0x12345678);
    check(mmio_read32((void *)NOWHERE) == UINT32_MAX);
    check(mmio_read8((void *)(NOWHERE + 5)) == 0xff);
    check(mmio_read64((void *)(NOWHERE + 8)) == UINT64_MAX);
    print("memory that is not there: reads as ones");
    check(in8(0x1234) == 0xff && in16(0x1234) == 0xffff && in32(0x1234) == UINT32_MAX);
    print("ports that are not there: read as ones");
    check(exception_of("jmp *%%rax", NOWHERE) == VECTOR_UD);
    print("a jump to nowhere: #UD");
    check(exception_of("jmp *%%rax", LOCAL_APIC + 0x20) == VECTOR_UD);
    print("a jump to the local APIC: #UD");
}

int main(void)
{
    catch_exceptions();
    vmx_is_not_there();
    registers();
    nowhere();
    return 0;
}
