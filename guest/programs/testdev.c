/* SPDX-License-Identifier: MIT */
/*
 * QEMU's pci-testdev: a memory BAR and an I/O BAR that count what is written to them.
 * To: guest/assign/vbar.c: both BARs are the guest's, without an exit.
 * Spec: QEMU "pci-testdev".
 */
#include "guest/programs/lib/guest.h"

#define TEST   0x00 /* which test; 0: plain writes are counted */
#define WIDTH  0x01
#define OFFSET 0x04 /* where to write */
#define DATA   0x08 /* what to write there */
#define COUNT  0x0c /* how many such writes arrived */

int main(void)
{
    bdf_t bdf = pci_device(0x1b36, 0x0005);
    char *regs = (char *)pci_bar(bdf, 0);
    uint16_t port = (uint16_t)pci_bar(bdf, 1);
    pci_enable(bdf);
    mmio_write8(regs + TEST, 0);
    check(mmio_read8(regs + WIDTH) == 1);
    char *at = regs + mmio_read32(regs + OFFSET);
    uint8_t data = (uint8_t)mmio_read32(regs + DATA);
    uint32_t before = mmio_read32(regs + COUNT);
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        mmio_write8(at, data);
    steady_end("memory", STEADY_OPERATIONS);
    check(mmio_read32(regs + COUNT) - before == STEADY_OPERATIONS);

    out8((uint16_t)(port + TEST), 0);
    uint16_t at_port = (uint16_t)(port + in32((uint16_t)(port + OFFSET)));
    data = (uint8_t)in32((uint16_t)(port + DATA));
    before = in32((uint16_t)(port + COUNT));
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        out8(at_port, data);
    steady_end("ports", STEADY_OPERATIONS);
    check(in32((uint16_t)(port + COUNT)) - before == STEADY_OPERATIONS);
    print("testdev: 1000 writes to each BAR arrived");
    return 0;
}
