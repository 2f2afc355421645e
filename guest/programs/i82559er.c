/* SPDX-License-Identifier: MIT */
/*
 * Intel's 82559ER (QEMU's i82559er): registers by memory and by ports, a self-test that writes to
 * memory and an interrupt, by one write each, and its option ROM.
 * To: guest/assign/vbar.c (memory, ports, ROM), guest/assign/intx.c.
 * Spec: Intel "8255x 10/100 Mbps Ethernet Controller Family Open Source Software Developer Manual".
 */
#include "guest/programs/lib/guest.h"

#define STATUS_ACK    1 /* interrupt causes; written ones are acknowledged */
#define COMMAND_SWI   3 /* interrupt control: bit 1 raises one */
#define POINTER       4 /* general: keeps what is written */
#define PORT          8 /* address and function */
#define PORT_SELFTEST 1u
#define VECTOR        0x73
#define ROM_SIGNATURE 0xaa55

static volatile uint32_t result[2] __attribute__((aligned(16)));
static char *regs;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    mmio_write8(regs + STATUS_ACK, 0xff);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void self_test(uint16_t port)
{
    result[0] = 0;
    result[1] = 0x12345678;
    if (port)
        out32((uint16_t)(port + PORT), LO32((uint64_t)result) | PORT_SELFTEST);
    else
        mmio_write32(regs + PORT, LO32((uint64_t)result) | PORT_SELFTEST);
    check(spin_until(result[0] == 0xffffffff && result[1] == 0, 100000000));
}

static void option_rom(bdf_t bdf)
{
    pci_config_write(bdf, PCI_ROM, 4, 0xfffff800);
    uint32_t size = -(pci_config_read(bdf, PCI_ROM, 4) & (uint32_t)PCI_ROM_ADDRESS);
    uint32_t at = 0xf8000000;

    pci_config_write(bdf, PCI_ROM, 4, at | (uint32_t)PCI_ROM_ENABLE);
    uint32_t found = size ? mmio_read16((void *)(uint64_t)at) : 0;
    pci_config_write(bdf, PCI_ROM, 4, at);
    print("rom size=0x%x signature=0x%x", size, found);
    check(!size || found == ROM_SIGNATURE);
}

int main(void)
{
    bdf_t bdf = pci_device(0x8086, 0x1209);
    uint16_t port = (uint16_t)pci_bar(bdf, 1);
    pci_enable(bdf);
    regs = (char *)pci_bar(bdf, 0);
    apic_on(false);
    on_interrupt(VECTOR, handler);
    pci_intx_on(bdf, VECTOR);
    interrupts_on();
    self_test(0);
    self_test(port);
    for (uint32_t i = 1; i <= 100; i++) {
        mmio_write8(regs + COMMAND_SWI, 2);
        check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) >= i, 100000000));
    }
    mmio_write32(regs + POINTER, 0xcafe0000);
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++) {
        check(mmio_read32(regs + POINTER) == 0xcafe0000);
        check(in32((uint16_t)(port + POINTER)) == 0xcafe0000);
    }
    steady_end("registers", 2 * STEADY_OPERATIONS);
    option_rom(bdf);
    print("i82559er: self-test by memory and by port, intx=%u", arrived);
    return arrived != 100;
}
