/* SPDX-License-Identifier: MIT */
/*
 * The virtual local APIC as far as the CPU serves it: the controls for the APIC's mode, and
 * the virtual IRR.
 * From: vmx/run/run.c (before an entry), vmx/run/post.c (an exit of v posts to v itself).
 * To: vmx/vcpu/posted.h (PIR), vmx/ept.c (the APIC-access page), vmx/bitmaps.c (MSRs that pass
 * in x2APIC mode).
 * Hot: the fold before an entry with a posted interrupt.
 * Spec: SDM "APIC Virtualization and Virtual Interrupts", "Posted-Interrupt Processing".
 */
#include "vmx/vcpu/apicv.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/posted.h"
#include "vmx/vmcs.h"
#include "arch/apic.h"
#include "arch/msr.h"

#define APIC_PAGE_DEFAULT UINT64_C(0xfee00000)

/* The APIC-access page: RAM of Hamlet's, shared by the vCPUs of a VM, and mapped where the
 * guest looks for its APIC. The CPU redirects each access, so no access of xAPIC mode reaches
 * this RAM. */
COLD int apicv_create(struct vcpu *v)
{
    v->apic_base = APIC_PAGE_DEFAULT | APIC_BASE_EN | (v->index == 0 ? APIC_BASE_BSP : 0);
    if (!vmx_caps.apicv)
        return 0;
    hpa_t page;
    int err = ept_apic_page(v->ept, &page);
    if (err == 0)
        err = ept_map(v->ept, gpa(APIC_PAGE_DEFAULT), page, PAGE_SIZE,
                      EPT_PERM_READ | EPT_PERM_WRITE, EPT_WB);
    return err == -EEXIST ? 0 : err; /* another vCPU of this VM has mapped it */
}

static bool in_x2apic_mode(const struct vcpu *v)
{
    return (v->apic_base & (APIC_BASE_EN | APIC_BASE_EXTD)) == (APIC_BASE_EN | APIC_BASE_EXTD);
}

/* The EOI-exit bitmap has a bit for each level-triggered vector, and so has TMR. */
static void write_tmr(struct vcpu *v)
{
    for (unsigned i = 0; i < 8; i++)
        v->vapic[(APIC_TMR + 16 * i) / 4] = atomic_load((const uint32_t *)v->eoi_exit + i);
}

/* The guest has switched its APIC off, a reset: nothing is requested or in service. What was
 * posted is a part of IRR. RVI would deliver, and SVI block, also without the page's bits. */
static COLD void forget_interrupts(struct vcpu *v)
{
    uint64_t taken[4];
    posted_take(v->pi_desc, taken);
    for (unsigned i = 0; i < ARRAY_COUNT(v->eoi_exit); i++) /* TMR, too */
        atomic_store(&v->eoi_exit[i], 0);
    if (vmx_caps.apicv)
        vmwrite(GUEST_INTERRUPT_STATUS, 0);
}

COLD void apicv_reload(struct vcpu *v)
{
    if (!(v->apic_base & APIC_BASE_EN))
        forget_interrupts(v);
    write_tmr(v);
    vmwrite(TSC_OFFSET, v->tsc_offset);
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
        /* The CPU has cached translations of the APIC's page under the rule of the other mode. */
        v->ept_generation = UINT64_MAX;
        if (this_vmx_cpu()->vcpu == v)
            ept_flush_vpid(v->vpid);
    }
    hpa_t page;
    if (ept_apic_page(v->ept, &page) == 0)
        vmwrite(APIC_ACCESS_ADDRESS, page.v);
    for (unsigned i = 0; i < 4; i++)
        vmwrite(VMCS_EOI_EXIT_BITMAP(i), atomic_load(&v->eoi_exit[i]));
}

/* Word i of PIR into the virtual-APIC page, where 16 bytes hold 32 bits. */
static inline void into_virr(struct vcpu *v, unsigned i, uint64_t vectors)
{
    uint32_t *irr = &v->vapic[(APIC_IRR + 32 * i) / 4];
    irr[0] |= LO32(vectors);
    irr[4] |= HI32(vectors);
}

/* The same without APICv. */
static inline void into_irr(struct vcpu *v, unsigned i, uint64_t vectors)
{
    v->irr[i] |= vectors;
    v->irq_waits |= (uint8_t)BIT(i);
}

/* With APICv the steps of SDM "Posted-Interrupt Processing", as the CPU does them at a
 * notification: VIRR |= PIR, and RVI becomes the highest vector of the old RVI and the new bits.
 * Without APICv the software local APIC looks at IRR then, in attend(). */
void apicv_fold(struct vcpu *v)
{
    struct pi_desc *d = v->pi_desc;
    uint64_t taken[4], highest = 0;
    posted_take_begin(d);
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; i++) {
        if (!posted_take_word(d, i, &taken[i]))
            continue;
        if (!vmx_caps.apicv) {
            into_irr(v, i, taken[i]);
            continue;
        }
        into_virr(v, i, taken[i]);
        highest = 64 * i + (63 ^ (unsigned)__builtin_clzll(taken[i]));
    }
    if (vmx_caps.apicv) {
        uint64_t status = vmread(GUEST_INTERRUPT_STATUS);
        if (highest > FIELD_GET(INTERRUPT_STATUS_RVI, status))
            vmwrite(GUEST_INTERRUPT_STATUS, (status & INTERRUPT_STATUS_SVI) | highest);
    } else {
        v->alarm = 0;
    }
    posted_record_taken(d, taken);
}
