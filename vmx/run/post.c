/* SPDX-License-Identifier: MIT */
/*
 * News for a vCPU from anywhere: an interrupt is posted into its descriptor, an NMI is requested, its APIC
 * has changed its mode.
 * From: guest/pc/ and guest/assign/irq.c (vcpu_post).
 * To: vmx/vcpu/posted.c (the descriptor), vmx/run/sched.c (the vCPU sleeps), vmx/vcpu/apicv.c (the virtual IRR).
 * Spec: SDM "Posted-Interrupt Processing".
 *
 * One way in: every interrupt goes into the descriptor (lib/pi_desc.h). While the guest runs and the CPU
 * can, the notification makes the CPU fold PIR into VIRR by itself, without an exit. If ON is found set
 * before an entry, the fold is done here by software: no self-IPI is needed, and it works in the same way on
 * a CPU that has virtual-interrupt delivery but no posting, and without APICv at all.
 */
#include "vmx/run/post.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/posted.h"
#include "vmx/run/sched.h"
#include "vmx/vcpu/apicv.h"
#include "arch/apic.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "lib/atomic.h"

/* The CPU of v has to come by before the change counts, so it is asked to. */
static void reload_soon(struct vcpu *v)
{
    atomic_fetch_or(&v->requests, VCPU_REQUEST_RELOAD);
    if (this_vmx_cpu()->vcpu != v)
        sched_wake(v);
}

void vcpu_apic_mode_changed(struct vcpu *v) { reload_soon(v); }

void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on)
{
    uint64_t bit = BIT(vector % 64);
    uint64_t before = on ? atomic_fetch_or(&v->eoi_exit[vector / 64], bit)
                         : atomic_fetch_and(&v->eoi_exit[vector / 64], ~bit);
    if (vmx_caps.apicv && !(before & bit) == on)
        reload_soon(v);
}

void vcpu_nmi(struct vcpu *v)
{
    atomic_fetch_or(&v->requests, VCPU_REQUEST_NMI);
    sched_wake(v);
}

/* `active` is sent where the descriptor says ANV. */
static void post(struct vcpu *v, uint8_t vector, uint8_t active)
{
    uint8_t nv;
    uint32_t ndst;
    bool notify = posted_post(v->pi_desc, vector, false, &nv, &ndst);
    TRACE(TRACE_POST, v->trace_id, notify, vector, 0, 0);
    if (!notify)
        return;
    uint32_t id = apic_is_x2apic() ? ndst : (uint32_t)FIELD_GET(BITS(15, 8), ndst);
    if (id != this_cpu()->apic_id)
        apic_ipi(id, nv == VECTOR_ANV ? active : nv);
    else if (nv == VECTOR_WNV)
        sched_notified();
    /* else v runs here: we are in one of its exits, and its next entry looks at ON. */
}

void vcpu_post(struct vcpu *v, uint8_t vector) { post(v, vector, VECTOR_ANV); }
void vcpu_post_by_exit(struct vcpu *v, uint8_t vector) { post(v, vector, VECTOR_KICK); }

const struct pi_desc *vcpu_descriptor(const struct vcpu *v)
{
    return vmx_caps.posting ? v->pi_desc : NULL;
}
