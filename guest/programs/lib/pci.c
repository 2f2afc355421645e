/* SPDX-License-Identifier: MIT */
/*
 * PCI as a small driver uses it: configuration mechanism #1 and MSI.
 * Spec: PCI Local Bus 3.0 "Configuration Mechanism #1", "MSI Capability Structure"; PCI Express
 * Base "Function Level Reset (FLR)"; PCI "Advanced Capabilities for Conventional PCI".
 */
#include "guest/programs/lib/guest.h"

uint32_t pci_config_read(bdf_t bdf, uint16_t reg, unsigned width)
{
    uint16_t port = (uint16_t)(PCI_PORT_DATA + (reg & 3));
    out32(PCI_PORT_ADDRESS, (uint32_t)(PCI_ADDRESS_ENABLE | (uint32_t)bdf << 8 | (reg & 0xfc)));
    return port_in(port, width);
}

void pci_config_write(bdf_t bdf, uint16_t reg, unsigned width, uint32_t value)
{
    uint16_t port = (uint16_t)(PCI_PORT_DATA + (reg & 3));
    out32(PCI_PORT_ADDRESS, (uint32_t)(PCI_ADDRESS_ENABLE | (uint32_t)bdf << 8 | (reg & 0xfc)));
    port_out(port, width, value);
}

bdf_t pci_device(uint16_t vendor, uint16_t device)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        bdf_t bdf = BDF(0, slot, 0);
        if (pci_config_read(bdf, PCI_VENDOR_ID, 4) == ((uint32_t)device << 16 | vendor))
            return bdf;
    }
    print("no device %04x:%04x here", vendor, device);
    quit(3);
}

uint64_t pci_bar(bdf_t bdf, unsigned n)
{
    uint32_t low = pci_config_read(bdf, (uint16_t)PCI_BAR(n), 4);
    if (low & PCI_BAR_IS_IO)
        return low & ~(uint32_t)PCI_BAR_IO_FLAGS;
    if (FIELD_GET(PCI_BAR_MEM_TYPE, low) != PCI_BAR_MEM_64)
        return low & ~(uint32_t)PCI_BAR_MEM_FLAGS;
    return (uint64_t)pci_config_read(bdf, (uint16_t)PCI_BAR(n + 1), 4) << 32 |
           (low & ~(uint32_t)PCI_BAR_MEM_FLAGS);
}

uint8_t pci_capability(bdf_t bdf, uint8_t id)
{
    uint8_t at = (uint8_t)pci_config_read(bdf, PCI_CAP_POINTER, 1);
    for (unsigned steps = 0; at && steps < 48; steps++) {
        if (pci_config_read(bdf, at, 1) == id)
            return at;
        at = (uint8_t)pci_config_read(bdf, (uint16_t)(at + PCI_CAP_NEXT), 1);
    }
    return 0;
}

void pci_enable(bdf_t bdf)
{
    pci_config_write(bdf, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
}

void pci_wait(bdf_t bdf)
{
    check(spin_until(pci_config_read(bdf, PCI_COMMAND, 2) != UINT16_MAX, 10000000));
}

void pci_function_reset(bdf_t bdf)
{
    uint8_t express = pci_capability(bdf, PCI_CAP_ID_PCIE), af = pci_capability(bdf, PCI_CAP_ID_AF);
    check(express || af);
    if (express)
        pci_config_write(bdf, (uint16_t)(express + PCIE_DEVICE_CONTROL), 2, PCIE_DEVICE_FLR);
    else
        pci_config_write(bdf, (uint16_t)(af + PCI_AF_CONTROL), 1, PCI_AF_FLR);
    pci_wait(bdf);
}

void pci_msi_on(bdf_t bdf, uint8_t vector) { pci_msi_to(bdf, vector, 0); }

void pci_msi_to(bdf_t bdf, uint8_t vector, unsigned vcpu)
{
    uint8_t at = pci_capability(bdf, PCI_CAP_ID_MSI);
    uint32_t control;
    check(at != 0);
    control = pci_config_read(bdf, (uint16_t)(at + PCI_MSI_CONTROL), 2);
    pci_config_write(bdf, (uint16_t)(at + PCI_MSI_ADDRESS), 4, MESSAGE_ADDRESS(vcpu));
    if (control & PCI_MSI_64)
        pci_config_write(bdf, (uint16_t)(at + PCI_MSI_ADDRESS_HI), 4, 0);
    pci_config_write(bdf, (uint16_t)(at + PCI_MSI_DATA(control & PCI_MSI_64)), 2, vector);
    pci_config_write(bdf, (uint16_t)(at + PCI_MSI_CONTROL), 2, control | PCI_MSI_ENABLE);
}

char *pci_msix_entry(bdf_t bdf, unsigned n)
{
    uint8_t at = pci_capability(bdf, PCI_CAP_ID_MSIX);
    if (!at || n > FIELD_GET(PCI_MSIX_TABLE_SIZE,
                             pci_config_read(bdf, (uint16_t)(at + PCI_MSIX_CONTROL), 2)))
        return NULL;
    uint32_t table = pci_config_read(bdf, (uint16_t)(at + PCI_MSIX_TABLE), 4);
    return (char *)pci_bar(bdf, table & PCI_MSIX_BIR) + (table & ~(uint32_t)PCI_MSIX_BIR) +
           n * PCI_MSIX_ENTRY_SIZE;
}

bool pci_msix_to(bdf_t bdf, unsigned n, uint8_t vector, unsigned vcpu)
{
    char *entry = pci_msix_entry(bdf, n);
    if (!entry)
        return false;
    uint16_t control = (uint16_t)(pci_capability(bdf, PCI_CAP_ID_MSIX) + PCI_MSIX_CONTROL);
    mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS, MESSAGE_ADDRESS(vcpu));
    mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS + 4, 0);
    mmio_write32(entry + PCI_MSIX_ENTRY_DATA, vector);
    mmio_write32(entry + PCI_MSIX_ENTRY_CONTROL, 0);
    pci_config_write(bdf, control, 2, pci_config_read(bdf, control, 2) | PCI_MSIX_ENABLE);
    return true;
}
