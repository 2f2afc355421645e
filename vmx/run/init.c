/* SPDX-License-Identifier: MIT */
/*
 * VMX operation: prepared once, then entered by each CPU.
 * From: boot/main.c (vmx_init, vmx_enable).
 * To: vmx/caps.c (what this CPU can), vmx/vcpu/registers.c and vmx/exit/cpuid.c (what
 * follows from it).
 * Spec: SDM "Enabling and Entering VMX Operation", "Discovering Support for VMX".
 */
#include "vmx/run/run.h"
#include "vmx/caps.h"
#include "vmx/ept_flush.h"
#include "vmx/exit/exit.h"
#include "vmx/show/show.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vmcs.h"
#include "arch/panic.h"
#include "arch/x86.h"
#define LOG "vmx"
#include "arch/log.h"

int vmx_init(void)
{
    if (caps_init() < 0)
        return -ENODEV;
    registers_init();
    cpuid_init();
    panic_hook_add(vcpu_dump_loaded);
    return 0;
}

int vmx_enable(void)
{
    int err = caps_check_cpu();
    if (!err)
        err = cpuid_check_cpu();
    if (err)
        return err;
    struct vmcs *region = vmcs_alloc(); /* the CPU keeps it until VMXOFF, which never comes */
    if (!region)
        return FAIL(ENOMEM, "no memory for the VMXON region");
    registers_enable();
    write_cr0(caps_cr0_fixed(read_cr0()));
    write_cr4(caps_cr4_fixed(read_cr4() | CR4_VMXE));
    vmcs_enter_operation(region);
    /* Firmware or a boot loader may have cached translations under the same VPIDs or EPTPs. */
    ept_flush_all();
    return 0;
}
