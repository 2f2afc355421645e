/* SPDX-License-Identifier: MIT */
/*
 * INTx of the lab's small function, 1234:11e9: a level that stays until the handler lowers it,
 * count=1000 times; its registers are 256 bytes in a page with others, so every access is
 * forwarded. With stubborn=1 the handler lowers it only after that many; with resets=N the function
 * is reset N times, and all is done again after each.
 * To: guest/assign/intx.c, guest/pc/vioapic.c, guest/assign/vbar.c.   Spec: docs/lab.md.
 */
#include "guest/programs/lib/guest.h"

#define INTX   4 /* bit 0 drives the line */
#define VECTOR 0x54

static char *regs;
static uint32_t arrived, spurious, count;
static bool stubborn;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    spurious += !(mmio_read32(regs + INTX) & 1); /* not ours: the line of another VM */
    if (!stubborn || arrived + 1 == count)
        mmio_write32(regs + INTX, 0);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void work(void)
{
    __atomic_store_n(&arrived, 0, __ATOMIC_SEQ_CST);
    for (uint32_t i = 1; i <= count; i++) {
        mmio_write32(regs + INTX, 1);
        check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) >= (stubborn ? count : i),
                         100000000));
        if (stubborn)
            break;
    }
    print("intx=%u spurious=%u", arrived, spurious);
    check(arrived == count && spurious == 0);
}

int main(void)
{
    bdf_t bdf = pci_device(0x1234, 0x11e9);
    count = (uint32_t)option("count", 1000);
    stubborn = option("stubborn", 0);
    regs = (char *)pci_bar(bdf, 0);
    apic_on(true);
    on_interrupt(VECTOR, handler);
    pci_intx_on(bdf, VECTOR);
    interrupts_on();
    for (uint64_t resets = option("resets", 0);; resets--) {
        pci_enable(bdf);
        work();
        if (!resets)
            return 0;
        pci_function_reset(bdf);
    }
}
