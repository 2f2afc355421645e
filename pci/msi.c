/* SPDX-License-Identifier: MIT */
/*
 * MSI and MSI-X of a physical function: the message that it sends, and the enable bits.
 * From: guest/assign/vmsi.c, guest/assign/vmsix.c (the message is VT-d's).   To: pci/config.c.
 * Spec: PCI Local Bus "MSI and MSI-X Operation".
 */
#include "pci/pci_private.h"
#define LOG "pci"
#include "arch/log.h"

#define MESSAGE_COUNT_LOG2_MAX 5 /* 32 messages; 6 and 7 are reserved */
#define PBA_BITS               64

struct pci_msi_info pci_msi_info(const struct pci_function *f)
{
    unsigned capable = FIELD_GET(PCI_MSI_CAPABLE, f->msi_control);
    return (struct pci_msi_info){
        .is_64bit = f->msi_control & PCI_MSI_64,
        .maskable = f->msi_control & PCI_MSI_MASKABLE,
        .message_count_log2 = MIN(capable, (unsigned)MESSAGE_COUNT_LOG2_MAX),
    };
}

/* Three registers cannot change at once. With the enable bit cleared meanwhile, an interrupt would
 * be lost or sent as INTx. The mask bits hold it back, where the function has them. */
void pci_msi_set(const struct pci_function *f, uint64_t address, uint16_t data, unsigned count_log2)
{
    struct pci_msi_info info = pci_msi_info(f);
    bdf_t bdf = f->bdf;
    uint16_t cap = f->cap_msi, mask_at = cap + PCI_MSI_MASK(info.is_64bit);
    if (!cap)
        return;
    uint32_t mask = info.maskable ? pci_read32(bdf, mask_at) : 0;
    if (info.maskable)
        pci_write32(bdf, mask_at, UINT32_MAX);
    pci_write32(bdf, cap + PCI_MSI_ADDRESS, LO32(address));
    if (info.is_64bit)
        pci_write32(bdf, cap + PCI_MSI_ADDRESS_HI, HI32(address));
    pci_write16(bdf, cap + PCI_MSI_DATA(info.is_64bit), data);
    count_log2 = MIN(count_log2, (unsigned)info.message_count_log2);
    pci_change16(bdf, cap + PCI_MSI_CONTROL, FIELD_SET(PCI_MSI_COUNT, count_log2), PCI_MSI_COUNT);
    if (info.maskable)
        pci_write32(bdf, mask_at, mask);
}

void pci_msi_enable(const struct pci_function *f, bool on)
{
    if (f->cap_msi)
        pci_change16(f->bdf, f->cap_msi + PCI_MSI_CONTROL, on ? PCI_MSI_ENABLE : 0, PCI_MSI_ENABLE);
}

void pci_msix_enable(const struct pci_function *f, bool on, bool mask_all)
{
    uint16_t set = (on ? PCI_MSIX_ENABLE : 0) | (mask_all ? PCI_MSIX_MASK_ALL : 0);
    if (f->cap_msix)
        pci_change16(f->bdf, f->cap_msix + PCI_MSIX_CONTROL, set,
                     PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
}

/* Does [offset, offset + size) lie in a memory BAR? */
static bool fits(const struct pci_function *f, unsigned bar, uint64_t offset, uint64_t size)
{
    return bar < PCI_BAR_COUNT && f->bars[bar].kind == PCI_BAR_MEM && f->bars[bar].base &&
           offset + size <= f->bars[bar].size;
}

int pci_msix_info(const struct pci_function *f, struct pci_msix_info *out)
{
    struct pci_msix_info m = {
        .count = FIELD_GET(PCI_MSIX_TABLE_SIZE, f->msix_control) + 1,
        .table_bar = FIELD_GET(PCI_MSIX_BIR, f->msix_table),
        .pba_bar = FIELD_GET(PCI_MSIX_BIR, f->msix_pba),
        .table_offset = f->msix_table & PCI_MSIX_OFFSET,
        .pba_offset = f->msix_pba & PCI_MSIX_OFFSET,
    };
    uint64_t table_size = (uint64_t)m.count * PCI_MSIX_ENTRY_SIZE;
    uint64_t pba_size = ALIGN_UP((uint64_t)m.count, PBA_BITS) / 8;
    if (!f->cap_msix)
        return -EINVAL;
    if (!fits(f, m.table_bar, m.table_offset, table_size) ||
        !fits(f, m.pba_bar, m.pba_offset, pba_size))
        return FAIL_OFTEN(EINVAL,
                          BDF_FMT " msix refused: table=bar%u+0x%x pba=bar%u+0x%x beyond the BAR",
                          BDF_ARG(f->bdf), m.table_bar, m.table_offset, m.pba_bar, m.pba_offset);
    if (m.table_bar == m.pba_bar && m.table_offset < m.pba_offset + pba_size &&
        m.pba_offset < m.table_offset + table_size)
        return FAIL_OFTEN(EINVAL, BDF_FMT " msix refused: table and pba overlap", BDF_ARG(f->bdf));
    *out = m;
    return 0;
}
