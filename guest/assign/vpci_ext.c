/* SPDX-License-Identifier: MIT */
/*
 * The extended capabilities of an assigned function. The guest sees those of the table, each at its
 * offset in the hardware; the links lead past the others.
 * From: guest/assign/assign.c.
 * To: guest/assign/vpci.c (the shadow), guest/assign/aer.c (errors), pci/config.c.
 * Spec: PCI Express Base "PCI Express Extended Capabilities".
 */
#include "guest/assign/assign.h"
#include "lib/string.h"

/* 48 as in pci/caps.c: no device has nearly as many. */
#define STEPS_MAX 48

/* All but AER are read-only. What is in no row is hidden:
 *   virtual channels, ACS, ARI, multicast, DPC, L1 substates, PTM, registers of the link: the host
 *     sets both ends of a link alike, and what keeps functions apart
 *   SR-IOV: Hamlet makes virtual functions (vfs=), and another VM may have one
 *   Resizable BAR: a BAR of another size would lie over its neighbour
 *   ATS, PRI, PASID: the entries of VT-d block the requests that they are for
 *   TPH, power budgeting, DOE and others: a driver has to write them, or the platform takes part
 */
static const struct {
    uint16_t id;
    uint8_t size; /* bytes, with the header; 0: the capability has its length */
    bool passes;  /* read from the hardware whenever the guest reads; else as at the beginning */
} rows[] = {
    {PCI_EXT_ID_AER, PCI_AER_SIZE, false},       /* errors: guest/assign/aer.c has its registers */
    {PCI_EXT_ID_SERIAL, PCI_SERIAL_SIZE, false}, /* of the device, some drivers use it */
    {PCI_EXT_ID_LTR, PCI_LTR_SIZE, false},       /* of the path: as the firmware set them */
    {PCI_EXT_ID_VENDOR, 0, true},                /* versions and states, which may change */
    {PCI_EXT_ID_DESIGNATED, 0, true},
};

/* Show what is behind the header. What is shown there already stays: the capabilities of a hostile
 * device may overlap. False: it does not fit. */
static bool show_body(struct vpci_function *f, size_t row, unsigned at)
{
    bdf_t bdf = f->of->fn->bdf;
    unsigned reg = at + PCI_EXT_VENDOR_HEADER, end = at + rows[row].size;
    if (end == at && reg < VPCI_CONFIG_SIZE)
        end += (unsigned)FIELD_GET(PCI_EXT_VENDOR_LENGTH, pci_read32(bdf, (uint16_t)reg));
    if (end <= reg || end > VPCI_CONFIG_SIZE)
        return false;
    if (rows[row].id == PCI_EXT_ID_AER && !aer_show(f, at))
        return false;
    for (; reg < end; reg += 4) {
        if (f->reg_of[reg] || vpci_shadow(f, (uint16_t)reg, 4))
            continue;
        if (rows[row].passes)
            memset(f->from_shadow + reg, 0, 4);
        else
            vpci_set_shadow(f, (uint16_t)reg, 4, pci_read32(bdf, (uint16_t)reg));
    }
    return true;
}

/* False: hidden. */
static bool show(struct vpci_function *f, unsigned at, uint32_t header)
{
    size_t i = 0;
    while (i < ARRAY_COUNT(rows) && rows[i].id != FIELD_GET(PCI_EXT_ID, header))
        i++;
    if (i == ARRAY_COUNT(rows) || !show_body(f, i, at))
        return false;
    vpci_set_shadow(f, (uint16_t)at, 4, header & ~(uint32_t)PCI_EXT_NEXT);
    return true;
}

/* The device wrote this list, as the other one: each place is shown once. The list begins at
 * register 256, where a hidden capability becomes one of id 0, which has no register but its
 * link. */
void vpci_ext_init(struct vpci_function *f)
{
    const struct pci_function *fn = f->of->fn;
    unsigned at = PCI_EXT_FIRST, link = PCI_EXT_FIRST;
    memset(f->from_shadow + PCI_EXT_FIRST, 0xff, VPCI_CONFIG_SIZE - PCI_EXT_FIRST);
    if (!fn->cap_pcie || !pci_has_ecam(fn->bdf))
        return;
    for (unsigned step = 0; step < STEPS_MAX && at >= PCI_EXT_FIRST; step++) {
        uint32_t header = pci_read32(fn->bdf, (uint16_t)at);
        if (vpci_shadow(f, (uint16_t)at, 4)) /* a circle */
            return;
        if (show(f, at, header)) {
            if (at != PCI_EXT_FIRST)
                vpci_set_shadow(f, (uint16_t)link, 4,
                                vpci_shadow(f, (uint16_t)link, 4) |
                                    LO32(FIELD_SET(PCI_EXT_NEXT, at)));
            link = at;
        }
        at = ALIGN_DOWN((unsigned)FIELD_GET(PCI_EXT_NEXT, header), 4);
    }
}
