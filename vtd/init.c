/* SPDX-License-Identifier: MIT */
/*
 * Find the units, see what they can do, and take them over: from vtd_init() on no device reaches
 * memory unless a domain allows it, not even one whose unit Hamlet cannot use. A unit that the
 * firmware left on stays on throughout, so there is no moment at which DMA is free.
 * From: boot/main.c.   To: vtd/dmar.c (the table), invalidate.c, context.c, intremap.c, fault.c.
 * Spec: VT-d "Set Root Table Pointer Operation", "Global Command Register".
 */
#include "vtd/unit.h"
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "pci/pci.h"
#include "vtd/vtd_regs.h"
#define LOG "vtd"
#include "arch/log.h"

static int unit_map(struct vtd_unit *u)
{
    if (u->dmar->base.v == 0)
        return -ENODEV; /* dmar_parse() has logged it */
    if (page_is_ram(u->dmar->base, PAGE_SIZE))
        return FAIL(EINVAL, "unit %u: DMAR puts its registers into RAM", u->index);
    u->regs = mmio_map(u->dmar->base, PAGE_SIZE);
    if (!u->regs)
        return FAIL(ENOMEM, "unit %u: no memory to map its registers", u->index);
    u->cap = vtd_read64(u, VTD_CAP);
    u->ecap = vtd_read64(u, VTD_ECAP);
    if (u->cap == UINT64_MAX || u->cap == 0)
        return FAIL(ENODEV, "unit %u: no answer at 0x%lx", u->index, u->dmar->base.v);
    /* Two register groups stand where the capabilities say, perhaps beyond the first page. */
    uint64_t fault_end = (FIELD_GET(CAP_FRO, u->cap) + FIELD_GET(CAP_NFR, u->cap) + 1) * FRCD_SIZE;
    uint64_t iotlb_end = (FIELD_GET(ECAP_IRO, u->ecap) + 1) * 16;
    uint64_t size = ALIGN_UP(MAX(fault_end, iotlb_end), PAGE_SIZE);
    if (!mmio_map(u->dmar->base, size))
        return FAIL(ENOMEM, "unit %u: no memory to map its registers", u->index);
    return 0;
}

/* Table depths that Hamlet can build and the unit can walk; bit n: n levels. */
static unsigned widths_of(const struct vtd_unit *u)
{
    return (unsigned)FIELD_GET(CAP_SAGAW, u->cap) << 2 & (unsigned)(BIT(3) | BIT(4));
}

/* Find out what the unit can do; -E... (logged): not enough to give a device of it to a VM. */
static int unit_probe(struct vtd_unit *u)
{
    int err = unit_map(u);
    if (err)
        return err;
    bool registers = FIELD_GET(VER_MAJOR, vtd_read32(u, VTD_VER)) < 6;
    u->queued = (u->ecap & ECAP_QI) && (options.inv == INV_QI || !registers);
    if (!u->queued && !registers)
        return FAIL(ENODEV, "unit %u: no way to invalidate", u->index);
    if ((options.inv == INV_QI) != u->queued)
        log_info("unit %u: no inv=%s here, %s instead", u->index, u->queued ? "reg" : "qi",
                 u->queued ? "queue" : "registers");
    u->answers = true;
    if (!widths_of(u))
        return FAIL(ENODEV, "unit %u: neither 3- nor 4-level second stage", u->index);
    return 0;
}

/* The first reason is kept. What ends remapping ends posting. */
static void posting_ends(bool here, const char *why)
{
    if (here && !vtd.no_posting)
        vtd.no_posting = why;
}

/* What each unit needs, also one that only blocks. */
static void blocking_meets(const struct vtd_unit *u)
{
    vtd.coherent &= !!(u->ecap & ECAP_C);
    posting_ends(!(u->ecap & ECAP_IR), "a VT-d unit without ECAP.IR");
    posting_ends(!u->queued, "a VT-d unit is invalidated by registers");
    vtd.eime &= !!(u->ecap & ECAP_EIM);
    vtd.eime_required |= !!(u->ecap & ECAP_EIMER);
}

static void features_meet(const struct vtd_unit *u, unsigned *widths)
{
    *widths &= widths_of(u);
    vtd.caching_mode |= !!(u->cap & CAP_CM);
    vtd.snoop_control &= !!(u->ecap & ECAP_SC);
    vtd.pages_2m &= !!(u->cap & CAP_SSLPS_2M);
    vtd.pages_1g &= !!(u->cap & CAP_SSLPS_1G);
    vtd.address_bits = MIN(vtd.address_bits, (unsigned)FIELD_GET(CAP_MGAW, u->cap) + 1);
    vtd.domain_count = MIN(vtd.domain_count, 1u << (4 + 2 * FIELD_GET(CAP_ND, u->cap)));
    posting_ends(!(u->cap & CAP_PI), "a VT-d unit without CAP.PI");
}

/* All units share the second-stage and interrupt tables: use only what each of them has. */
static int features_choose(void)
{
    unsigned widths = ~0u, usable = 0;
    vtd.coherent = vtd.snoop_control = vtd.pages_2m = vtd.pages_1g = true;
    vtd.eime = true;
    posting_ends(!options.ir, "ir=off");
    posting_ends(!vtd.dmar.interrupt_remapping, "the DMAR table has no flag INTR_REMAP");
    vtd.address_bits = 64;
    vtd.domain_count = 1u << 16;
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (vtd.units[i].answers)
            blocking_meets(&vtd.units[i]);
    vtd.interrupt_remapping = !vtd.no_posting;
    FOR_UNITS(u) {
        features_meet(u, &widths);
        usable++;
    }
    if (usable == 0 || widths == 0)
        return FAIL(ENODEV, usable ? "the units have no table width in common" : "no usable unit");
    /* The CPUs write NDST of a descriptor as their APICs have ids; the units read it by EIME. */
    vtd.eime &= apic_is_x2apic() || vtd.eime_required;
    vtd.levels = widths & BIT(4) ? 4 : 3;
    vtd.address_bits = MIN(vtd.address_bits, 12 + 9 * vtd.levels);
    posting_ends(vtd.eime != apic_is_x2apic(), "VT-d units and CPUs differ in x2APIC mode");
    posting_ends(options.post == POST_SW, "post=sw");
    return 0;
}

/* Taking over */

/* Protected memory, by which the firmware may block DMA before there are tables, also blocks what
 * a domain allows. VT-d "Protected Memory Enable Register". */
static int protected_memory_off(struct vtd_unit *u)
{
    if (!(u->cap & (CAP_PLMR | CAP_PHMR)))
        return 0;
    vtd_write32(u, VTD_PMEN, vtd_read32(u, VTD_PMEN) & ~(uint32_t)PMEN_EPM);
    if (!wait_until(!(vtd_read32(u, VTD_PMEN) & PMEN_PRS), VTD_TIMEOUT_US))
        return FAIL(ETIMEDOUT, "unit %u: protected memory stays on", u->index);
    return 0;
}

/* Hold back all DMA while translation is off. */
static int protected_memory_on(struct vtd_unit *u)
{
    if (!(u->cap & CAP_PLMR) || !(u->cap & CAP_PHMR))
        return FAIL(EPERM, "unit %u: the firmware's mode cannot be left without a gap", u->index);
    int err = protected_memory_off(u); /* the regions must not change while they are on */
    if (err)
        return err;
    /* RAM, and no registers of devices. A limit below its base: no region. */
    vtd_write32(u, VTD_PLMBASE, 0);
    vtd_write32(u, VTD_PLMLIMIT, (uint32_t)(page_ram_end(hpa(BIT(32))).v - 1));
    vtd_write64(u, VTD_PHMBASE, BIT(32));
    vtd_write64(u, VTD_PHMLIMIT, page_ram_end(hpa(UINT64_MAX)).v - 1);
    vtd_write32(u, VTD_PMEN, (uint32_t)PMEN_EPM);
    if (!wait_until(vtd_read32(u, VTD_PMEN) & PMEN_PRS, VTD_TIMEOUT_US))
        return FAIL(ETIMEDOUT, "unit %u: protected memory stays off", u->index);
    return 0;
}

/* The firmware may have left translation on in another mode than ours, and older units change the
 * mode only while it is off. VT-d "Root Table Address Register", CAP.ESRTPS. */
static int other_mode_leave(struct vtd_unit *u)
{
    bool on = vtd_read32(u, VTD_GSTS) & GCMD_TE;
    bool ours = (vtd_read64(u, VTD_RTADDR) & RTADDR_MODE) == 0;
    if (!on || ours || (u->cap & CAP_ESRTPS))
        return 0;
    int err = protected_memory_on(u);
    return err ? err : unit_command(u, GCMD_TE, false);
}

static int translation_on(struct vtd_unit *u)
{
    /* The root table leaves the write buffer before the unit may walk it. */
    invalidate_write_buffer(u);
    vtd_write64(u, VTD_RTADDR, ptr_hpa(u->root).v); /* legacy mode */
    int err = unit_command(u, GCMD_SRTP, true);
    if (err)
        return err;
    /* The unit may still cache translations of the firmware; after this none, so TE may go on. */
    invalidate_all(u);
    return unit_command(u, GCMD_TE, true);
}

/* Each unit takes these steps in this order; behind each stands what holds afterwards. */
static int (*const enable_steps[])(struct vtd_unit *u) = {
    fault_init,           /* faults do not interrupt yet, old records are gone */
    context_init,         /* there is a root table; no entry is present */
    invalidate_init,      /* the unit takes invalidations, by queue or by registers */
    other_mode_leave,     /* the mode of translation can change */
    translation_on,       /* no device reaches memory, unless a domain allows it */
    protected_memory_off, /* the firmware's ranges do not block what a domain allows */
    intremap_enable,      /* no device sends an interrupt, unless an entry allows it */
    fault_enable,         /* faults interrupt this CPU */
};

/* A unit with which Hamlet can do no more than block: its tables stay empty. */
static int (*const block_steps[])(struct vtd_unit *u) = {
    fault_init, context_init, invalidate_init, other_mode_leave, translation_on, intremap_enable,
};

static void units_probe(void)
{
    vtd.context_lock.name = "context_lock";
    vtd.irt_lock.name = "irt_lock";
    vtd.fault_lock.name = "fault_lock";
    vtd.unit_count = vtd.dmar.unit_count;
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *u = &vtd.units[i];
        u->index = i;
        u->lock.name = "u->lock";
        u->dmar = &vtd.dmar.units[i];
        u->usable = unit_probe(u) == 0;
        if (u->regs)
            log_info("unit %u: at=0x%lx cap=0x%lx ecap=0x%lx segment=%u", i, u->dmar->base.v,
                     u->cap, u->ecap, u->dmar->segment);
    }
}

static int units_enable(void)
{
    int err = vtd.interrupt_remapping ? intremap_init() : 0;
    FOR_UNITS(u) {
        for (size_t i = 0; i < ARRAY_COUNT(enable_steps) && !err; i++)
            err = enable_steps[i](u);
        u->blocks = !err;
    }
    return err;
}

bool vtd_asks_for_xapic(void)
{
    const struct acpi_header *table = acpi_find("DMAR");
    bool asks = table && dmar_asks_for_xapic(table);
    if (asks)
        log_info("the firmware asks for xAPIC mode");
    return asks;
}

static void unit_block(struct vtd_unit *u)
{
    int err = u->answers ? 0 : -ENODEV;
    for (size_t i = 0; i < ARRAY_COUNT(block_steps) && !err; i++)
        err = block_steps[i](u);
    u->blocks = !err;
    if (u->blocks)
        log_info("unit %u: all DMA of its devices is blocked, none can be given to a VM", u->index);
}

/* Without a unit that blocks, only bus mastering off keeps the DMA of a function from memory. */
static void function_stop(const struct pci_function *f)
{
    const struct vtd_unit *u = scope_unit(f->bdf);
    if (f->header_type != 0 || (u && u->blocks))
        return;
    pci_command(f->bdf, 0, PCI_COMMAND_MASTER);
    log_error(BDF_FMT ": no unit blocks its DMA, no bus master any more", BDF_ARG(f->bdf));
}

/* A unit that does not block costs the functions that it serves, if all of them are known: each is
 * no bus master any more. -EPERM: some are not known, as they are of another segment or their list
 * cannot be read. They could reach all memory, also that of a VM. */
static int others_block(void)
{
    bool open = false;
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *u = &vtd.units[i];
        if (!u->usable)
            unit_block(u);
        open |= !u->blocks && (u->dmar->segment != 0 || !u->dmar->scopes.whole);
    }
    for (size_t i = 0; i < pci_count(); i++)
        function_stop(pci_get(i));
    return open ? FAIL(EPERM, "some DMA cannot be blocked: no device is given to a VM") : 0;
}

int vtd_init(void)
{
    if (!options.vtd) {
        log_info("off, as vtd=off asks: no device can be given to a VM safely");
        return -ENODEV;
    }
    const struct acpi_header *table = acpi_find("DMAR");
    if (!table)
        return FAIL(ENODEV, acpi_was_refused("DMAR") ? "the DMAR table was refused"
                                                     : "no DMAR table: this machine has no VT-d");
    if (dmar_parse(table, &vtd.dmar))
        return -ENODEV;
    units_probe();
    if (features_choose())
        return -ENODEV;
    irq_register(VECTOR_VTD, fault_interrupt, NULL);
    if (units_enable() || others_block())
        return -ENODEV;
    vtd.active = true;
    log_info("on: units=%u levels=%u iova-bits=%u pages=4K%s%s caching-mode=%u coherent=%u",
             vtd.unit_count, vtd.levels, vtd.address_bits, vtd.pages_2m ? ",2M" : "",
             vtd.pages_1g ? ",1G" : "", vtd.caching_mode, vtd.coherent);
    log_info("interrupt remapping %s, posting by hardware %s%s",
             vtd.interrupt_remapping ? "on" : "off", vtd.no_posting ? "not possible: " : "possible",
             vtd.no_posting ? vtd.no_posting : "");
    return 0;
}
