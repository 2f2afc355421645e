/* SPDX-License-Identifier: MIT */
/*
 * Intel's 82574 (QEMU's e1000e): frames sent and received back through the loopback of its MAC,
 * with an MSI-X interrupt for what was received.
 * To: guest/assign/vmsix.c (a table in a BAR of its own), vtd/sspt.c.
 * Spec: Intel "82574 GbE Controller Family Datasheet".
 */
#include "guest/programs/lib/guest.h"

#define CTRL          0x0000
#define CTRL_RESET    BIT(26)
#define STATUS        0x0008
#define ICR           0x00c0
#define IMS           0x00d0
#define IVAR          0x00e4
#define IVAR_RX0      0x8u /* receive queue 0 to vector 0, valid */
#define CAUSE_RX0     BIT(20)
#define RCTL          0x0100
#define RCTL_LOOPBACK 0x0400805au /* on, unicast and multicast promiscuous, MAC loopback, no CRC */
#define TCTL          0x0400
#define TCTL_ON       0x0000000au /* on, pad short frames */
#define RX            0x2800      /* base, length, head, tail of the ring at +0, +8, +10, +18 */
#define TX            0x3800
#define COMMAND_SEND  0x0b /* end of packet, insert CRC, report status */
#define DONE          BIT(0)
#define RING          16
#define FRAME         256
#define VECTOR        0x72

struct descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t checksum, command; /* of a received one: both are the checksum */
    uint8_t status, errors;
    uint16_t special;
};
static struct descriptor tx[RING] __attribute__((aligned(128))),
    rx[RING] __attribute__((aligned(128)));
static uint8_t sent[FRAME], received[RING][2048] __attribute__((aligned(4096)));
static char *regs;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    mmio_write32(regs + ICR, CAUSE_RX0);
    arrived++;
}

static void ring(unsigned at, struct descriptor *first, unsigned tail)
{
    mmio_write32(regs + at, LO32((uint64_t)first));
    mmio_write32(regs + at + 4, HI32((uint64_t)first));
    mmio_write32(regs + at + 8, RING * sizeof(*first));
    mmio_write32(regs + at + 0x10, 0);
    mmio_write32(regs + at + 0x18, tail);
}

static void round_trip(unsigned i)
{
    unsigned slot = i % RING;
    volatile struct descriptor *r = &rx[slot];
    sent[20] = (uint8_t)i;
    tx[slot] =
        (struct descriptor){.address = (uint64_t)sent, .length = FRAME, .command = COMMAND_SEND};
    mmio_write32(regs + TX + 0x18, (slot + 1) % RING);
    check(spin_until(r->status & DONE, 1000000000));
    check(r->length == FRAME && memcmp(received[slot], sent, FRAME) == 0);
    r->status = 0;
    mmio_write32(regs + RX + 0x18, slot); /* one behind what is filled next */
}

int main(void)
{
    bdf_t bdf = pci_device(0x8086, 0x10d3);
    pci_enable(bdf);
    regs = (char *)pci_bar(bdf, 0);
    apic_on(false);
    on_interrupt(VECTOR, handler);
    mmio_write32(regs + CTRL, (uint32_t)CTRL_RESET);
    check(spin_until(!(mmio_read32(regs + CTRL) & CTRL_RESET), 1000000));
    check(pci_msix_to(bdf, 0, VECTOR, 0));
    interrupts_on();
    for (unsigned i = 0; i < RING; i++)
        rx[i].address = (uint64_t)received[i];
    for (unsigned i = 0; i < FRAME; i++)
        sent[i] = (uint8_t)(i * 3 + 2); /* its destination is no multicast address */
    mmio_write32(regs + IVAR, IVAR_RX0);
    mmio_write32(regs + IMS, (uint32_t)CAUSE_RX0);
    ring(RX, rx, RING - 1);
    ring(TX, tx, 0);
    mmio_write32(regs + CTRL, mmio_read32(regs + CTRL) | 0x40); /* set link up */
    mmio_write32(regs + RCTL, RCTL_LOOPBACK);
    mmio_write32(regs + TCTL, TCTL_ON);
    round_trip(0);
    check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) > 0, 100000000));
    steady_begin();
    for (unsigned i = 1; i <= STEADY_OPERATIONS; i++)
        round_trip(i);
    steady_end("frames", STEADY_OPERATIONS);
    print("e1000e: frames came back, msix=%u", arrived);
    return 0;
}
