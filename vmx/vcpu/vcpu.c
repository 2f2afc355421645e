/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU from its creation to its end: its pages, its state after INIT, the ways to start a
 * kernel.
 * From: guest/life/create.c (vcpu_create), guest/life/kernel.c (vcpu_set_entry).
 * To: vmx/vcpu/setup.c (first contents of the VMCS), vmx/vcpu/registers.c (what the VMCS
 * does not hold).
 * Spec: SDM "IA-32 Processor States Following Power-up, Reset, or INIT", "Software Use of
 * Virtual-Machine Control Structures".
 */
#include "vmx/vcpu/vcpu.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/guards.h"
#include "vmx/vcpu/load.h"
#include "vmx/vcpu/posted.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vcpu/request.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/leaks.h"
#include "arch/spinlock.h"
#include "arch/x86.h"
#include "arch/msr.h"
#include "arch/log.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "lib/string.h"

LAYOUT(struct cpu, vmx, 128);
LAYOUT(struct vmx_cpu, vcpu, 0);
LAYOUT(struct vcpu, launched, 96);
LAYOUT(struct vcpu, guards, 97);
LAYOUT(struct vcpu, spec_ctrl_loaded, 100);
LAYOUT(struct vcpu, host_rsp, 104);
LAYOUT(struct vcpu, regs, 112);
static_assert(sizeof(struct vcpu) <= PAGE_SIZE, "one page each");

/* VPID 0 is the host's. A bit per VPID, under vpid_lock. */
#define VPID_COUNT 1024
static uint64_t vpids_used[VPID_COUNT / 64] = {1};
static struct spinlock vpid_lock = {.name = "VPIDs"};

static uint16_t vpid_take(void)
{
    uint16_t found = 0;
    spin_lock(&vpid_lock);
    for (uint16_t n = 1; n < VPID_COUNT && !found; n++) {
        if (vpids_used[n / 64] & BIT(n % 64))
            continue;
        vpids_used[n / 64] |= BIT(n % 64);
        found = n;
    }
    spin_unlock(&vpid_lock);
    return found;
}

unsigned vcpu_vpid_count(void)
{
    unsigned n = 0;
    for (uint16_t i = 1; i < VPID_COUNT; i++)
        n += (vpids_used[i / 64] & BIT(i % 64)) != 0;
    return n;
}

static int pages_create(struct vcpu *v)
{
    v->vmcs = vmcs_alloc();
    v->pi_desc = page_alloc(); /* a page of its own: Bochs 3.0 wants it aligned so */
    if (v->pi_desc)
        posted_to_ready(v->pi_desc); /* recorded: a device may post before v is started */
    v->vapic = page_alloc();
    v->vpid = vpid_take();
    return v->vmcs && v->pi_desc && v->vapic && v->vpid ? registers_create(v) : -ENOMEM;
}

struct vcpu *vcpu_create(const struct vcpu_place *place)
{
    struct vcpu *v = page_alloc();
    if (!v)
        return NULL;
    v->vm = place->vm;
    v->index = place->index;
    v->first = place->first ? place->first : v;
    v->ept = place->ept;
    v->bitmaps = place->bitmaps;
    v->pinned = place->pinned;
    v->trace_id = place->trace_id;
    v->state = VCPU_STOPPED;
    v->log_budget = LOG_GUEST_BUDGET;
    v->extra = LOAD_HOST | (leaks_guards & LEAKS_IBPB ? LOAD_BARRIER : 0);
    if (pages_create(v) < 0 || apicv_create(v) < 0) {
        vcpu_destroy(v);
        return NULL;
    }
    vmcs_clear(v->vmcs);
    vcpu_borrow(v);
    vcpu_setup_controls(v);
    vcpu_setup_host(v);
    vcpu_return(v);
    return v;
}

void vcpu_destroy(struct vcpu *v)
{
    invariant(v->state == VCPU_STOPPED || v->state == VCPU_WAIT_SIPI);
    invariant(!v->pi_desc || (v->pi_desc->control & PI_SN)); /* so no unit sends a notification */
    if (vmx_caps.ipiv) /* the other vCPUs of its VM do not run either, but the pointer ends here */
        bitmaps_ipi(v->bitmaps, v->index, NULL);
    registers_destroy(v);
    if (v->vmcs)
        page_free(v->vmcs);
    if (v->pi_desc)
        page_free(v->pi_desc);
    if (v->vapic)
        page_free(v->vapic);
    spin_lock(&vpid_lock);
    if (v->vpid)
        vpids_used[v->vpid / 64] &= ~BIT(v->vpid % 64);
    spin_unlock(&vpid_lock);
    page_free(v);
}

/* RDX: family, model and stepping. An INIT empties the TLB, which a VM entry with the same VPID
 * does not: the next load flushes. What was posted is a part of IRR, and goes with it. */
void vcpu_reset(struct vcpu *v)
{
    vcpu_release(v); /* so that all its registers are in memory */
    vcpu_borrow(v);
    memset(&v->regs, 0, sizeof(v->regs));
    v->cr2 = 0;
    v->regs.gpr[RDX] = cpuid(1, 0).eax;
    vcpu_setup_guest(v);
    vcpu_return(v);
    v->event = 0;
    v->halted = v->halted_masked = false;
    atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_NMIS);
    posted_take(v->pi_desc, v->irr);
    memset(v->irr, 0, sizeof(v->irr));
    v->irq_waits = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(v->eoi_exit); i++)
        atomic_store(&v->eoi_exit[i], 0);
    vcpu_request(v, VCPU_REQUEST_RELOAD); /* the VMCS has the old one */
}

const struct vcpu *vcpu_interrupted(void)
{
    const struct vcpu *v = this_vmx_cpu()->vcpu;
    return v && v->state == VCPU_RUNNING ? v : NULL;
}

/* Caches and MTRRs are as firmware leaves them. */
void vcpu_power_on(struct vcpu *v)
{
    registers_reset(v);
    guards_reset(v);
    v->mtrr_def_type = MTRR_ENABLED | MTRR_WB;
    v->tsc_adjust = v->tsc_offset = 0;
    atomic_store(&v->requests, 0);
    vcpu_reset(v);
    vcpu_borrow(v);
    vcpu_setup_msrs();
    vcpu_return(v);
}

/* The selectors of a GDT of null, code, data, which the guest has to load itself. */
static void segments_flat(bool code64)
{
    const uint32_t common = SEG_AR_S | SEG_AR_P | SEG_AR_G;
    setup_segment(SEG_CS, 0x08, 0, UINT32_MAX,
                  common | SEG_TYPE_CODE | (code64 ? SEG_AR_L : SEG_AR_DB));
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        if (s != SEG_CS)
            setup_segment(s, 0x10, 0, UINT32_MAX, common | SEG_TYPE_DATA | SEG_AR_DB);
}

static void code_real(uint64_t base)
{
    setup_segment(SEG_CS, (uint16_t)(base >> 4), base, 0xffff, SEG_TYPE_CODE | SEG_AR_S | SEG_AR_P);
}

static void enter_long(struct vcpu *v, uint64_t cr3)
{
    segments_flat(true);
    cr4_write(v, CR4_PAE);
    vmwrite(GUEST_CR3, cr3);
    vmwrite(GUEST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE);
    vmwrite(VM_ENTRY_CONTROLS, vmread(VM_ENTRY_CONTROLS) | ENTRY_GUEST_64BIT);
    cr0_write(CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
}

void vcpu_set_entry(struct vcpu *v, enum vcpu_mode mode, uint64_t rip, uint64_t rsp, uint64_t cr3)
{
    vcpu_borrow(v);
    switch (mode) {
    case VCPU_REAL:
        code_real(ALIGN_DOWN(rip, 0x10000));
        rip %= 0x10000;
        cr0_write(CR0_ET);
        break;
    case VCPU_PROTECTED32:
        segments_flat(false);
        cr0_write(CR0_PE | CR0_ET | CR0_NE);
        break;
    case VCPU_LONG64:
        enter_long(v, cr3);
        break;
    }
    vmwrite(GUEST_RIP, rip);
    vmwrite(GUEST_RSP, rsp);
    vcpu_return(v);
}

/* SDM "Typical BSP Initialization Sequence": a STARTUP with vector v starts at page v. */
void vcpu_start_at_sipi(uint8_t vector)
{
    code_real((uint64_t)vector << 12);
    vmwrite(GUEST_RIP, 0);
}
