/* SPDX-License-Identifier: MIT */
/*
 * A device aimed where it must not reach: an unmapped address, and, with a VM as small as this
 * one, the host address of Hamlet itself (command line: target=0x...). Nothing happens there, the
 * device goes on.
 * To: vtd/fault.c, guest/assign/faults.c fault_arrived().
 */
#include "guest/programs/edu.h"

#define BYTES 64

static uint32_t memory[BYTES / 4];

static void probe(const struct edu *e, const char *what, uint64_t iova)
{
    for (unsigned i = 0; i < BYTES / 4; i++)
        memory[i] = 0x11111111;
    check(edu_dma(e, (uint64_t)memory, BYTES, false)); /* the buffer is known */
    check(edu_dma(e, iova, BYTES, true));              /* write there: blocked */
    check(edu_dma(e, iova, BYTES, false));             /* read from there: blocked */
    check(edu_dma(e, (uint64_t)memory, BYTES, true));  /* the buffer has nothing from there */
    for (unsigned i = 0; i < BYTES / 4; i++) /* as before, or what a device makes of no answer */
        check(memory[i] == 0x11111111 || memory[i] == 0 || memory[i] == ~0u);
    print("%s 0x%lx: nothing came of it", what, iova);
}

int main(void)
{
    struct edu e = edu_open();
    probe(&e, "unmapped", option("unmapped", 0xa000000));
    probe(&e, "hypervisor", option("target", 0x8000000));
    return 0;
}
