/* SPDX-License-Identifier: MIT */
/*
 * The virtual local APIC as far as the CPU serves it: controls for the APIC's mode, the virtual IRR, and
 * the way of an interrupt from the descriptor into it.
 * From: vmx/run/run.c (before an entry), guest/pc/vlapic.c (mode, EOI exits), everybody (vcpu_post).
 * To: vmx/vcpu/inject.c (machines without APICv), vmx/run/sched.c (the vCPU sleeps).
 * Spec: SDM "APIC Virtualization and Virtual Interrupts", "Posted-Interrupt Processing".
 *
 * One way in: every interrupt goes into the descriptor (lib/pi_desc.h). While the guest runs and the CPU
 * can, the notification makes it fold PIR into VIRR by itself, without an exit. If ON is found set
 * before an entry, the fold is done here by software: no self-IPI is needed, and it works in the same way on
 * a CPU that has virtual-interrupt delivery but no posting, and without APICv at all.
 */
#include "vmx/internal.h"
#include "arch/apic.h"
#include "arch/msr.h"
#include "arch/trap.h"
#include "arch/trace.h"

#define APIC_PAGE_DEFAULT UINT64_C(0xfee00000)
#define PRIORITY_CLASS    BITS(7, 4)

/* Where the APIC-access address points has to be RAM of our own, mapped where the guest looks for its
 * APIC; while the APIC is in xAPIC mode no access reaches it. */
int apicv_create(struct vcpu *v)
{
    v->apic_base = APIC_PAGE_DEFAULT | APIC_BASE_EN | (v->index == 0 ? APIC_BASE_BSP : 0);
    if (!vmx_caps.apicv)
        return 0;
    hpa_t page;
    int err = ept_apic_page(v->ept, &page);
    if (err)
        return err;
    err = ept_map(v->ept, gpa(APIC_PAGE_DEFAULT), page, PAGE_SIZE, EPT_PERM_READ | EPT_PERM_WRITE,
                  EPT_WB);
    return err == -EEXIST ? 0 : err; /* by another vCPU of this VM */
}

static bool in_x2apic_mode(const struct vcpu *v)
{
    return (v->apic_base & (APIC_BASE_EN | APIC_BASE_EXTD)) == (APIC_BASE_EN | APIC_BASE_EXTD);
}

void apicv_reload(struct vcpu *v)
{
    vmwrite(MSR_BITMAP, bitmaps_msrs(v->bitmaps, vmx_caps.apicv && in_x2apic_mode(v)).v);
    if (!vmx_caps.apicv)
        return;
    uint32_t proc2 = v->proc2 & ~(uint32_t)(PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE);
    if (in_x2apic_mode(v))
        proc2 |= PROC2_X2APIC_MODE;
    else if (v->apic_base & APIC_BASE_EN)
        proc2 |= PROC2_APIC_ACCESSES;
    if (proc2 != v->proc2) {
        v->proc2 = proc2;
        vmwrite(PROC_BASED_CONTROLS_2, proc2);
        /* What is cached of the page's address was cached under the other rule. */
        v->ept_generation = UINT64_MAX;
        if (this_cpu()->vcpu == v)
            vpid_flush(v);
    }
    hpa_t page;
    if (ept_apic_page(v->ept, &page) == 0)
        vmwrite(APIC_ACCESS_ADDRESS, page.v);
    vmwrite(EOI_EXIT_BITMAP_0, atomic_load(&v->eoi_exit[0]));
    vmwrite(EOI_EXIT_BITMAP_1, atomic_load(&v->eoi_exit[1]));
    vmwrite(EOI_EXIT_BITMAP_2, atomic_load(&v->eoi_exit[2]));
    vmwrite(EOI_EXIT_BITMAP_3, atomic_load(&v->eoi_exit[3]));
}

/* The CPU of v has to come by before the change counts, so it is asked to. */
static void reload_soon(struct vcpu *v)
{
    atomic_fetch_or(&v->requests, VCPU_REQUEST_RELOAD);
    if (this_cpu()->vcpu != v)
        sched_wake(v);
}

void apicv_mode_changed(struct vcpu *v) { reload_soon(v); }

void apicv_eoi_exit(struct vcpu *v, uint8_t vector, bool on)
{
    uint64_t bit = BIT(vector % 64);
    uint64_t before = on ? atomic_fetch_or(&v->eoi_exit[vector / 64], bit)
                         : atomic_fetch_and(&v->eoi_exit[vector / 64], ~bit);
    if (vmx_caps.apicv && !(before & bit) == on)
        reload_soon(v);
}

static int highest(const uint64_t bits[4])
{
    for (int i = 3; i >= 0; i--)
        if (bits[i])
            return 64 * i + 63 - __builtin_clzll(bits[i]);
    return -1;
}

/* SDM "Posted-Interrupt Processing", the steps that the CPU would do: VIRR |= PIR, RVI = the highest of
 * the old RVI and the new bits. */
static void fold_into_virr(struct vcpu *v, const uint64_t irr[4])
{
    for (unsigned i = 0; i < 8; i++)
        v->vapic[(APIC_IRR + 16 * i) / 4] |= (uint32_t)(irr[i / 2] >> 32 * (i % 2));
    uint64_t status = vmread(GUEST_INTERRUPT_STATUS);
    int vector = highest(irr);
    if (vector > (int)FIELD_GET(INTERRUPT_STATUS_RVI, status))
        vmwrite(GUEST_INTERRUPT_STATUS, (status & INTERRUPT_STATUS_SVI) | (uint64_t)vector);
}

void apicv_fold(struct vcpu *v)
{
    atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_FOLD);
    if (!vmx_caps.apicv) {
        pid_take(v->pid, v->irr);
        return;
    }
    uint64_t irr[4] = {0};
    if (pid_take(v->pid, irr))
        fold_into_virr(v, irr);
}

/* SDM "Evaluation of Pending Virtual Interrupts" */
bool apicv_deliverable(const struct vcpu *v)
{
    uint64_t rvi = FIELD_GET(INTERRUPT_STATUS_RVI, vmread(GUEST_INTERRUPT_STATUS));
    return (rvi & PRIORITY_CLASS) > (v->vapic[APIC_PPR / 4] & PRIORITY_CLASS);
}

/* `active` is sent where the descriptor says ANV. */
static void post(struct vcpu *v, uint8_t vector, uint8_t active)
{
    uint8_t nv;
    uint32_t ndst;
    bool notify = pid_post(v->pid, vector, false, &nv, &ndst);
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

const struct pid *vcpu_descriptor(const struct vcpu *v) { return vmx_caps.posting ? v->pid : NULL; }
