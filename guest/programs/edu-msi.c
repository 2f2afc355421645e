/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts of an assigned device at a vector that the guest chose: n of them
 * (count=1000), none lost, none double. With mark=N a word of its own goes into the device before
 * each and comes back into the middle of a field that nothing else writes. Then a forgery: a DMA
 * write to 0xFEEx_xxxx that names another device's entry of the interrupt-remapping table.
 * To: guest/assign/vmsi.c, guest/assign/irq.c, vtd/intremap.c, vmx/vcpu/inject.c.
 */
#include "guest/programs/edu.h"

#define VECTOR 0x51

static uint32_t arrived;
static struct edu e;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    edu_write(&e, EDU_IRQ_ACK, edu_read(&e, 0x24));
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

/* Two neighbours with the same program have other marks, at the same addresses. */
static void data_comes_back(uint32_t mark, uint32_t i)
{
    static uint32_t field[64];
    static uint32_t word;
    word = mark << 24 | i;
    check(edu_dma(&e, (uint64_t)&word, sizeof(word), false));
    check(edu_dma(&e, (uint64_t)&field[32], sizeof(word), true));
    for (unsigned n = 0; n < ARRAY_COUNT(field); n++)
        check(field[n] == (n == 32 ? word : 0));
}

static uint32_t arrivals(void) { return __atomic_load_n(&arrived, __ATOMIC_SEQ_CST); }

int main(void)
{
    uint32_t count = (uint32_t)option("count", 1000);
    uint32_t mark = (uint32_t)option("mark", 0);
    uint64_t forge = option("forge", 0);
    static uint32_t message;
    e = edu_open();
    apic_on(option("x2apic", 1));
    on_interrupt(VECTOR, handler);
    pci_msi_on(e.bdf, VECTOR);
    interrupts_on();
    uint64_t before = exits_all();
    for (uint32_t i = 0; i < count; i++) {
        if (mark)
            data_comes_back(mark, i);
        edu_write(&e, EDU_IRQ_RAISE, 1);
        check(spin_until(arrivals() == i + 1, 100000000));
    }
    print("msi=%u vector=0x%x arrived=%u exits=%lu", count, VECTOR, arrivals(),
          exits_all() - before);
    if (forge) {
        message = 0;
        check(edu_dma(&e, (uint64_t)&message, 4, false));
        check(edu_dma(&e, 0xfee00010 | forge << 5, 4, true));
        for (unsigned i = 0; i < 100000; i++)
            cpu_relax();
        print("forged entry %lu", forge);
    }
    return arrivals() != count;
}
