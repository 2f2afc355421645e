/* SPDX-License-Identifier: MIT */
/*
 * QEMU's pvpanic-pci: a BAR of two bytes, the smallest there is, so each access is forwarded.
 * To: guest/assign/vbar.c.   Spec: QEMU "PVPANIC DEVICE".
 */
#include "guest/programs/lib/guest.h"

#define EVENTS      0x03 /* panicked, crash kernel loaded */
#define CRASHLOADED BIT(1)

int main(void)
{
    bdf_t bdf = pci_device(0x1b36, 0x0011);
    uint32_t bar = pci_config_read(bdf, PCI_BAR(0), 4);
    pci_config_write(bdf, PCI_BAR(0), 4, 0xffffffff);
    check(pci_config_read(bdf, PCI_BAR(0), 4) >= 0xfffffff0);
    pci_config_write(bdf, PCI_BAR(0), 4, bar);
    pci_enable(bdf);
    char *regs = (char *)(uint64_t)(bar & ~0xfu);
    check(mmio_read8(regs) == EVENTS);
    mmio_write8(regs, CRASHLOADED);
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        check(mmio_read8(regs) == EVENTS);
    steady_end("sub-page", STEADY_OPERATIONS);
    print("events=%u", mmio_read8(regs));
    return 0;
}
