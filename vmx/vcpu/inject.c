/* SPDX-License-Identifier: MIT */
/*
 * Events for the next VM entry: an exception that a handler raised, an NMI, and, without APICv, the
 * interrupt that the software local APIC lets through. One event per entry; what has to wait asks
 * for a window.
 * From: vmx/exit/ and guest/pc/mmio.c (vcpu_inject), vmx/run/run.c (inject_what_waits).
 * To: vmx/vmcs.h (the VM-entry interruption field), guest/pc/vlapic_irq.c (apic_next_irq).
 * Hot: runs before each entry with an event.
 * Spec: SDM "Event Injection", "Interrupt-Window Exiting and Virtual-Interrupt
 * Delivery", "Interrupt 8-Double Fault Exception (#DF)", "Information for VM Exits That
 * Occur During Event Delivery".
 */
#include "vmx/vcpu/inject.h"
#include "vmx/caps.h"
#include "vmx/upcalls.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vcpu/request.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/x86.h"
#include "arch/trace.h"
#include "lib/atomic.h"

static uint32_t event_of(unsigned type, uint8_t vector)
{
    return (uint32_t)(EVENT_VALID | FIELD_SET(EVENT_TYPE, type) | vector);
}

/* SDM "Interrupt and Exception Classes" */
#define CONTRIBUTORY                                                                               \
    (BIT(VECTOR_DE) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP))
static bool is_contributory(uint8_t vector) { return CONTRIBUTORY & BIT(vector); }

/* SDM "Conditions for Generating a Double Fault": false: `second` is delivered after `first`. */
static bool doubles(uint8_t first, uint8_t second)
{
    return (is_contributory(second) && (is_contributory(first) || first == VECTOR_PF)) ||
           (first == VECTOR_PF && second == VECTOR_PF);
}

/* If an exception waits already, the two may make a #DF, and after a #DF a triple fault. The VM
 * entry pushes RFLAGS as they are, and a fault pushes RF = 1: SDM "Instruction-Breakpoint Exception
 * Condition". */
static COLD void raise(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    if ((v->event & EVENT_VALID) && FIELD_GET(EVENT_TYPE, v->event) == EVENT_EXCEPTION) {
        uint8_t before = (uint8_t)FIELD_GET(EVENT_VECTOR, v->event);
        if (before == VECTOR_DF &&
            (is_contributory(vector) || vector == VECTOR_PF || vector == VECTOR_DF)) {
            vcpu_on_crash(v, "triple fault");
            vcpu_request(v, VCPU_REQUEST_STOP);
            return;
        }
        if (doubles(before, vector)) {
            vector = VECTOR_DF;
            has_error = true;
            error = 0;
        }
    }
    v->event = event_of(EVENT_EXCEPTION, vector);
    v->alarm = 0;
    vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) | RFLAGS_RF);
    v->event_error = error;
    /* In real mode no exception pushes an error code. */
    if (has_error && (vmread(GUEST_CR0) & CR0_PE))
        v->event |= EVENT_ERROR_CODE;
}

void vcpu_inject(struct vcpu *v, uint8_t vector) { raise(v, vector, false, 0); }

void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    raise(v, vector, true, error_code);
}

void vcpu_inject_page_fault(struct vcpu *v, uint64_t linear, uint32_t error_code)
{
    registers_set_cr2(linear);
    raise(v, VECTOR_PF, true, error_code);
}

enum exit_action inject_ud(struct vcpu *v)
{
    raise(v, VECTOR_UD, false, 0);
    return RESUME_SAME;
}

enum exit_action inject_gp(struct vcpu *v)
{
    raise(v, VECTOR_GP, true, 0);
    return RESUME_SAME;
}

void inject_again(struct vcpu *v)
{
    uint32_t info = (uint32_t)vmread(IDT_VECTORING_INFO);
    if (!(info & EVENT_VALID))
        return;
    v->event = (uint32_t)(info & (EVENT_VALID | EVENT_TYPE | EVENT_VECTOR | EVENT_ERROR_CODE));
    v->event_error = info & EVENT_ERROR_CODE ? (uint32_t)vmread(IDT_VECTORING_ERROR_CODE) : 0;
    v->event_length = (uint32_t)vmread(VM_EXIT_INSTRUCTION_LENGTH);
    v->alarm = 0;
    /* The delivery that failed has blocked NMIs, and VM entry injects no NMI under
     * that blocking. */
    if (FIELD_GET(EVENT_TYPE, info) == EVENT_NMI)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKED_BY_NMI);
}

void inject_delivered(struct vcpu *v)
{
    if (FIELD_GET(EVENT_TYPE, v->event) == EVENT_NMI)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) | BLOCKED_BY_NMI);
    v->event = 0;
}

void inject_pass_on(struct vcpu *v, uint32_t info)
{
    v->event = (uint32_t)(info & (EVENT_VALID | EVENT_TYPE | EVENT_VECTOR));
    v->event_length = (uint32_t)vmread(VM_EXIT_INSTRUCTION_LENGTH);
    v->alarm = 0;
}

static inline void inject_plain(const struct vcpu *v, uint32_t event)
{
    TRACE(TRACE_INJECT, v->trace_id, 0, event, v->event_error, 0);
    vmwrite(VM_ENTRY_INTERRUPTION_INFO, event);
}

static void inject_now(struct vcpu *v, uint32_t event)
{
    inject_plain(v, event);
    if (event & EVENT_ERROR_CODE)
        vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, v->event_error);
    if (FIELD_GET(EVENT_TYPE, event) >= EVENT_SOFT_INTERRUPT)
        vmwrite(VM_ENTRY_INSTRUCTION_LENGTH, v->event_length);
}

static bool nmi_waits(const struct vcpu *v)
{
    return atomic_load(&v->requests) & VCPU_REQUEST_NMIS;
}

/* True: injected. A later NMI is a new request, so this one is cleared first. While the guest
 * handles an NMI, one more waits, and a second one is lost. */
static bool inject_nmi(struct vcpu *v, uint64_t blocked)
{
    uint32_t waiting = atomic_load(&v->requests) & (uint32_t)VCPU_REQUEST_NMIS;
    uint32_t last = waiting & (uint32_t)VCPU_REQUEST_NMI_2 ? VCPU_REQUEST_NMI_2 : VCPU_REQUEST_NMI;
    bool now = waiting && !(blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS | BLOCKED_BY_NMI));
    if (now || ((blocked & BLOCKED_BY_NMI) && waiting == VCPU_REQUEST_NMIS))
        atomic_fetch_and(&v->requests, ~last);
    if (now)
        inject_now(v, event_of(EVENT_NMI, VECTOR_NMI));
    return now;
}

/* RFLAGS.IF is 1, and no instruction before this one holds interrupts back. */
static bool takes_interrupts(void)
{
    return (vmread(GUEST_RFLAGS) & RFLAGS_IF) &&
           !(vmread(GUEST_INTERRUPTIBILITY) & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
}

static bool ext_waits(const struct vcpu *v) { return atomic_load(&v->requests) & VCPU_REQUEST_EXT; }

/* The interrupt of an 8259 knows no priority; only RFLAGS.IF keeps it back. True: injected. */
static bool inject_ext(struct vcpu *v)
{
    if (!ext_waits(v) || !takes_interrupts())
        return false;
    int vector = apic_extint(v, true);
    if (vector >= 0)
        inject_now(v, event_of(EVENT_EXTERNAL, (uint8_t)vector));
    return vector >= 0;
}

/* Without APICv: the interrupt that the local APIC lets through, unless another event goes `first`.
 * `proc` becomes the primary controls, with a window for an interrupt that waits. For one that the
 * local APIC holds back, each exit looks again. */
static void inject_interrupt(struct vcpu *v, bool first, uint32_t proc)
{
    int vector = apic_next_irq(v);
    if (vector >= 0) {
        if (!first && takes_interrupts()) {
            apic_on_irq_taken(v, (uint8_t)vector);
            inject_plain(v, event_of(EVENT_EXTERNAL, (uint8_t)vector));
        } else {
            proc |= PROC_INTERRUPT_WINDOW;
        }
    }
    vcpu_set_proc(v, proc);
}

/* SDM "NMI-Window Exiting": STI may leave it open, and then the guest exits at each entry, before
 * its instruction. STI has set IF, so the window of interrupts opens behind that one. An entry that
 * injects ends the blocking by STI. */
static COLD uint32_t window_for_nmi(uint64_t blocked)
{
    bool by_sti = (blocked & (BLOCKED_BY_STI | BLOCKED_BY_NMI)) == BLOCKED_BY_STI;
    bool injects = vmread(VM_ENTRY_INTERRUPTION_INFO) & EVENT_VALID;
    return by_sti && !injects ? PROC_INTERRUPT_WINDOW : PROC_NMI_WINDOW;
}

/* What still waits gets an exit when the guest can take it. */
static void inject_first(struct vcpu *v)
{
    uint64_t blocked = vmread(GUEST_INTERRUPTIBILITY);
    bool done = true;
    if (v->event) {
        inject_now(v, v->event);
        v->event = 0;
    } else {
        done = inject_nmi(v, blocked) || inject_ext(v);
    }
    uint32_t proc = v->proc & ~(uint32_t)(PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW);
    if (nmi_waits(v))
        proc |= window_for_nmi(blocked);
    if (ext_waits(v) && apic_extint(v, false) >= 0)
        proc |= PROC_INTERRUPT_WINDOW;
    if (v->irq_waits)
        inject_interrupt(v, done, proc);
    else
        vcpu_set_proc(v, proc);
}

/* Most often it is an interrupt, without APICv, and no other event has to be looked at. */
void inject_what_waits(struct vcpu *v)
{
    if (inject_others(v))
        inject_first(v);
    else
        inject_interrupt(v, false, v->proc);
}

/* All that ends a HLT but an interrupt of a virtual APIC that the CPU serves. */
static __attribute__((noinline)) bool others_wake(struct vcpu *v)
{
    if (v->event || (nmi_waits(v) && !(vmread(GUEST_INTERRUPTIBILITY) & BLOCKED_BY_NMI)))
        return true;
    if (v->halted_masked)
        return false;
    return (ext_waits(v) && apic_extint(v, false) >= 0) || (v->irq_waits && apic_next_irq(v) >= 0);
}

bool inject_wakes(struct vcpu *v)
{
    if (vmx_caps.apicv && !v->halted_masked && apicv_deliverable(v))
        return true;
    uint32_t requests = atomic_load(&v->requests) & (VCPU_REQUEST_NMIS | VCPU_REQUEST_EXT);
    return (v->event | v->irq_waits | requests) && others_wake(v);
}
