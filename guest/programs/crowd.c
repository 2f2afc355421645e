/* SPDX-License-Identifier: MIT */
/*
 * Each device that the VM has works beside the others: its message comes once, at its own vector,
 * and a pattern of its own goes out of RAM into its buffer and back. devices=N: so many there are.
 * To: guest/assign/assign.c, vtd/context.c.   Spec: docs/lab.md.
 */
#include "guest/programs/interrupts.h"

#define DEVICES_MAX 31 /* the slots of the virtual bus */
#define WORDS       16 /* of a pattern */
#define PATIENCE    10000000

static struct edu devices[DEVICES_MAX];
static uint32_t messages[DEVICES_MAX];
static uint64_t memory[2][WORDS];

static void handler(struct interrupt_frame *frame)
{
    __atomic_fetch_add(&messages[frame->vector - FIRST_VECTOR], 1, __ATOMIC_SEQ_CST);
}

static unsigned find_all(void)
{
    unsigned n = 0;
    bdf_t bdf;
    for (; n < DEVICES_MAX && edu_nth(n, &bdf); n++) {
        pci_enable(bdf);
        devices[n] = (struct edu){.bdf = bdf, .regs = (char *)pci_bar(bdf, 0)};
        on_interrupt((uint8_t)(FIRST_VECTOR + n), handler);
        check(pci_msix_to(bdf, 0, (uint8_t)(FIRST_VECTOR + n), 0));
    }
    return n;
}

static void move_pattern(const struct edu *e, uint64_t seed)
{
    for (unsigned i = 0; i < WORDS; i++) {
        memory[0][i] = seed << 32 | i;
        memory[1][i] = 0;
    }
    check(edu_dma(e, (uint64_t)memory[0], sizeof(memory[0]), false));
    check(edu_dma(e, (uint64_t)memory[1], sizeof(memory[1]), true));
    check(memcmp(memory[0], memory[1], sizeof(memory[0])) == 0);
}

int main(void)
{
    apic_on(true);
    unsigned count = find_all();
    check(count == option("devices", 1));
    interrupts_on();
    for (unsigned n = 0; n < count; n++) {
        edu_write(&devices[n], EDU_IRQ_RAISE, 1);
        check(spin_until(__atomic_load_n(&messages[n], __ATOMIC_SEQ_CST), PATIENCE));
        move_pattern(&devices[n], n + 1);
    }
    for (unsigned n = 0; n < count; n++)
        check(messages[n] == 1);
    check(hypercall(HC_FAULTS, 0) == 0);
    print("%u devices, each with its message and its bytes", count);
    return 0;
}
