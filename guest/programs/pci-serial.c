/* SPDX-License-Identifier: MIT */
/*
 * The ports of an assigned device, without an exit: bytes out of QEMU's pci-serial, a real 16550
 * behind an I/O BAR; while the ports next to the BAR still exit.
 * To: guest/assign/vbar.c, vmx/bitmaps.c.
 */
#include "guest/programs/lib/guest.h"

#define SERIAL_VENDOR  0x1b36
#define SERIAL_DEVICE  0x0002
#define UART_LSR       5
#define LSR_THR_EMPTY  BIT(5)
#define EXIT_REASON_IO 30

int main(void)
{
    bdf_t bdf = pci_device(SERIAL_VENDOR, SERIAL_DEVICE);
    uint32_t bytes = (uint32_t)option("bytes", 10000);
    uint16_t port = (uint16_t)pci_bar(bdf, 0);
    uint64_t before, all;
    pci_enable(bdf);
    out8((uint16_t)(port + 3), 0x83); /* a divisor of 1, 8 bits */
    out8(port, 1);
    out8((uint16_t)(port + 1), 0);
    out8((uint16_t)(port + 3), 0x03);
    before = exits_caused();
    for (uint32_t i = 0; i < bytes; i++) {
        check(spin_until(in8((uint16_t)(port + UART_LSR)) & LSR_THR_EMPTY, 100000000));
        out8(port, (uint8_t)('a' + i % 26));
    }
    all = exits_caused() - before;
    print("bytes=%u port=0x%x exits=%lu", bytes, port, all);

    before = exits(EXIT_REASON_IO);
    in8((uint16_t)(port - 1));
    in8((uint16_t)(port + 8));
    before = exits(EXIT_REASON_IO) - before;
    print("neighbours exits=%lu", before);
    check(before == 2);
    return all != 0;
}
