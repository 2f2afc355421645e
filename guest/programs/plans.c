/* SPDX-License-Identifier: MIT */
/*
 * The same device by plans A, B, C and D: exits and instructions of a register access, of an access
 * to configuration space, and of an interrupt (raised and acknowledged by a register each), and how
 * many interrupts Hamlet took for it.
 * From: tests/bench/plans.py, which reads the lines "plans KEY exits=N taken=N ticks=N",
 * per 100 operations.
 */
#include "guest/programs/edu.h"

#define ROUNDS 100
#define VECTOR 0x52

static struct edu e;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    edu_write(&e, EDU_IRQ_ACK, 1);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void interrupt(void)
{
    uint32_t before = __atomic_load_n(&arrived, __ATOMIC_SEQ_CST);
    edu_write(&e, EDU_IRQ_RAISE, 1);
    check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) != before, 100000000));
}

#define MEASURE(key, operation)                                                                    \
    do {                                                                                           \
        uint64_t taken_ = hypercall(HC_IRQ_COUNT, 0), exits_ = exits_all(), ticks_ = rdtsc();      \
        for (unsigned i_ = 0; i_ < ROUNDS; i_++)                                                   \
            operation;                                                                             \
        ticks_ = rdtsc() - ticks_;                                                                 \
        exits_ = exits_all() - exits_;                                                             \
        print("plans %s exits=%lu taken=%lu ticks=%lu", key, exits_,                               \
              hypercall(HC_IRQ_COUNT, 0) - taken_, ticks_);                                        \
    } while (0)

int main(void)
{
    e = edu_open();
    apic_on(true);
    on_interrupt(VECTOR, handler);
    pci_msi_on(e.bdf, VECTOR);
    interrupts_on();
    interrupt();
    MEASURE("register", edu_read(&e, EDU_ID));
    MEASURE("config", pci_config_read(e.bdf, PCI_VENDOR_ID, 4));
    MEASURE("interrupt", interrupt());
    return 0;
}
