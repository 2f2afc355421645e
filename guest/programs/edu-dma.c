/* SPDX-License-Identifier: MIT */
/*
 * DMA of an assigned device: a pattern out of guest RAM into the device, and back to another place.
 * The program gives the device guest-physical addresses; the host-physical ones, which Hamlet's log
 * shows, are others.
 * To: vtd/context.c, vtd/sspt.c, which translate; guest/core/memory.c vm_map(), which made
 * both views agree.
 */
#include "guest/programs/edu.h"

#define BYTES 1024

static uint32_t source[BYTES / 4], target[BYTES / 4];

/* bar=1: the device reads its own identification register by DMA, as a device does that fetches
 * programs from its own memory. */
static void read_own_register(const struct edu *e)
{
    check(edu_dma(e, (uint64_t)e->regs + EDU_ID, 4, false));
    check(edu_dma(e, (uint64_t)target, 4, true));
    print("dma from its own BAR at gpa=0x%lx: 0x%x", (uint64_t)e->regs, target[0]);
}

int main(void)
{
    struct edu e = edu_open();
    uint64_t before;
    for (unsigned i = 0; i < BYTES / 4; i++)
        source[i] = 0x9e3779b9u * (i + 1);
    before = exits_caused();
    check(edu_dma(&e, (uint64_t)source, BYTES, false));
    check(edu_dma(&e, (uint64_t)target, BYTES, true));
    print("dma bytes=%u from gpa=0x%lx to gpa=0x%lx exits=%lu", BYTES, (uint64_t)source,
          (uint64_t)target, exits_caused() - before);
    for (unsigned i = 0; i < BYTES / 4; i++)
        check(target[i] == source[i]);
    print("the pattern came back");
    if (option("bar", 0))
        read_own_register(&e);
    return 0;
}
