/* SPDX-License-Identifier: MIT */
/*
 * Capabilities: the features of a function beyond its header, in two lists that the device links.
 * The links may form a circle, lead into the header or past the end: every pointer is checked.
 * From: pci/scan.c, sriov.c.   To: pci/config.c.
 * Spec: PCI Local Bus "Capabilities List"; PCI Express Base "PCI Express Extended Capabilities".
 */
#include "pci/pci_private.h"
#define LOG "pci"
#include "arch/log.h"

/* 48 capabilities of the least size, a dword each, fill 0x40 to 0xff: a longer list is a circle.
 * There could be more extended ones, but no device has nearly as many. */
#define CAP_STEPS_MAX 48

/* A walk along the list. */
struct cap_walk {
    bdf_t bdf;
    uint8_t at, id; /* of the capability that cap_next() has reached */
    uint16_t link;  /* the register with the next pointer; 0: there is no list */
    unsigned steps;
    bool broken; /* the list has no proper end */
};

static struct cap_walk cap_walk(bdf_t bdf)
{
    struct cap_walk w = {.bdf = bdf};
    if (pci_read16(bdf, PCI_STATUS) & PCI_STATUS_CAP_LIST) {
        uint8_t layout = FIELD_GET(PCI_HEADER_LAYOUT, pci_read8(bdf, PCI_HEADER_TYPE));
        w.link = layout == PCI_HEADER_CARDBUS ? PCI_CARDBUS_CAP_POINTER : PCI_CAP_POINTER;
    }
    return w;
}

static bool cap_next(struct cap_walk *w)
{
    w->at = w->link ? ALIGN_DOWN(pci_read8(w->bdf, w->link), 4) : 0; /* the low bits are reserved */
    if (w->at == 0)
        return false;
    w->id = w->at >= PCI_CAP_FIRST ? pci_read8(w->bdf, w->at + PCI_CAP_ID) : UINT8_MAX;
    w->link = w->at + PCI_CAP_NEXT;
    /* a link into the header, to no capability, or in a circle */
    w->broken = w->id == UINT8_MAX || w->steps++ == CAP_STEPS_MAX;
    return !w->broken;
}

uint8_t pci_cap_find(bdf_t bdf, uint8_t id)
{
    for (struct cap_walk w = cap_walk(bdf); cap_next(&w);)
        if (w.id == id)
            return w.at;
    return 0;
}

uint16_t pci_ext_cap_find(bdf_t bdf, uint16_t id)
{
    /* Behind ECAM, a conventional function may show its header again from register 256 on. */
    if (!pci_has_ecam(bdf) || !pci_cap_find(bdf, PCI_CAP_ID_PCIE))
        return 0;
    uint16_t at = PCI_EXT_FIRST;
    for (unsigned step = 0; step < CAP_STEPS_MAX && at >= PCI_EXT_FIRST; step++) {
        uint32_t header = pci_read32(bdf, at);
        if (header == 0 || header == UINT32_MAX)
            return 0;
        if (FIELD_GET(PCI_EXT_ID, header) == id)
            return at;
        at = ALIGN_DOWN(FIELD_GET(PCI_EXT_NEXT, header), 4);
    }
    return 0;
}

static unsigned msi_size(uint16_t control)
{
    bool is_64 = control & PCI_MSI_64;
    return control & PCI_MSI_MASKABLE ? PCI_MSI_PENDING(is_64) + 4 : PCI_MSI_DATA(is_64) + 2;
}

static const struct {
    uint8_t id, size; /* the bytes that Hamlet uses; 0: msi_size() */
    uint16_t field;
    const char *name;
} known[] = {
    {PCI_CAP_ID_PM, 8, offsetof(struct pci_function, cap_pm), "PM"},
    {PCI_CAP_ID_MSI, 0, offsetof(struct pci_function, cap_msi), "MSI"},
    /* Version 1 of an endpoint; has_control2() in pci/reset.c checks version 2. */
    {PCI_CAP_ID_PCIE, 20, offsetof(struct pci_function, cap_pcie), "PCIe"},
    {PCI_CAP_ID_MSIX, 12, offsetof(struct pci_function, cap_msix), "MSI-X"},
    {PCI_CAP_ID_AF, 6, offsetof(struct pci_function, cap_af), "AF"},
};

static void cap_note(struct pci_function *f, uint8_t at, uint8_t id)
{
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        uint8_t *field = (uint8_t *)f + known[i].field;
        if (known[i].id != id || *field) /* of two with one id, the first counts */
            continue;
        unsigned size = known[i].size;
        if (id == PCI_CAP_ID_MSI) /* its length depends on its own control word */
            size = msi_size(pci_read16(f->bdf, at + PCI_MSI_CONTROL));
        if (at + size <= PCI_CONFIG_SIZE)
            *field = at;
        else
            log_info(BDF_FMT " %s capability at 0x%02x ignored: does not fit", BDF_ARG(f->bdf),
                     known[i].name, at);
    }
}

static uint16_t ext_find(const struct pci_function *f, uint16_t id, unsigned size)
{
    uint16_t at = f->cap_pcie ? pci_ext_cap_find(f->bdf, id) : 0;
    return at + size <= PCIE_CONFIG_SIZE ? at : 0;
}

void pci_caps_read(struct pci_function *f)
{
    struct cap_walk w = cap_walk(f->bdf);
    while (cap_next(&w))
        cap_note(f, w.at, w.id);
    if (w.broken) {
        log_info(BDF_FMT " capability list ignored: it has no proper end", BDF_ARG(f->bdf));
        for (size_t i = 0; i < ARRAY_COUNT(known); i++)
            *((uint8_t *)f + known[i].field) = 0;
    }
    if (f->cap_msi)
        f->msi_control = pci_read16(f->bdf, f->cap_msi + PCI_MSI_CONTROL);
    if (f->cap_msix) {
        f->msix_control = pci_read16(f->bdf, f->cap_msix + PCI_MSIX_CONTROL);
        f->msix_table = pci_read32(f->bdf, f->cap_msix + PCI_MSIX_TABLE);
        f->msix_pba = pci_read32(f->bdf, f->cap_msix + PCI_MSIX_PBA);
    }
    f->ext_aer = ext_find(f, PCI_EXT_ID_AER, PCI_AER_SIZE);
    f->ext_acs = ext_find(f, PCI_EXT_ID_ACS, 8);
    f->ext_ats = ext_find(f, PCI_EXT_ID_ATS, 8);
    f->ext_ari = ext_find(f, PCI_EXT_ID_ARI, 8);
    f->ext_sriov = ext_find(f, PCI_EXT_ID_SRIOV, 64);
    f->ext_rebar = ext_find(f, PCI_EXT_ID_REBAR, PCI_REBAR_CONTROL(0) + 4);
    f->ext_vc = ext_find(f, PCI_EXT_ID_VC, PCI_VC_CONTROL(PCI_VC_MAX));
    if (!f->ext_vc) /* the id of those that also have channels by function */
        f->ext_vc = ext_find(f, PCI_EXT_ID_VC_BESIDE_MFVC, PCI_VC_CONTROL(PCI_VC_MAX));
    f->ext_ltr = ext_find(f, PCI_EXT_ID_LTR, PCI_LTR_SIZE);
}

int pci_port_type(const struct pci_function *f)
{
    if (!f->cap_pcie)
        return -1;
    return FIELD_GET(PCIE_PORT_TYPE, pci_read16(f->bdf, f->cap_pcie + PCIE_CAPABILITIES));
}

bool pci_is_bridge(const struct pci_function *f)
{
    return f->header_type == PCI_HEADER_BRIDGE || f->header_type == PCI_HEADER_CARDBUS;
}

bool pci_has_flr(const struct pci_function *f)
{
    return f->cap_pcie && !pci_is_bridge(f) && !pci_has_quirk(f, QUIRK_NO_FLR) &&
           (pci_read32(f->bdf, f->cap_pcie + PCIE_DEVICE_CAP) & PCIE_DEVICE_CAP_FLR);
}
