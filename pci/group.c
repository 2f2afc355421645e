/* SPDX-License-Identifier: MIT */
/*
 * Who is who on the bus: under which id a function's requests arrive at VT-d, and which functions
 * cannot be kept apart, so that only one owner may have them.
 * From: vtd/, guest/assign/assign.c.   To: pci/scan.c (the tree of bridges).
 * Spec: VT-d "Identifying Origination of DMA Requests"; PCI Express Base "Access Control Services
 * (ACS)"; PCI Express to PCI/PCI-X Bridge "Transaction Ownership".
 */
#include "pci/pci_private.h"
#include "arch/page.h"
#define LOG "pci"
#include "arch/log.h"

/* What keeps two functions below a port apart: requests and answers go up to VT-d, not across. */
#define ACS_PORT        (PCI_ACS_VALIDATE | PCI_ACS_REDIRECT_REQ | PCI_ACS_REDIRECT_CPL | PCI_ACS_FORWARD)
/* ... and two functions of one device. */
#define ACS_DEVICE      (PCI_ACS_REDIRECT_REQ | PCI_ACS_REDIRECT_CPL)

/* Local APICs and I/O APICs live here on every PC. */
#define APIC_RANGE_BASE UINT64_C(0xfec00000)
#define APIC_RANGE_SIZE UINT64_C(0x300000)
#define PHYSICAL_END    BIT(52)

void pci_acs_enable(const struct pci_function *f)
{
    if (!f->ext_acs)
        return;
    uint16_t can = pci_read16(f->bdf, f->ext_acs + PCI_ACS_CAPABILITY);
    uint16_t control = pci_read16(f->bdf, f->ext_acs + PCI_ACS_CONTROL);
    pci_write16(f->bdf, f->ext_acs + PCI_ACS_CONTROL, control | (can & ACS_PORT));
}

/* Are all of `wanted` on that the function has at all? What it does not implement it cannot do wrong. */
static bool acs_active(const struct pci_function *f, uint16_t wanted)
{
    if (!f->ext_acs)
        return false;
    wanted &= pci_read16(f->bdf, f->ext_acs + PCI_ACS_CAPABILITY);
    return (pci_read16(f->bdf, f->ext_acs + PCI_ACS_CONTROL) & wanted) == wanted;
}

/* A conventional bus has no ids: the bridge signs for what is behind it. A PCI Express to PCI bridge
 * signs as device 0 of its secondary bus, one without the capability with its own id; the bridge
 * nearest to the root has the last word. */
bdf_t pci_requester(const struct pci_function *f)
{
    bdf_t id = f->bdf;
    for (const struct pci_function *bridge = f->parent; bridge; bridge = bridge->parent) {
        int type = pci_port_type(bridge);
        if (type == PCIE_TO_PCI_BRIDGE)
            id = BDF(bridge->secondary_bus, 0, 0);
        else if (type < 0 || type == PCI_TO_PCIE_BRIDGE)
            id = bridge->bdf;
    }
    return id;
}

static bool siblings(const struct pci_function *a, const struct pci_function *b)
{
    return !a->physical && !b->physical && BDF_BUS(a->bdf) == BDF_BUS(b->bdf) &&
           BDF_DEV(a->bdf) == BDF_DEV(b->bdf);
}

/* The first of the functions of its device that talk to each other without VT-d seeing it. */
static const struct pci_function *first_sibling(const struct pci_function *f)
{
    if (acs_active(f, ACS_DEVICE))
        return f;
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        if (siblings(f, g) && !acs_active(g, ACS_DEVICE))
            return g;
    }
    return f;
}

/* Does the port, and every bridge above it, send everything from below up to VT-d? */
static bool path_isolates(const struct pci_function *bridge)
{
    for (; bridge; bridge = bridge->parent) {
        int type = pci_port_type(bridge);
        bool port = type == PCIE_ROOT_PORT || type == PCIE_DOWNSTREAM;
        bool upstream = type == PCIE_UPSTREAM; /* it has nobody beside it to talk to */
        if (!(port && acs_active(bridge, ACS_PORT)) && !upstream)
            return false;
    }
    return true;
}

/* Climb to the bridge from which on the function is isolated. As bridges come before what is behind
 * them, the function reached is the first of its group. */
bdf_t pci_group(const struct pci_function *f)
{
    const struct pci_function *top = first_sibling(f);
    for (; top->parent && !path_isolates(top->parent); top = first_sibling(top->parent))
        ;
    return top->bdf;
}

static const char *group_conflict(const struct pci_function *f)
{
    bdf_t group = pci_group(f);
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        if (g == f || pci_is_bridge(g) || pci_group(g) != group)
            continue;
        if (PCI_CLASS_BASE(g->class_code) == PCI_BASE_BRIDGE)
            return "its group holds a part of the chipset";
        if (g->owner && g->owner != f->owner)
            return "its group has another owner";
    }
    return NULL;
}

/* Would giving the guest this BAR give it something else as well? */
static const char *bar_conflict(const struct pci_function *f, const struct pci_bar *bar)
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
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
            if (&g->bars[n] != bar && pci_bar_overlap(bar, &g->bars[n]))
                return g == f ? "two of its BARs overlap" : "a BAR lies over another function's";
    }
    return NULL;
}

/* Only if it is used does a ROM claim addresses; so it is compared with the other ROMs here, not above. */
const char *pci_rom_objection(const struct pci_function *f)
{
    if (!f->rom.base)
        return "the firmware left it without an address";
    for (size_t i = 0; i < pci_count(); i++)
        if (pci_get(i) != f && pci_bar_overlap(&f->rom, &pci_get(i)->rom))
            return "a ROM lies over another function's";
    return bar_conflict(f, &f->rom);
}

static bool has_vfs(const struct pci_function *f)
{
    return f->ext_sriov &&
           (pci_read16(f->bdf, f->ext_sriov + PCI_SRIOV_CONTROL) & PCI_SRIOV_VF_ENABLE);
}

/* What it is forbids it, whoever asks. */
static const char *nature(const struct pci_function *f)
{
    if (PCI_CLASS_SUB(f->class_code) == PCI_SUB_HOST_BRIDGE)
        return "it is the host bridge";
    if (pci_is_bridge(f) || PCI_CLASS_BASE(f->class_code) == PCI_BASE_BRIDGE)
        return "it is a bridge";
    if (f->header_type != PCI_HEADER_ENDPOINT)
        return "its header is of an unknown type";
    return PCI_CLASS_SUB(f->class_code) == PCI_SUB_IOMMU ? "it is an IOMMU" : NULL;
}

static const char *console(const struct pci_function *f)
{
    return pci_is_console(f) ? "the console is in it" : NULL;
}

static const char *virtual_functions(const struct pci_function *f)
{
    return has_vfs(f) ? "its virtual functions are in use" : NULL;
}

static const char *bars(const struct pci_function *f)
{
    const char *why = NULL;
    for (unsigned i = 0; i < PCI_BAR_COUNT && !why; i++)
        why = bar_conflict(f, &f->bars[i]);
    return why;
}

static const char *reset(const struct pci_function *f)
{
    if (f->parked)
        return "its last owner's reset failed: it is parked";
    return pci_reset_best(f) == PCI_RESET_NONE ? "there is no way to reset it" : NULL;
}

static const struct {
    const char *name;
    const char *(*check)(const struct pci_function *f);
    bool final;
} objections[PCI_OBJECTION_MAX] = {
    {"bridge", nature, true}, {"console", console, false},      {"vfs", virtual_functions, false},
    {"bar", bars, true},      {"group", group_conflict, false}, {"no-reset", reset, false},
};

size_t pci_objections(const struct pci_function *f, struct pci_objection *out)
{
    size_t count = 0;
    for (size_t i = 0; i < PCI_OBJECTION_MAX; i++) {
        const char *why = objections[i].check(f);
        if (why)
            out[count++] = (struct pci_objection){objections[i].name, why, objections[i].final};
        if (why && objections[i].check == nature)
            break; /* the rest makes no sense for it */
    }
    return count;
}

const char *pci_not_assignable(const struct pci_function *f)
{
    struct pci_objection all[PCI_OBJECTION_MAX];
    return pci_objections(f, all) ? all[0].why : NULL;
}
