/* SPDX-License-Identifier: MIT */
/*
 * QEMU's ivshmem-plain: a BAR that is memory. Its registers are 256 bytes, and forwarded.
 * To: guest/assign/vbar.c.   Spec: QEMU "Device Specification for Inter-VM shared memory device".
 */
#include "guest/programs/lib/guest.h"

#define WORDS    (1u << 18) /* 1 MiB */
#define POSITION 0x08
#define PRIME    0x9e3779b9u

int main(void)
{
    bdf_t bdf = pci_device(0x1af4, 0x1110);
    pci_enable(bdf);
    volatile uint32_t *memory = (volatile uint32_t *)pci_bar(bdf, 2);
    char *regs = (char *)pci_bar(bdf, 0);
    steady_begin();
    for (uint32_t i = 0; i < WORDS; i += 257)
        memory[i] = i * PRIME;
    for (uint32_t i = 0; i < WORDS; i += 257)
        check(memory[i] == i * PRIME);
    steady_end("memory", 2 * WORDS / 257);
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        check(mmio_read32(regs + POSITION) == 0);
    steady_end("sub-page", STEADY_OPERATIONS);
    print("ivshmem: its memory keeps what is written");
    return 0;
}
