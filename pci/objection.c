/* SPDX-License-Identifier: MIT */
/*
 * The reasons against giving a function to its owner. Each why_...() returns the reason in words;
 * NULL: no objection.
 * From: guest/assign/audit.c, guest/assign/vbar.c (ROMs).
 * To: pci/requester.c (groups), reset.c, bar.c, room.c (pci_room_behind).
 */
#include "pci/pci_private.h"
#include "arch/acpi.h"
#include "arch/page.h"

/* The local APICs and I/O APICs of every PC are here. */
#define APIC_RANGE_BASE  UINT64_C(0xfec00000)
#define APIC_RANGE_SIZE  UINT64_C(0x300000)
#define PHYSICAL_END     BIT(52)
/* Below lie the timers, interrupt controllers, the keyboard, CMOS, 0xCF8: no firmware puts a BAR
 * there. */
#define PORTS_OF_DEVICES 0x1000

/* No owner may have the chipset or a bridge. */
static const char *why_bridge(const struct pci_function *f)
{
    if (PCI_CLASS_SUB(f->class_code) == PCI_SUB_HOST_BRIDGE)
        return "it is the host bridge";
    if (pci_is_bridge(f) || PCI_CLASS_BASE(f->class_code) == PCI_BASE_BRIDGE)
        return "it is a bridge";
    if (f->header_type != PCI_HEADER_ENDPOINT)
        return "its header is of an unknown type";
    return PCI_CLASS_SUB(f->class_code) == PCI_SUB_IOMMU ? "it is an IOMMU" : NULL;
}

static const char *why_console(const struct pci_function *f)
{
    return pci_is_console(f) ? "the console is in it" : NULL;
}

static const char *why_vfs(const struct pci_function *f)
{
    return pci_sriov_is_on(f) ? "its virtual functions are in use" : NULL;
}

/* With a BAR that overlaps another thing, the guest would get that, too. */
static const char *why_bar(const struct pci_function *f, const struct pci_bar *bar)
{
    static const struct pci_bar apics = {
        .kind = PCI_BAR_MEM, .base = APIC_RANGE_BASE, .size = APIC_RANGE_SIZE};
    if (bar->kind == PCI_BAR_NONE || bar->base == 0)
        return NULL;
    if (bar->kind == PCI_BAR_MEM) {
        if (bar->size > PHYSICAL_END || bar->base > PHYSICAL_END - bar->size)
            return "a BAR ends beyond physical memory";
        if (page_is_ram(hpa(bar->base), bar->size))
            return "a BAR lies over RAM";
        if (pci_bar_overlap(bar, &apics) || pci_config_overlaps(bar->base, bar->size))
            return "a BAR lies over the APICs or configuration space";
    }
    if (bar->kind == PCI_BAR_IO &&
        (bar->base < PORTS_OF_DEVICES || acpi_has_port(bar->base, bar->size)))
        return "a BAR lies over ports of the chipset";
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
            if (&g->bars[n] != bar && pci_bar_overlap(bar, &g->bars[n]))
                return g == f ? "two of its BARs overlap" : "a BAR lies over another function's";
    }
    for (const struct pci_function *bridge = f->parent; bridge; bridge = bridge->parent)
        if (!pci_room_behind(bridge, bar))
            return "a BAR lies outside of what its bridge passes down";
    return NULL;
}

static const char *why_bars(const struct pci_function *f)
{
    const char *why = NULL;
    for (unsigned i = 0; i < PCI_BAR_COUNT && !why; i++)
        why = why_bar(f, &f->bars[i]);
    return why;
}

/* A ROM claims addresses only while it is enabled, so only here is it compared with other ROMs. */
const char *pci_rom_objection(const struct pci_function *f)
{
    if (!f->rom.base)
        return "the firmware left it without an address";
    for (size_t i = 0; i < pci_count(); i++)
        if (pci_get(i) != f && pci_bar_overlap(&f->rom, &pci_get(i)->rom))
            return "a ROM lies over another function's";
    return why_bar(f, &f->rom);
}

/* To find a group takes long, so it is asked for last. */
static const char *why_group(const struct pci_function *f)
{
    bdf_t group = pci_group(f);
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        bool chipset = PCI_CLASS_BASE(g->class_code) == PCI_BASE_BRIDGE && !pci_is_bridge(g);
        bool foreign = g->owner && g->owner != f->owner;
        if (g != f && (chipset || foreign) && pci_group(g) == group)
            return chipset ? "its group holds a part of the chipset"
                           : "its group has another owner";
    }
    return NULL;
}

static const char *why_no_reset(const struct pci_function *f)
{
    if (f->parked)
        return "its last owner's reset failed: it is parked";
    if (pci_reset_best(f) != PCI_RESET_NONE)
        return NULL;
    return pci_reset_with_siblings(f) ? "it can be reset only with all that is behind its bridge"
                                      : "there is no way to reset it";
}

static const struct {
    const char *name;
    const char *(*why)(const struct pci_function *f);
    bool final;
} objections[PCI_OBJECTION_MAX] = {
    {"bridge", why_bridge, true}, {"console", why_console, false},
    {"vfs", why_vfs, false},      {"bar", why_bars, true},
    {"group", why_group, false},  {"no-reset", why_no_reset, false},
};

size_t pci_objections(const struct pci_function *f, struct pci_objection *out)
{
    size_t count = 0;
    for (size_t i = 0; i < PCI_OBJECTION_MAX; i++) {
        const char *why = objections[i].why(f);
        if (why)
            out[count++] = (struct pci_objection){objections[i].name, why, objections[i].final};
        if (why && objections[i].why == why_bridge)
            break; /* the other objections do not apply to a bridge */
    }
    return count;
}

const char *pci_not_assignable(const struct pci_function *f)
{
    struct pci_objection all[PCI_OBJECTION_MAX];
    return pci_objections(f, all) ? all[0].why : NULL;
}
