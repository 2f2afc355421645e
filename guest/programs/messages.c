/* SPDX-License-Identifier: MIT */
/*
 * MSI with every number of messages that the device can send, count=1 to 32: each message at its
 * own vector, in the order in which they were sent, none at another; a new base vector while they
 * are enabled; and one that waits for its mask bit.
 * To: guest/assign/vmsi.c, guest/assign/irq.c.   Spec: PCI Local Bus 3.0 "MSI
 * Capability Structure"; docs/lab.md.
 */
#include "guest/programs/edu.h"

#define LAB_MESSAGE 0x118
#define BASE        0x60 /* multiples of 32, as the low bits are the device's */
#define OTHER_BASE  0xa0

static struct edu e;
static uint8_t at;
static uint32_t arrived, last;

static void handler(struct interrupt_frame *frame)
{
    atomic_store(&last, (uint32_t)frame->vector);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static uint32_t arrivals(void) { return __atomic_load_n(&arrived, __ATOMIC_SEQ_CST); }

static void send_one(uint32_t message, uint32_t vector)
{
    uint32_t before = arrivals();
    edu_write(&e, LAB_MESSAGE, message);
    check(spin_until(arrivals() != before, 10000000));
    check(arrivals() == before + 1 && atomic_load(&last) == vector);
}

static void reg_write(unsigned offset, unsigned width, uint32_t value)
{
    pci_config_write(e.bdf, (uint16_t)(at + offset), width, value);
}

/* A message that is not sent at once waits, and is sent when the mask goes. */
static void mask(uint32_t message)
{
    uint32_t before = arrivals();
    reg_write(PCI_MSI_MASK(true), 4, 1u << message);
    edu_write(&e, LAB_MESSAGE, message);
    check(!spin_until(arrivals() != before, 1000));
    check(pci_config_read(e.bdf, (uint16_t)(at + PCI_MSI_PENDING(true)), 4) == 1u << message);
    reg_write(PCI_MSI_MASK(true), 4, 0);
    check(spin_until(arrivals() == before + 1, 10000000));
}

static void messages(unsigned log2)
{
    uint32_t count = 1u << log2;
    reg_write(PCI_MSI_CONTROL, 2, 0);
    reg_write(PCI_MSI_ADDRESS, 4, 0xfee00000);
    reg_write(PCI_MSI_DATA(true), 2, BASE | (count - 1)); /* the low bits do not count */
    reg_write(PCI_MSI_CONTROL, 2, PCI_MSI_ENABLE | (uint32_t)FIELD_SET(PCI_MSI_COUNT, log2));
    for (uint32_t i = 0; i < count; i++)
        send_one(i, log2 ? BASE + i : BASE);
    reg_write(PCI_MSI_DATA(true), 2, OTHER_BASE);
    for (uint32_t i = 0; i < count; i++)
        send_one(i, OTHER_BASE + i);
    mask(count - 1);
}

int main(void)
{
    e = edu_open();
    at = pci_capability(e.bdf, PCI_CAP_ID_MSI);
    check(at != 0);
    uint32_t capable = (uint32_t)FIELD_GET(
        PCI_MSI_CAPABLE, pci_config_read(e.bdf, (uint16_t)(at + PCI_MSI_CONTROL), 2));
    apic_on(true);
    for (unsigned i = 0; i < 32; i++) {
        on_interrupt((uint8_t)(BASE + i), handler);
        on_interrupt((uint8_t)(OTHER_BASE + i), handler);
    }
    interrupts_on();
    for (unsigned log2 = 0; log2 <= capable; log2++)
        messages(log2);
    for (unsigned log2 = capable; log2-- > 0;) /* and fewer again */
        messages(log2);
    print("messages=%u: each came at its vector", 1u << capable);
    return 0;
}
