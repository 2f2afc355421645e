/* SPDX-License-Identifier: MIT */
/*
 * Exits about events of the guest: windows that have opened, the trap-like exits of the virtual
 * APIC, and the few exceptions that are intercepted.
 * From: vmx/run/run.c (exit table).
 * To: guest/pc/vlapic.c (apic_on_write), guest/pc/vlapic_irq.c (apic_on_eoi).
 * Spec: SDM "VM-Exit Interruption Information", "Virtualizing Memory-Mapped APIC Accesses".
 */
#include "vmx/exit/exit.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/x86.h"

/* An interrupt or an NMI waits, so inject_pending() runs before the next entry, and asks for a
 * window again if one is needed. */
enum exit_action exit_window(struct vcpu *v)
{
    vcpu_set_proc(v, v->proc & ~(uint32_t)(PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW));
    return RESUME_SAME;
}

enum exit_action exit_exception_nmi(struct vcpu *v)
{
    inject_again(v);
    uint32_t info = (uint32_t)vmread(VM_EXIT_INTERRUPTION_INFO);
    /* An IRET that ends an NMI handler has unblocked NMIs, but will be executed again. */
    if ((info & EVENT_NMI_UNBLOCKED) && !v->event)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) | BLOCKED_BY_NMI);
    switch (FIELD_GET(EVENT_VECTOR, info)) {
    case VECTOR_NMI: /* the host's: its handler's IRET ends the blocking of NMIs */
        asm volatile("int $2" ::: "memory");
        break;
    case VECTOR_MC:
        asm volatile("int $18" ::: "memory");
        break;
    case VECTOR_DB:
        return debug_exception(v, info);
    case VECTOR_BP:
        return debug_int3(v, info);
    case VECTOR_AC:
        vcpu_inject_error(v, VECTOR_AC, (uint32_t)vmread(VM_EXIT_INTERRUPTION_ERROR_CODE));
        break;
    default:
        vcpu_on_crash(v, "an exception that is not intercepted");
        return STOP_VM;
    }
    return RESUME_SAME;
}

/* A register that the virtual-APIC page does not serve. The virtual PC sees an EPT violation, as of
 * any other access to memory that is not mapped. */
enum exit_action exit_apic_access(struct vcpu *v)
{
    inject_again(v);
    uint64_t qualification = vmread(EXIT_QUALIFICATION);
    /* by type; those that are not here are accesses to page tables */
    static const uint16_t as_ept[] = {[APIC_LINEAR_READ] = QUAL_EPT_READ | QUAL_EPT_LINEAR,
                                      [APIC_LINEAR_WRITE] = QUAL_EPT_WRITE | QUAL_EPT_LINEAR,
                                      [APIC_LINEAR_FETCH] = QUAL_EPT_FETCH | QUAL_EPT_LINEAR,
                                      [APIC_LINEAR_EVENT] = QUAL_EPT_READ | QUAL_EPT_LINEAR};
    uint64_t type = FIELD_GET(QUAL_APIC_TYPE, qualification);
    v->exit.qualification = qualification;
    uint64_t at = ALIGN_DOWN(v->apic_base, PAGE_SIZE) + FIELD_GET(QUAL_APIC_OFFSET, qualification);
    hottest_count(&v->hottest[HOTTEST_GPA], at);
    uint64_t how = type < ARRAY_COUNT(as_ept) ? as_ept[type] : 0;
    return vcpu_on_gpa(v, gpa(at), how | QUAL_EPT_LINEAR_VALID, NULL);
}

/* Trap-like: RIP is behind the instruction already. */
enum exit_action exit_apic_write(struct vcpu *v)
{
    apic_on_write(v, (uint32_t)FIELD_GET(QUAL_APIC_OFFSET, vmread(EXIT_QUALIFICATION)));
    return RESUME_SAME;
}

enum exit_action exit_virtualized_eoi(struct vcpu *v)
{
    apic_on_eoi(v, (uint8_t)FIELD_GET(EVENT_VECTOR, vmread(EXIT_QUALIFICATION)));
    return RESUME_SAME;
}
