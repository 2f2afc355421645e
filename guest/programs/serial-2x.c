/* SPDX-License-Identifier: MIT */
/*
 * QEMU's pci-serial-2x: two 16550 behind one I/O BAR of 16 ports, and INTx: the transmitter's
 * interrupt is raised as soon as it is asked for, and falls when its cause is read.
 * To: guest/assign/intx.c, guest/pc/vioapic.c; guest/assign/vbar.c.
 * Spec: "PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs".
 */
#include "guest/programs/lib/guest.h"

#define THR           0
#define IER           1
#define IER_THR_EMPTY BIT(1)
#define IIR           2
#define MCR           4
#define MCR_OUT2      BIT(3)
#define LSR           5
#define LSR_THR_EMPTY BIT(5)
#define SCRATCH       7
#define VECTOR        0x61
#define INTERRUPTS    100

static uint16_t port;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    in8((uint16_t)(port + IIR));
    out8((uint16_t)(port + IER), 0);
    in8((uint16_t)(port + IIR));
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void send(uint16_t uart, const char *text)
{
    for (; *text; text++) {
        check(spin_until(in8((uint16_t)(uart + LSR)) & LSR_THR_EMPTY, 10000000));
        out8((uint16_t)(uart + THR), (uint8_t)*text);
    }
}

int main(void)
{
    bdf_t bdf = pci_device(0x1b36, 0x0003);
    pci_enable(bdf);
    port = (uint16_t)pci_bar(bdf, 0);
    apic_on(false);
    on_interrupt(VECTOR, handler);
    pci_intx_on(bdf, VECTOR);
    interrupts_on();
    send(port, "first of two\n");
    send((uint16_t)(port + 8), "second of two\n");

    out8((uint16_t)(port + SCRATCH), 0x5a);
    out8((uint16_t)(port + 8 + SCRATCH), 0xa5);
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++) {
        check(in8((uint16_t)(port + SCRATCH)) == 0x5a);
        check(in8((uint16_t)(port + 8 + SCRATCH)) == 0xa5);
    }
    steady_end("ports", 2 * STEADY_OPERATIONS);

    out8((uint16_t)(port + MCR), MCR_OUT2);
    for (uint32_t i = 1; i <= INTERRUPTS; i++) {
        out8((uint16_t)(port + IER), IER_THR_EMPTY);
        check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) >= i, 100000000));
    }
    print("serial-2x: both said their line, intx=%u", arrived);
    return arrived != INTERRUPTS;
}
