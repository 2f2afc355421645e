/* SPDX-License-Identifier: MIT */
/*
 * The addresses that a bridge passes down. Among them: some for BARs that the firmware did not
 * place, and that nothing else has.
 * From: pci/sriov.c, pci/objection.c (pci_room_behind).
 * To: pci/functions.c (everything that has an address).
 * Spec: PCI-to-PCI Bridge "Configuration Space".
 */
#include "pci/pci_private.h"

#define WINDOW_GRAIN BIT(20)
#define PORT_GRAIN   BIT(12)
#define LOW_MMIO_END UINT64_C(0xfec00000) /* from here up: APICs, flash, VT-d's registers */

struct range {
    uint64_t first, end; /* [first, end) */
};

/* The addresses that a bridge passes down; an empty range if base is above limit. */
static struct range bridge_window(const struct pci_function *bridge, bool prefetchable)
{
    uint16_t base_at = prefetchable ? PCI_BRIDGE_PREF_BASE : PCI_BRIDGE_MEM_BASE;
    uint16_t limit_at = prefetchable ? PCI_BRIDGE_PREF_LIMIT : PCI_BRIDGE_MEM_LIMIT;
    uint16_t base = pci_read16(bridge->bdf, base_at), limit = pci_read16(bridge->bdf, limit_at);
    struct range r = {
        .first = FIELD_GET(PCI_BRIDGE_MEM_ADDRESS, base) * WINDOW_GRAIN,
        .end = FIELD_GET(PCI_BRIDGE_MEM_ADDRESS, limit) * WINDOW_GRAIN,
    };
    if (prefetchable && (base & PCI_BRIDGE_PREF_64)) {
        r.first |= (uint64_t)pci_read32(bridge->bdf, PCI_BRIDGE_PREF_BASE_HI) << 32;
        r.end |= (uint64_t)pci_read32(bridge->bdf, PCI_BRIDGE_PREF_LIMIT_HI) << 32;
    }
    r.end += WINDOW_GRAIN;
    return r;
}

static struct range bridge_ports(const struct pci_function *bridge)
{
    uint16_t both = pci_read16(bridge->bdf, PCI_BRIDGE_IO);
    return (struct range){FIELD_GET(PCI_BRIDGE_IO_BASE, both) * PORT_GRAIN,
                          (FIELD_GET(PCI_BRIDGE_IO_LIMIT, both) + 1) * PORT_GRAIN};
}

static bool holds(struct range r, const struct pci_bar *bar)
{
    return bar->base >= r.first && bar->base < r.end && bar->size <= r.end - bar->base;
}

/* A bridge with subtractive decode passes down what no other takes. */
bool pci_room_behind(const struct pci_function *bridge, const struct pci_bar *bar)
{
    if (FIELD_GET(PCI_BRIDGE_SUBTRACTIVE, bridge->class_code))
        return true;
    if (bar->kind == PCI_BAR_IO)
        return holds(bridge_ports(bridge), bar);
    return holds(bridge_window(bridge, false), bar) || holds(bridge_window(bridge, true), bar);
}

/* True: they overlap, and *end is the end of `taken`. An empty or wrapped range never does. */
static bool meets(struct range taken, struct range r, uint64_t *end)
{
    *end = taken.end;
    return taken.first < taken.end && taken.first < r.end && r.first < taken.end;
}

static struct range bar_range(const struct pci_bar *bar, unsigned count)
{
    bool placed = bar->kind == PCI_BAR_MEM && bar->base;
    return placed ? (struct range){bar->base, bar->base + count * bar->size} : (struct range){0};
}

/* True: a part of the range is taken; *end is then the end of that part. */
static bool range_taken(const struct vf_plan *plan, struct range r, uint64_t *end)
{
    for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
        if (meets(bar_range(&plan->bars[n], plan->count), r, end))
            return true;
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
            if (meets(bar_range(&g->bars[n], 1), r, end))
                return true;
        if (meets(bar_range(&g->rom, 1), r, end))
            return true;
        if (g->secondary_bus && g->parent == plan->pf->parent &&
            (meets(bridge_window(g, false), r, end) || meets(bridge_window(g, true), r, end)))
            return true;
    }
    *end = r.end;
    return pci_config_overlaps(r.first, r.end - r.first);
}

/* Only AML describes what the host bridge passes down to a root bus. It surely passes the addresses
 * between the lowest and the highest that the firmware assigned on that bus. */
static struct range root_window(unsigned bus)
{
    struct range w = {.first = UINT64_MAX};
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        for (unsigned n = 0; n < PCI_BAR_COUNT; n++) {
            struct range bar = bar_range(&g->bars[n], 1);
            if (BDF_BUS(g->bdf) != bus || !bar.end || bar.end > LOW_MMIO_END)
                continue;
            w.first = MIN(w.first, bar.first);
            w.end = MAX(w.end, bar.end);
        }
    }
    return w;
}

/* First fit. Each step moves behind something that is taken, so the search ends. 0: no room. */
static uint64_t window_find(const struct vf_plan *plan, struct range w, uint64_t align)
{
    uint64_t size = align * plan->count, at = ALIGN_UP(MAX(w.first, PAGE_SIZE), align), end;
    while (at < w.end && size <= w.end - at) {
        if (!range_taken(plan, (struct range){at, at + size}, &end))
            return at;
        uint64_t next = ALIGN_UP(end, align);
        if (next <= at) /* beyond the last address */
            return 0;
        at = next;
    }
    return 0;
}

uint64_t pci_room_find(const struct vf_plan *plan, const struct pci_bar *bar)
{
    const struct pci_function *bridge = plan->pf->parent;
    if (!bridge)
        return window_find(plan, root_window(BDF_BUS(plan->pf->bdf)), bar->size);
    if (bar->prefetchable) {
        struct range w = bridge_window(bridge, true);
        w.end = bar->is_64bit ? w.end : MIN(w.end, BIT(32));
        uint64_t found = window_find(plan, w, bar->size);
        if (found)
            return found;
    }
    return window_find(plan, bridge_window(bridge, false), bar->size);
}
