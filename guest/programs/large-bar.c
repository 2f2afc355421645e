/* SPDX-License-Identifier: MIT */
/*
 * A BAR of many GiB, which lies beyond 4 GiB: its first and its last word, and some between, keep
 * what is written. So all of it is mapped, and the device has the size that its header says.
 * To: guest/assign/vbar.c, pci/bar.c (Resizable BAR).   Spec: PCI Local Bus 3.0 "Base Addresses";
 * docs/lab.md.
 */
#include "guest/programs/edu.h"

#define BAR     4
#define GIB     (UINT64_C(1) << 30)
#define PARTS   8
#define PRESENT (BIT(0) | BIT(1) | BIT(4) | BIT(7)) /* present, writable, not cached, 1 GiB */

/* Map the GiB around the address where it is: the loader's tables end at 4 GiB. */
static char *mapped(uint64_t at)
{
    const uint64_t *top = (const uint64_t *)ALIGN_DOWN(read_cr3(), PAGE_SIZE);
    uint64_t *below_512_gib = (uint64_t *)(top[0] & BITS(51, 12));
    if (at >= 4 * GIB)
        below_512_gib[at / GIB] = ALIGN_DOWN(at, GIB) | PRESENT;
    return (char *)at;
}

static uint64_t size_of(bdf_t bdf)
{
    uint64_t base = pci_bar(bdf, BAR);
    uint32_t low = pci_config_read(bdf, PCI_BAR(BAR), 4);
    pci_config_write(bdf, PCI_BAR(BAR), 4, 0xffffffff);
    pci_config_write(bdf, PCI_BAR(BAR + 1), 4, 0xffffffff);
    uint64_t size = -pci_bar(bdf, BAR);
    pci_config_write(bdf, PCI_BAR(BAR), 4, low);
    pci_config_write(bdf, PCI_BAR(BAR + 1), 4, (uint32_t)(base >> 32));
    return size;
}

int main(void)
{
    struct edu e = edu_open();
    uint64_t size = size_of(e.bdf), base = pci_bar(e.bdf, BAR), part = size / PARTS;
    for (uint64_t i = 0; i < PARTS; i++)
        mmio_write64(mapped(base + i * part), base + i);
    mmio_write64(mapped(base + size - 8), ~base);
    for (uint64_t i = 0; i < PARTS; i++)
        check(mmio_read64(mapped(base + i * part)) == base + i);
    check(mmio_read64(mapped(base + size - 8)) == ~base);
    check(edu_read(&e, EDU_ID) == 0x010000ed);
    print("bar%u of %lu MiB at 0x%lx keeps its words", BAR, size >> 20, base);
    return 0;
}
