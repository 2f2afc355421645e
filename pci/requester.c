/* SPDX-License-Identifier: MIT */
/*
 * The id under which the requests of a function arrive at VT-d, and the groups of functions that
 * cannot be isolated from each other, so that a group must have one owner.
 * From: pci/objection.c, vtd/intremap.c, guest/assign/assign.c.
 * To: pci/functions.c (the bridges).
 * Spec: VT-d "Identifying Origination of DMA Requests"; PCI Express Base "Access Control Services
 * (ACS)"; PCI Express to PCI/PCI-X Bridge "Transaction Ownership".
 */
#include "pci/pci_private.h"

/* These isolate two functions of a device: requests and completions go up to VT-d ... */
#define ACS_DEVICE (PCI_ACS_REDIRECT_REQ | PCI_ACS_REDIRECT_CPL)
/* ... and these two functions below a port. */
#define ACS_PORT   (ACS_DEVICE | PCI_ACS_VALIDATE | PCI_ACS_FORWARD)

void pci_acs_enable(const struct pci_function *f)
{
    if (!f->ext_acs)
        return;
    uint16_t can = pci_read16(f->bdf, f->ext_acs + PCI_ACS_CAPABILITY);
    pci_change16(f->bdf, f->acs_control, can & ACS_PORT, 0);
}

/* Are all `wanted` services on that the function has? One that it lacks is not needed. */
static bool acs_active(const struct pci_function *f, uint16_t wanted)
{
    if (!f->ext_acs || f->isolates)
        return f->isolates;
    wanted &= pci_read16(f->bdf, f->ext_acs + PCI_ACS_CAPABILITY);
    return (pci_read16(f->bdf, f->acs_control) & wanted) == wanted;
}

/* Requests on a conventional bus have no id, so the bridge puts its own into them: a PCI Express to
 * PCI bridge that of device 0 on its secondary bus, a bridge without the capability its own. The
 * bridge nearest to the root decides. */
bdf_t pci_requester(const struct pci_function *f)
{
    bdf_t first = BDF(BDF_BUS(f->bdf), BDF_DEV(f->bdf), 0);
    bdf_t id = pci_has_quirk(f, QUIRK_AS_FUNCTION_0)   ? first
               : pci_has_quirk(f, QUIRK_AS_FUNCTION_1) ? first + 1
                                                       : f->bdf;
    for (const struct pci_function *bridge = f->parent; bridge; bridge = bridge->parent) {
        int type = pci_port_type(bridge);
        if (type == PCIE_TO_PCI_BRIDGE ||
            (pci_has_quirk(bridge, QUIRK_AS_PCIE_BRIDGE) && bridge->parent))
            id = BDF(bridge->secondary_bus, 0, 0);
        else if (type < 0 || type == PCI_TO_PCIE_BRIDGE)
            id = bridge->bdf;
    }
    return id;
}

static bool is_sibling(const struct pci_function *f, const struct pci_function *g)
{
    return !f->physical && !g->physical && BDF_BUS(f->bdf) == BDF_BUS(g->bdf) &&
           BDF_DEV(f->bdf) == BDF_DEV(g->bdf);
}

/* Does a function of its device send under the id of another one? */
static bool ids_are_shared(const struct pci_function *f)
{
    for (size_t i = 0; i < pci_count(); i++)
        if (is_sibling(f, pci_get(i)) && (pci_has_quirk(pci_get(i), QUIRK_AS_FUNCTION_0) ||
                                          pci_has_quirk(pci_get(i), QUIRK_AS_FUNCTION_1)))
            return true;
    return false;
}

/* The first of those functions of its device that can reach each other without VT-d, or that VT-d
 * cannot tell apart. */
static const struct pci_function *first_sibling(const struct pci_function *f)
{
    if (f->physical) /* none is its sibling */
        return f;
    bool shared = ids_are_shared(f);
    if (acs_active(f, ACS_DEVICE) && !shared)
        return f;
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        if (is_sibling(f, g) && (shared || !acs_active(g, ACS_DEVICE)))
            return g;
    }
    return f;
}

/* Does this port, and every bridge above, send all requests from below up to VT-d? */
static bool path_isolates(const struct pci_function *bridge)
{
    for (; bridge; bridge = bridge->parent) {
        int type = pci_port_type(bridge);
        bool port = type == PCIE_ROOT_PORT || type == PCIE_DOWNSTREAM;
        /* An upstream port isolates: nothing is beside it that it could reach. */
        if (type != PCIE_UPSTREAM && !(port && acs_active(bridge, ACS_PORT)))
            return false;
    }
    return true;
}

/* Climb to the bridge above which the path isolates. A bridge has a lower bdf than what is behind
 * it, so the function reached is the first of its group. */
bdf_t pci_group(const struct pci_function *f)
{
    const struct pci_function *top = first_sibling(f);
    for (; top->parent && !path_isolates(top->parent); top = first_sibling(top->parent))
        ;
    return top->bdf;
}
