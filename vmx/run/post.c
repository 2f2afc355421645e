/* SPDX-License-Identifier: MIT */
/*
 * News for a vCPU from any CPU: post an interrupt into its descriptor, request an NMI, announce a
 * change of its APIC's mode.
 * From: guest/pc/ and guest/assign/irq.c (vcpu_post).
 * To: vmx/vcpu/posted.c (the descriptor), vmx/run/sched.c (the vCPU sleeps), vmx/bitmaps.c (IPIs
 * that do not come here).
 * Hot: every interrupt that is not posted by the CPU or the unit.
 * Spec: SDM "Posted-Interrupt Processing", "IPI Virtualization".
 *
 * Every interrupt goes into the descriptor (lib/pi_desc.h). While the guest runs on a CPU with
 * posting, the notification makes the CPU fold PIR into VIRR without an exit. In an exit of the
 * same vCPU, and at the start of a slice, vmx/vcpu/apicv.c does the same fold by software: its VMCS
 * is current then, as no interrupt is posted between vcpu_borrow() and vcpu_return(). So no
 * self-IPI is needed, and the way is the same on a CPU that has virtual-interrupt delivery but no
 * posting, and without APICv.
 */
#include "vmx/run/post.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/posted.h"
#include "vmx/run/queue.h"
#include "vmx/run/sched.h"
#include "vmx/vcpu/request.h"
#include "arch/apic.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "lib/atomic.h"

/* The change counts from the next entry of v; sched_wake() makes v exit on another CPU. */
COLD void vcpu_apic_mode_changed(struct vcpu *v)
{
    vcpu_request(v, VCPU_REQUEST_RELOAD);
    if (this_vmx_cpu()->vcpu != v)
        sched_wake(v);
}

/* A later deadline than the alarm is seen when the alarm rings. */
void vcpu_set_deadline(struct vcpu *v, uint64_t tsc)
{
    atomic_store(&v->timer_deadline, tsc);
    if (tsc && tsc < v->alarm)
        vcpu_alarm_now(v);
}

COLD void vcpu_address_changed(struct vcpu *v) { vcpu_request(v, VCPU_REQUEST_ADDRESS); }

/* An IPI to an APIC that is off exits at the sender, and software drops it. */
COLD void vcpu_takes_ipis(struct vcpu *v, bool on)
{
    if (vmx_caps.ipiv)
        bitmaps_ipi(v->bitmaps, v->index, on ? v->pi_desc : NULL);
}

COLD void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on)
{
    uint64_t bit = BIT(vector % 64);
    uint64_t before = on ? atomic_fetch_or(&v->eoi_exit[vector / 64], bit)
                         : atomic_fetch_and(&v->eoi_exit[vector / 64], ~bit);
    if (!(before & bit) == on)
        vcpu_apic_mode_changed(v);
}

/* The CPU has room for one NMI beside the one that it handles. */
COLD void vcpu_nmi(struct vcpu *v)
{
    if (vcpu_request(v, VCPU_REQUEST_NMI) & VCPU_REQUEST_NMI)
        vcpu_request(v, VCPU_REQUEST_NMI_2);
    sched_wake(v);
}

COLD void vcpu_extint(struct vcpu *v, bool asserted)
{
    if (asserted) {
        vcpu_request(v, VCPU_REQUEST_EXT);
        sched_wake(v);
    } else {
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_EXT);
    }
}

/* Another CPU, or the wake list of this one. `active` is the vector to send instead of ANV. */
static __attribute__((noinline)) void notify_elsewhere(uint64_t control, uint8_t active)
{
    uint8_t nv = (uint8_t)FIELD_GET(PI_NV, control);
    if ((control & PI_NDST) != this_vmx_cpu()->queue->ndst)
        apic_ipi(posted_apic_id(control, apic_is_x2apic()), nv == VECTOR_ANV ? active : nv);
    else if (nv != VECTOR_ANV)
        sched_notified();
    /* else its slice is about to begin on this CPU, with a look at ON */
}

static inline void post(struct vcpu *v, uint8_t vector, uint8_t active)
{
    uint64_t control = posted_post(v->pi_desc, vector);
    TRACE(TRACE_POST, v->trace_id, control != 0, vector, 0, 0);
    if (!control)
        return;
    if (this_vmx_cpu()->vcpu == v && FIELD_GET(PI_NV, control) == VECTOR_ANV)
        apicv_fold(v); /* v runs here, and this is one of its exits */
    else
        notify_elsewhere(control, active);
}

void vcpu_post(struct vcpu *v, uint8_t vector) { post(v, vector, VECTOR_ANV); }
void vcpu_post_by_exit(struct vcpu *v, uint8_t vector) { post(v, vector, VECTOR_KICK); }

const struct pi_desc *vcpu_descriptor(const struct vcpu *v)
{
    return vmx_caps.posting ? v->pi_desc : NULL;
}
