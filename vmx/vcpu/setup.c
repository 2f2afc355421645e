/* SPDX-License-Identifier: MIT */
/*
 * The first contents of a VMCS, one function per area of the manual: controls, host
 * state, guest state.
 * From: vmx/vcpu/vcpu.c (a vCPU is made, is reset, or comes to another CPU).
 * To: vmx/vcpu/guards.c (HOST_RIP).
 * Spec: SDM "VM-Execution Control Fields", "Host-State Area", "Guest-State Area".
 */
#include "vmx/vcpu/setup.h"
#include "vmx/caps.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vcpu/guards.h"
#include "vmx/vmcs.h"
#include "arch/msr.h"
#include "arch/trap.h"
#include "arch/x86.h"

/* Value of IA32_PAT after reset: SDM "Page Attribute Table (PAT)". */
#define PAT_AFTER_RESET UINT64_C(0x0007040600070406)
#define VMCS_LINK_NONE  UINT64_MAX
/* TR needs a limit and a busy TSS even in a guest that has not loaded it yet. */
#define LIMIT_64K       0xffff

/* The fields of a list become 0. */
static void write_zeros(const enum vmcs_field *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        vmwrite(fields[i], 0);
}
#define ZERO(...)                                                                                  \
    do {                                                                                           \
        static const enum vmcs_field fields[] = {__VA_ARGS__};                                     \
        write_zeros(fields, ARRAY_COUNT(fields));                                                  \
    } while (0)

static void setup_bitmaps_and_tables(struct vcpu *v)
{
    vmwrite(IO_BITMAP_A, bitmaps_io_a(v->bitmaps).v);
    vmwrite(IO_BITMAP_B, bitmaps_io_b(v->bitmaps).v);
    vmwrite(EPT_POINTER, ept_pointer(v->ept));
    vmwrite(VIRTUAL_PROCESSOR_ID, v->vpid);
    if (vmx_caps.apicv)
        vmwrite(VIRTUAL_APIC_ADDRESS, ptr_hpa(v->vapic).v);
    if (vmx_caps.posting) {
        vmwrite(POSTED_INTR_VECTOR, VECTOR_ANV);
        vmwrite(POSTED_INTR_DESCRIPTOR, ptr_hpa(v->pi_desc).v);
    }
    if (vmx_caps.ipiv) {
        vmwrite(PROC_BASED_CONTROLS_3, caps_control(CONTROL_PROC3));
        vmwrite(PID_POINTER_TABLE, bitmaps_ipis(v->bitmaps).v);
        vmwrite(LAST_PID_POINTER_INDEX, BITMAPS_IPI_TARGETS - 1);
    }
}

/* apicv_reload() writes what depends on the APIC's mode before the first entry: each RESET asks for
 * that. */
void vcpu_setup_controls(struct vcpu *v)
{
    v->pin = caps_control(CONTROL_PIN);
    v->proc = caps_control(CONTROL_PROC);
    v->proc2 = caps_control(CONTROL_PROC2);
    vmwrite(PIN_BASED_CONTROLS, v->pin);
    vmwrite(PROC_BASED_CONTROLS, v->proc);
    vmwrite(PROC_BASED_CONTROLS_2, v->proc2);
    vmwrite(VM_EXIT_CONTROLS, caps_control(CONTROL_EXIT));
    vmwrite(VM_ENTRY_CONTROLS, caps_control(CONTROL_ENTRY));

    /* An endless chain of #DB or #AC never reaches an instruction, so the preemption timer
     * could not end it: they exit. #MC concerns the machine. All others go to the guest without
     * an exit. */
    vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC));
    ZERO(PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH, CR3_TARGET_COUNT,
         VM_EXIT_MSR_STORE_COUNT, VM_EXIT_MSR_LOAD_COUNT, VM_ENTRY_MSR_LOAD_COUNT,
         VM_ENTRY_INTERRUPTION_INFO);
    if (vmx_caps.apicv)
        vmwrite(TPR_THRESHOLD, 0);
    setup_bitmaps_and_tables(v);
}

void vcpu_setup_host(struct vcpu *v)
{
    struct cpu *cpu = this_cpu();
    struct table_register gdtr, idtr;
    asm volatile("sgdt %0" : "=m"(gdtr));
    asm volatile("sidt %0" : "=m"(idtr));

    vmwrite(HOST_CR0, read_cr0());
    vmwrite(HOST_CR3, read_cr3());
    vmwrite(HOST_CR4, read_cr4());
    vmwrite(HOST_IA32_PAT, rdmsr(MSR_IA32_PAT));
    vmwrite(HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
    vmwrite(HOST_CS_SELECTOR, GDT_CODE);
    vmwrite(HOST_SS_SELECTOR, GDT_DATA);
    vmwrite(HOST_TR_SELECTOR, GDT_TSS);
    vmwrite(HOST_GS_BASE, (uintptr_t)cpu);
    vmwrite(HOST_TR_BASE, (uintptr_t)&cpu->tss);
    vmwrite(HOST_GDTR_BASE, gdtr.base);
    vmwrite(HOST_IDTR_BASE, idtr.base);
    ZERO(HOST_DS_SELECTOR, HOST_ES_SELECTOR, HOST_FS_SELECTOR, HOST_GS_SELECTOR, HOST_FS_BASE,
         HOST_IA32_SYSENTER_CS, HOST_IA32_SYSENTER_ESP, HOST_IA32_SYSENTER_EIP);
    vmwrite(HOST_RIP, guards_exit_point(v));
}

void setup_segment(enum segment s, uint16_t selector, uint64_t base, uint32_t limit,
                   uint32_t rights)
{
    vmwrite(VMCS_SELECTOR(s), selector);
    vmwrite(VMCS_BASE(s), base);
    vmwrite(VMCS_LIMIT(s), limit);
    vmwrite(VMCS_ACCESS_RIGHTS(s), rights);
}

/* SDM "IA-32 Processor States Following Power-up, Reset, or INIT". One difference: caches are on
 * (CR0.CD = NW = 0), because no firmware has to switch them on first. */
static void setup_guest_control_registers(struct vcpu *v)
{
    vmwrite(CR0_MASK, CR0_HOSTS);
    vmwrite(CR4_MASK, cr4_hosts());
    cr0_write(CR0_ET);
    cr4_write(v, 0);
    vmwrite(VM_ENTRY_CONTROLS, vmread(VM_ENTRY_CONTROLS) & ~ENTRY_GUEST_64BIT);
}

void vcpu_setup_guest(struct vcpu *v)
{
    const uint32_t code = SEG_TYPE_CODE | SEG_AR_S | SEG_AR_P;
    const uint32_t data = SEG_TYPE_DATA | SEG_AR_S | SEG_AR_P;
    setup_guest_control_registers(v);
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        setup_segment(s, 0, 0, LIMIT_64K, data);
    setup_segment(SEG_CS, 0xf000, 0xffff0000, LIMIT_64K, code);
    setup_segment(SEG_LDTR, 0, 0, LIMIT_64K, SEG_TYPE_LDT | SEG_AR_P);
    setup_segment(SEG_TR, 0, 0, LIMIT_64K, SEG_TYPE_TSS_BUSY | SEG_AR_P);
    vmwrite(GUEST_GDTR_LIMIT, LIMIT_64K);
    vmwrite(GUEST_IDTR_LIMIT, LIMIT_64K);
    vmwrite(GUEST_RIP, 0xfff0);
    vmwrite(GUEST_RFLAGS, RFLAGS_1);
    debug_reset(v);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    vmwrite(VMCS_LINK_POINTER, VMCS_LINK_NONE);
    ZERO(GUEST_CR3, GUEST_IA32_EFER, GUEST_GDTR_BASE, GUEST_IDTR_BASE, GUEST_RSP,
         GUEST_IA32_DEBUGCTL, GUEST_INTERRUPTIBILITY, GUEST_PENDING_DEBUG, PREEMPTION_TIMER_VALUE);
    if (vmx_caps.apicv)
        vmwrite(GUEST_INTERRUPT_STATUS, 0);
}

void vcpu_setup_msrs(void)
{
    vmwrite(GUEST_IA32_PAT, PAT_AFTER_RESET);
    ZERO(GUEST_IA32_SYSENTER_CS, GUEST_IA32_SYSENTER_ESP, GUEST_IA32_SYSENTER_EIP);
}
