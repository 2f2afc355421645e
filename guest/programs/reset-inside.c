/* SPDX-License-Identifier: MIT */
/*
 * A driver that resets its device by the device's own register, as those of NVMe, xHCI and many
 * network cards do. The device forgets its BARs, Command, MSI and the MSI-X table. The driver has
 * saved its configuration space before and restores it; then registers, DMA and messages work as
 * before.
 * To: guest/assign/vpci_header.c command_write(), guest/assign/vmsix.c, guest/assign/vmsi.c.
 * Spec: docs/lab.md.
 */
#include "guest/programs/edu.h"

#define LAB_MESSAGE 0x118
#define LAB_RESET   0x228
#define VECTOR      0x51
#define HEADER_END  0x40

static struct edu e;
static uint8_t msix;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void message_comes(uint32_t n)
{
    uint32_t before = __atomic_load_n(&arrived, __ATOMIC_SEQ_CST);
    edu_write(&e, LAB_MESSAGE, n);
    check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) == before + 1, 10000000));
}

static void dma_works(void)
{
    static uint32_t data[2][16];
    for (unsigned i = 0; i < 16; i++) {
        data[0][i] = i * 7 + arrived;
        data[1][i] = 0;
    }
    check(edu_dma(&e, (uint64_t)data[0], sizeof(data[0]), false));
    check(edu_dma(&e, (uint64_t)data[1], sizeof(data[1]), true));
    check(memcmp(data[0], data[1], sizeof(data[0])) == 0);
}

/* The header as drivers save and restore it: from its end to its begin, so Command comes after the
 * BARs. */
static void reset_and_restore(void)
{
    uint32_t header[HEADER_END / 4];
    for (uint16_t at = 0; at < HEADER_END; at += 4)
        header[at / 4] = pci_config_read(e.bdf, at, 4);
    edu_write(&e, EDU_LIVENESS, 1);
    edu_write(&e, LAB_RESET, 1);
    check(edu_read(&e, EDU_ID) == 0xffffffff); /* no device decodes it */
    for (uint16_t at = HEADER_END; at > 0; at -= 4)
        pci_config_write(e.bdf, (uint16_t)(at - 4), 4, header[at / 4 - 1]);
    check(edu_read(&e, EDU_ID) == 0x010000ed && edu_read(&e, EDU_LIVENESS) == 0xffffffff);
    dma_works();
}

static void msix_control(uint32_t value)
{
    pci_config_write(e.bdf, (uint16_t)(msix + PCI_MSIX_CONTROL), 2, value);
}

/* All entries masked together, the entry set up, the mask lifted. */
static void msix_restore(void)
{
    char *entry = pci_msix_entry(e.bdf, 2);
    msix_control(PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS, MESSAGE_ADDRESS(0));
    mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS + 4, 0);
    mmio_write32(entry + PCI_MSIX_ENTRY_DATA, VECTOR);
    mmio_write32(entry + PCI_MSIX_ENTRY_CONTROL, 0);
    msix_control(PCI_MSIX_ENABLE);
}

int main(void)
{
    e = edu_open();
    msix = pci_capability(e.bdf, PCI_CAP_ID_MSIX);
    check(msix != 0);
    apic_on(true);
    on_interrupt(VECTOR, handler);
    interrupts_on();
    for (unsigned turn = 0; turn < 10; turn++) {
        msix_restore();
        message_comes(2);
        reset_and_restore();
    }
    msix_control(0);
    for (unsigned turn = 0; turn < 10; turn++) {
        pci_msi_on(e.bdf, VECTOR);
        message_comes(0);
        reset_and_restore();
    }
    print("reset from inside: messages=%u", arrived);
    return 0;
}
