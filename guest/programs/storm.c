/* SPDX-License-Identifier: MIT */
/*
 * A device that has gone mad: it writes to an address that does not exist, count times in a row.
 * Hamlet takes bus mastering from it, logs that, and returns it after a function level reset.
 * To: guest/assign/faults.c.
 */
#include "guest/programs/edu.h"

#define NOWHERE 0xa000000
#define BYTES   1024

static uint32_t source[BYTES / 4], target[BYTES / 4];

static bool masters(bdf_t bdf) { return pci_config_read(bdf, PCI_COMMAND, 2) & PCI_COMMAND_MASTER; }

static void check_dma(const struct edu *e)
{
    for (unsigned i = 0; i < BYTES / 4; i++) {
        source[i] = 0x9e3779b9u * (i + 1);
        target[i] = 0;
    }
    check(edu_dma(e, (uint64_t)source, BYTES, false));
    check(edu_dma(e, (uint64_t)target, BYTES, true));
    for (unsigned i = 0; i < BYTES / 4; i++)
        check(target[i] == source[i]);
}

int main(void)
{
    struct edu e = edu_open();
    uint64_t count = option("count", 100000), at_parking = 0;
    check_dma(&e);
    check(masters(e.bdf) && hypercall(HC_PARKED, 0) == 0);
    for (uint64_t i = 0; i < count; i++) {
        check(edu_dma(&e, NOWHERE, 4, true));
        if (!at_parking && i % 64 == 0 && hypercall(HC_PARKED, 0))
            at_parking = hypercall(HC_FAULTS, 0);
    }
    print("attempts=%lu faults=%lu parked=%lu", count, hypercall(HC_FAULTS, 0),
          hypercall(HC_PARKED, 0));
    check(at_parking && hypercall(HC_FAULTS, 0) == at_parking); /* nothing came through since */
    check(hypercall(HC_PARKED, 0) == 1 && !masters(e.bdf));
    pci_enable(e.bdf);
    check(!masters(e.bdf)); /* asking again does not help */
    pci_function_reset(e.bdf);
    check(hypercall(HC_PARKED, 0) == 0);
    pci_enable(e.bdf);
    check(masters(e.bdf));
    check_dma(&e);
    print("reset, and of use again");
    return 0;
}
