/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts of an assigned device at a vector that the guest chose: n of them (count=1000), none
 * lost, none double. Then a forgery: a DMA write to 0xFEEx_xxxx that names an entry of the
 * interrupt-remapping table that is another's.
 * To: guest/vmsi.c, guest/irq.c, vtd/intremap.c, vmx/inject.c.
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

static uint32_t arrivals(void) { return __atomic_load_n(&arrived, __ATOMIC_SEQ_CST); }

int main(void)
{
    uint32_t count = (uint32_t)option("count", 1000);
    uint64_t forge = option("forge", 0);
    static uint32_t message;

    e = edu_open();
    apic_on(option("x2apic", 1));
    on_interrupt(VECTOR, handler);
    pci_msi_on(e.bdf, VECTOR);
    interrupts_on();
    uint64_t before = exits_all();
    for (uint32_t i = 0; i < count; i++) {
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
