/* SPDX-License-Identifier: MIT */
/*
 * pci/ on a machine that others wrote: QEMU's devices, those that the case gives it
 * (tests/cases/test_pci.py). Without them: SKIP.
 */
#include "pci/pci.h"
#include "arch/io.h"
#include "arch/ktest.h"
#include "arch/paging.h"
#include "lib/string.h"

#define EDU_VENDOR      0x1234
#define EDU_DEVICE      0x11e8
#define EDU_ID          0x00
#define EDU_ID_BYTE     0xed

#define NVME_VENDOR     0x1b36
#define NVME_DEVICE     0x0010
#define NVME_VS         0x08 /* version, never zero */

#define E1000E_VENDOR   0x8086
#define E1000E_DEVICE   0x10d3
#define E1000E_TDBAL    0x3800 /* transmit ring's address: zero after a reset */
#define E1000E_TDBAL_AT 0x1230

#define MESSAGE_ADDRESS 0xfee00000

static uint8_t *bar_on(const struct pci_function *f, unsigned n)
{
    pci_command(f->bdf, PCI_COMMAND_MEM, 0);
    return mmio_map(hpa(f->bars[n].base), f->bars[n].size);
}

KTEST(pci_scan_leaves_bars_as_they_were)
{
    const struct pci_function *edu = pci_find_id(EDU_VENDOR, EDU_DEVICE, 0);
    if (!edu)
        KSKIP("no edu");
    KEXPECT(edu->bars[0].size == 1 << 20);
    KEXPECT((pci_read32(edu->bdf, PCI_BAR(0)) & ~PCI_BAR_MEM_FLAGS) == edu->bars[0].base);
    KEXPECT(pci_read16(edu->bdf, PCI_COMMAND) == edu->command_at_boot);
    uint8_t *p = bar_on(edu, 0);
    KEXPECT(p && (mmio_read32(p + EDU_ID) & UINT8_MAX) == EDU_ID_BYTE);
}

KTEST(pci_ports_and_ecam_show_the_same)
{
    if (!pci_has_ecam(0))
        KSKIP("no ECAM");
    for (size_t i = 0; i < pci_count(); i++) {
        bdf_t bdf = pci_get(i)->bdf;
        out32(PCI_PORT_ADDRESS, LO32(PCI_ADDRESS_ENABLE | FIELD_SET(PCI_ADDRESS_BDF, bdf)));
        KEXPECT(in32(PCI_PORT_DATA) == pci_read32(bdf, PCI_VENDOR_ID));
    }
}

KTEST(pci_a_bar_of_two_bytes)
{
    const struct pci_function *f = pci_find_id(0x1b36, 0x0011, 0);
    if (!f)
        KSKIP("no pvpanic-pci");
    KEXPECT(f->bars[0].size == 2 && !f->bars[0].is_64bit && !f->bars[0].prefetchable);
}

KTEST(pci_requesters_behind_bridges)
{
    const struct pci_function *express = NULL, *conventional = NULL;
    for (unsigned n = 0; pci_find_id(EDU_VENDOR, EDU_DEVICE, n); n++) {
        const struct pci_function *f = pci_find_id(EDU_VENDOR, EDU_DEVICE, n);
        if (f->parent && f->parent->cap_pcie)
            express = f;
        else if (f->parent)
            conventional = f;
        else
            KEXPECT(pci_requester(f) == f->bdf && pci_group(f) == f->bdf);
    }
    if (!express || !conventional)
        KSKIP("no edu behind a bridge of each kind");
    KEXPECT(pci_requester(express) == BDF(express->parent->secondary_bus, 0, 0));
    const struct pci_function *root = conventional->parent;
    while (root->parent)
        root = root->parent;
    KEXPECT(pci_requester(conventional) == root->bdf);
    KEXPECT(pci_group(conventional) == root->bdf);
}

KTEST(pci_bus_reset_clears_a_device)
{
    enum pci_reset_kind used;
    struct pci_function *nic = pci_find_id(E1000E_VENDOR, E1000E_DEVICE, 0);
    if (!nic || !nic->parent)
        KSKIP("no e1000e alone behind a port");
    uint8_t *p = bar_on(nic, 0);
    mmio_write32(p + E1000E_TDBAL, E1000E_TDBAL_AT);
    KEXPECT(mmio_read32(p + E1000E_TDBAL) == E1000E_TDBAL_AT);
    KEXPECT(pci_reset(nic, &used) == 0 && used == PCI_RESET_BUS);
    KEXPECT((pci_read32(nic->bdf, PCI_BAR(0)) & ~PCI_BAR_MEM_FLAGS) == nic->bars[0].base);
    KEXPECT(mmio_read32(p + E1000E_TDBAL) == 0);
    KEXPECT(!(pci_read16(nic->bdf, PCI_COMMAND) & PCI_COMMAND_MASTER));
}

/* pci_reset() itself looks whether the BARs were forgotten: else it would not say "used". */
KTEST(pci_flr_clears_a_device)
{
    enum pci_reset_kind used;
    struct pci_function *nvme = pci_find_id(NVME_VENDOR, NVME_DEVICE, 0);
    if (!nvme)
        KSKIP("no nvme");
    uint8_t *p = bar_on(nvme, 0);
    KEXPECT(pci_reset(nvme, &used) == 0 && used == PCI_RESET_FLR);
    KEXPECT((pci_read32(nvme->bdf, PCI_BAR(0)) & ~PCI_BAR_MEM_FLAGS) == LO32(nvme->bars[0].base));
    KEXPECT(mmio_read32(p + NVME_VS) != 0);
}

KTEST(pci_msix_of_nvme_is_inside_its_bar)
{
    struct pci_msix_info info;
    const struct pci_function *nvme = pci_find_id(NVME_VENDOR, NVME_DEVICE, 0);
    if (!nvme)
        KSKIP("no nvme");
    KEXPECT(pci_msix_info(nvme, &info) == 0);
    KEXPECT(info.table_bar == 0 && info.table_offset >= 0x1000 && info.count > 1);
}

/* The VFs stay. */
KTEST(pci_sriov_makes_functions)
{
    enum pci_reset_kind used;
    struct pci_msix_info info;
    struct pci_function *pf = pci_find_id(NVME_VENDOR, NVME_DEVICE, 0);
    if (!pf || !pf->ext_sriov)
        KSKIP("no nvme with SR-IOV");
    size_t before = pci_count();
    KEXPECT(pci_sriov_enable(pf, 2) == 0);
    KEXPECT(pci_count() == before + 2);
    for (unsigned n = 1; n <= 2; n++) {
        struct pci_function *vf = pci_find_id(NVME_VENDOR, NVME_DEVICE, n);
        KEXPECT(vf && vf->physical == pf && vf->bars[0].base && vf->cap_msix);
        KEXPECT(pci_read16(vf->bdf, PCI_VENDOR_ID) == PCI_VENDOR_NONE);
        KEXPECT(pci_msix_info(vf, &info) == 0 && info.table_bar == 0);
        uint8_t *table = mmio_map(hpa(vf->bars[0].base + info.table_offset), PAGE_SIZE);
        KEXPECT(table);
        mmio_write32(table, MESSAGE_ADDRESS + n * PAGE_SIZE);
        KEXPECT(mmio_read32(table) == MESSAGE_ADDRESS + n * PAGE_SIZE);
        KEXPECT(pci_requester(vf) == vf->bdf && pci_not_assignable(vf) == NULL);
        KEXPECT(pci_reset(vf, &used) == 0 && used == PCI_RESET_FLR);
        KEXPECT(mmio_read32(table) == 0);
    }
    const char *why = pci_not_assignable(pf);
    KEXPECT(why && strcmp(why, "its virtual functions are in use") == 0);
}
