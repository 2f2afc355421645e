/* SPDX-License-Identifier: MIT */
/*
 * All that a guest may do to a device's header while it uses it: every BAR moved a hundred times,
 * sized while it is mapped, decode switched off and on, the function reset from inside; and in the
 * end the VM goes while the device is in the middle of a DMA.
 * To: guest/assign/vbar.c, guest/assign/vpci_header.c, guest/assign/reset.c assign_guest_reset(),
 * guest/assign/assign.c.
 */
#include "guest/programs/edu.h"

#define MOVES 100
#define PLACE UINT32_C(0xe0000000)
#define STEP  UINT32_C(0x00400000)
#define PORTS UINT32_C(0xd000)

/* BAR 1: at port 4 the register of BAR 0 that port 0 names. BAR 2: two registers in the page of the
 * MSI-X table, the second the inverse of the first. */
static void check_moved(struct edu *e, unsigned n, uint32_t at)
{
    if (n == 0)
        e->regs = (char *)(uint64_t)at;
    if (n == 1) {
        out32((uint16_t)at, EDU_ID);
        check(in32((uint16_t)(at + 4)) == 0x010000ed);
    } else if (n == 2) {
        mmio_write32((char *)(uint64_t)at + 0x800, at);
        check(mmio_read32((char *)(uint64_t)at + 0x804) == ~at);
    }
    check(edu_read(e, EDU_ID) == 0x010000ed);
}

static void move_bars(struct edu *e)
{
    uint32_t home = (uint32_t)(uint64_t)e->regs;
    for (uint32_t i = 0; i < MOVES; i++)
        for (unsigned n = 0; n < 3; n++) {
            uint32_t old = pci_config_read(e->bdf, (uint16_t)PCI_BAR(n), 4);
            bool io = old & PCI_BAR_IS_IO;
            uint32_t at = io ? PORTS + i * 32 : PLACE + i * STEP;

            pci_config_write(e->bdf, (uint16_t)PCI_BAR(n), 4, at);
            check(pci_config_read(e->bdf, (uint16_t)PCI_BAR(n), 4) == (at | io));
            check_moved(e, n, at);
            pci_config_write(e->bdf, (uint16_t)PCI_BAR(n), 4, old);
            check_moved(e, n,
                        old & (io ? ~(uint32_t)PCI_BAR_IO_FLAGS : ~(uint32_t)PCI_BAR_MEM_FLAGS));
        }
    check(e->regs == (char *)(uint64_t)home);
}

static void size_and_toggle(struct edu *e)
{
    uint32_t home = (uint32_t)(uint64_t)e->regs;
    for (unsigned i = 0; i < MOVES; i++) {
        pci_config_write(e->bdf, PCI_BAR(0), 4, 0xffffffff);
        check(pci_config_read(e->bdf, PCI_BAR(0), 4) == 0xfff00000);
        pci_config_write(e->bdf, PCI_BAR(0), 4, home);
        check(edu_read(e, EDU_ID) == 0x010000ed);
        pci_config_write(e->bdf, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        check(edu_read(e, EDU_ID) == 0xffffffff); /* no device decodes it */
        pci_enable(e->bdf);
        check(edu_read(e, EDU_ID) == 0x010000ed);
    }
}

static void reset(struct edu *e)
{
    edu_write(e, EDU_LIVENESS, 1);
    pci_function_reset(e->bdf);
    check(!(pci_config_read(e->bdf, PCI_COMMAND, 2) & (PCI_COMMAND_MEM | PCI_COMMAND_MASTER)));
    pci_enable(e->bdf);
    check(edu_read(e, EDU_ID) == 0x010000ed && edu_read(e, EDU_LIVENESS) != ~1u);
}

/* Pulled out: from one access to the next everything reads as ones. */
#define LAB_DEAD 0x220
static int die(struct edu *e)
{
    edu_write(e, LAB_DEAD, 1);
    check(edu_read(e, EDU_ID) == 0xffffffff);
    check(pci_config_read(e->bdf, PCI_VENDOR_ID, 4) == (EDU_DEVICE << 16 | EDU_VENDOR));
    pci_config_write(e->bdf, PCI_COMMAND, 2, 0);
    pci_enable(e->bdf);
    pci_msi_on(e->bdf, 0x55);
    print("the device is gone, its guest is not");
    return 0;
}

int main(void)
{
    static uint32_t data[2][256];
    struct edu e = edu_open();
    if (option("dead", 0))
        return die(&e);
    move_bars(&e);
    size_and_toggle(&e);
    for (uint64_t i = 0; i < option("resets", 10); i++)
        reset(&e);
    for (unsigned i = 0; i < 256; i++)
        data[0][i] = i * 3;
    check(edu_dma(&e, (uint64_t)data[0], sizeof(data[0]), false));
    check(edu_dma(&e, (uint64_t)data[1], sizeof(data[1]), true));
    check(memcmp(data[0], data[1], sizeof(data[0])) == 0);
    print("moved, sized, switched and reset: still at work");
    mmio_write64(e.regs + EDU_DMA_TARGET, (uint64_t)data[1]);
    mmio_write64(e.regs + EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_OUT);
    return 0;
}
