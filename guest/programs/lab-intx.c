/* SPDX-License-Identifier: MIT */
/*
 * INTx of the lab's small function, 1234:11e9: a level that stays until the handler lowers it, a thousand
 * times; its registers are 256 bytes in a page with others, so every access is forwarded.
 * To: guest/intx.c, guest/vioapic.c, guest/vbar.c.   Spec: docs/lab.md.
 */
#include "guest/programs/lib/guest.h"

#define INTX   4 /* bit 0 drives the line */
#define COUNT  1000
#define VECTOR 0x54

static char *regs;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    mmio_write32(regs + INTX, 0);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
    bdf_t bdf = pci_device(0x1234, 0x11e9);

    pci_enable(bdf);
    regs = (char *)pci_bar(bdf, 0);
    apic_on(true);
    on_interrupt(VECTOR, handler);
    pci_intx_on(bdf, VECTOR);
    interrupts_on();
    for (uint32_t i = 1; i <= COUNT; i++) {
        mmio_write32(regs + INTX, 1);
        check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) >= i, 1000000));
    }
    print("intx=%u", arrived);
    return arrived != COUNT;
}
