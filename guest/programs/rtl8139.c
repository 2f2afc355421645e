/* SPDX-License-Identifier: MIT */
/*
 * Realtek's 8139 with its loopback: a frame out of memory into the receive ring, with an interrupt.
 * Its I/O BAR passes; its memory BAR of 256 bytes is smaller than a page and so is forwarded.
 * To: guest/assign/vbar.c, guest/assign/intx.c.
 * Spec: Realtek "RTL8139C(L)+ Programming Guide".
 */
#include "guest/programs/lib/guest.h"

#define IDR      0x00
#define TSD      0x10
#define TSAD     0x20
#define RBSTART  0x30
#define CR       0x37
#define CR_RESET BIT(4)
#define CR_ON    0x0c
#define CAPR     0x38
#define IMR      0x3c
#define ISR      0x3e
#define ISR_ROK  BIT(0)
#define ISR_TOK  BIT(2)
#define TCR      0x40
#define LOOPBACK 0x60000
#define RCR      0x44
#define RCR_ALL  0x8f /* every frame, the ring wraps */
#define FRAME    128
#define VECTOR   0x74

static uint8_t frame[FRAME] __attribute__((aligned(16))),
    ring[12288] __attribute__((aligned(4096)));
static uint16_t port;
static uint32_t arrived;

static void handler(struct interrupt_frame *f)
{
    (void)f;
    out16((uint16_t)(port + ISR), 0xffff);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
    bdf_t bdf = pci_device(0x10ec, 0x8139);
    pci_enable(bdf);
    port = (uint16_t)pci_bar(bdf, 0);
    char *regs = (char *)pci_bar(bdf, 1);
    apic_on(false);
    on_interrupt(VECTOR, handler);
    pci_intx_on(bdf, VECTOR);
    out8((uint16_t)(port + CR), CR_RESET);
    check(spin_until(!(in8((uint16_t)(port + CR)) & CR_RESET), 1000000));
    interrupts_on();
    for (unsigned i = 0; i < FRAME; i++)
        frame[i] = (uint8_t)(i * 5 + 2);
    out32((uint16_t)(port + RBSTART), LO32((uint64_t)ring));
    out16((uint16_t)(port + IMR), ISR_ROK | ISR_TOK);
    out8((uint16_t)(port + CR), CR_ON);
    out32((uint16_t)(port + RCR), RCR_ALL);
    out32((uint16_t)(port + TCR), LOOPBACK);
    out32((uint16_t)(port + TSAD), LO32((uint64_t)frame));
    out32((uint16_t)(port + TSD), FRAME);
    check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) > 0, 100000000));
    check((ring[0] & 1) && memcmp(ring + 4, frame, FRAME) == 0);

    uint32_t id = in32((uint16_t)(port + IDR));
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        check(in32((uint16_t)(port + IDR)) == id);
    steady_end("ports", STEADY_OPERATIONS);
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        check(mmio_read32(regs + IDR) == id);
    steady_end("sub-page", STEADY_OPERATIONS);
    print("rtl8139: the frame came back, intx=%u", arrived);
    return 0;
}
