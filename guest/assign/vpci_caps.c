/* SPDX-License-Identifier: MIT */
/*
 * The capability list of an assigned function. The guest sees only the capabilities that Hamlet
 * understands, each at its offset in the hardware; the links lead past the others.
 * From: guest/assign/assign.c.
 * To: guest/assign/vmsi.c, guest/assign/vmsix.c, guest/assign/reset.c assign_guest_reset().
 * Spec: PCI Local Bus 3.0 "Capabilities List"; PCI Express Base "PCI Express Capability Structure",
 * "PCI Power Management Capability Structure", "Advanced Capabilities for Conventional PCI".
 */
#include "guest/assign/assign.h"
#include "guest/assign/vmsix.h"

/* --- Power Management: D-states change the shadow only; the device stays in D0 ---------------- */

static int pm_init(struct vpci_function *f, uint8_t at)
{
    vpci_add(f, (struct vpci_reg){.offset = (uint16_t)(at + PCI_PM_CONTROL),
                                  .width = 2,
                                  .shadow = 0xffff,
                                  .writable = PCI_PM_STATE});
    vpci_set_shadow(f, (uint16_t)(at + PCI_PM_CONTROL), 2, PCI_PM_NO_SOFT_RESET);
    return 0;
}

/* --- Function level reset, in the two places where a guest may ask for one -------------------- */

static void pcie_control_write(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    vpci_set_shadow(f, r->offset, 2, value & ~(uint32_t)PCIE_DEVICE_FLR);
    if (value & r->writable & PCIE_DEVICE_FLR)
        assign_guest_reset(f->of);
}

/* The firmware has set payload and read request sizes that fit the whole path: what the guest
 * writes stays in its view. Its reset bit does nothing if the device has no such reset. */
static int pcie_init(struct vpci_function *f, uint8_t at)
{
    uint16_t control = (uint16_t)(at + PCIE_DEVICE_CONTROL);
    bool flr = pci_read32(f->of->fn->bdf, at + PCIE_DEVICE_CAP) & PCIE_DEVICE_CAP_FLR;
    vpci_add(f, (struct vpci_reg){.offset = control,
                                  .width = 2,
                                  .shadow = 0xffff,
                                  .writable = flr ? 0xffff : 0xffff & ~(uint32_t)PCIE_DEVICE_FLR,
                                  .write = pcie_control_write});
    vpci_set_shadow(f, control, 2, pci_read16(f->of->fn->bdf, control));
    vpci_add(f, (struct vpci_reg){.offset = (uint16_t)(at + PCIE_DEVICE_STATUS),
                                  .width = 2,
                                  .clear_on_1 = PCIE_DEVICE_ERRORS});
    return 0;
}

static void af_control_write(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    (void)r;
    if (value & PCI_AF_FLR)
        assign_guest_reset(f->of);
}

static int af_init(struct vpci_function *f, uint8_t at)
{
    if (!(pci_read8(f->of->fn->bdf, at + PCI_AF_CAPABILITIES) & PCI_AF_CAP_FLR))
        return 0;
    vpci_add(f, (struct vpci_reg){.offset = (uint16_t)(at + PCI_AF_CONTROL),
                                  .width = 1,
                                  .shadow = 0xff,
                                  .write = af_control_write});
    return 0;
}

/* --- The list --------------------------------------------------------------------------------- */

#define FIELD(name) offsetof(struct pci_function, name)
static const struct {
    uint8_t id;
    int (*init)(struct vpci_function *f, uint8_t at); /* NULL: shown, read-only */
    size_t found; /* member of struct pci_function: the offset that the scan found; 0: any */
} understood[] = {
    {PCI_CAP_ID_PM, pm_init, FIELD(cap_pm)},
    {PCI_CAP_ID_MSI, vmsi_init, FIELD(cap_msi)},
    {PCI_CAP_ID_VENDOR, NULL, 0},
    {PCI_CAP_ID_SUBSYSTEM, NULL, 0},
    {PCI_CAP_ID_PCIE, pcie_init, FIELD(cap_pcie)},
    {PCI_CAP_ID_MSIX, vmsix_init, FIELD(cap_msix)},
    {PCI_CAP_ID_AF, af_init, FIELD(cap_af)},
};

/* So many read-only capabilities are shown; a device can claim to have many more. */
#define PLAIN_MAX 8

/* The device may have changed its list since the scan. A capability that Hamlet acts on counts only
 * at the offset where the scan found it. */
static bool as_scanned(const struct vpci_function *f, size_t i, uint8_t at)
{
    return ((const uint8_t *)f->of->fn)[understood[i].found] == at;
}

/* Show the capability at `at` if Hamlet understands it. 1: shown, 0: hidden, or an error. */
static int show_capability(struct vpci_function *f, uint8_t at, uint8_t id, unsigned *plain)
{
    for (size_t i = 0; i < ARRAY_COUNT(understood); i++) {
        if (understood[i].id != id)
            continue;
        if (understood[i].init ? !as_scanned(f, i, at) : ++*plain > PLAIN_MAX)
            return 0;
        int err = understood[i].init ? understood[i].init(f, at) : 0;
        if (err)
            return err;
        if (id == PCI_CAP_ID_MSIX && !f->msix)
            return 0; /* its table cannot be trusted */
        vpci_add(f, (struct vpci_reg){.offset = at, .width = 2, .shadow = 0xffff});
        vpci_set_shadow(f, at, 2, id);
        return 1;
    }
    return 0;
}

/* The device wrote this list: every pointer is checked, and each place visited once. */
int vpci_caps_init(struct vpci_function *f)
{
    bdf_t bdf = f->of->fn->bdf;
    uint16_t link = PCI_CAP_POINTER; /* the register that gets the offset of the next one */
    uint64_t seen = 0;               /* by dword */
    unsigned plain = 0;
    if (!(pci_read16(bdf, PCI_STATUS) & PCI_STATUS_CAP_LIST))
        return 0;
    uint8_t at = pci_read8(bdf, PCI_CAP_POINTER) & PCI_CAP_ALIGNED;
    while (at >= PCI_CAP_FIRST && !(seen & BIT(at / 4))) {
        int shown = show_capability(f, at, pci_read8(bdf, at), &plain);
        if (shown < 0)
            return shown;
        if (shown) {
            vpci_set_shadow(f, link, 1, at);
            link = (uint16_t)(at + PCI_CAP_NEXT);
        }
        seen |= BIT(at / 4);
        at = pci_read8(bdf, (uint16_t)(at + PCI_CAP_NEXT)) & PCI_CAP_ALIGNED;
    }
    if (link != PCI_CAP_POINTER)
        vpci_set_shadow(f, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
    return 0;
}
