/* SPDX-License-Identifier: MIT */
/*
 * A USB 3 host controller (QEMU's qemu-xhci): a command that does nothing, a thousand times
 * through the command ring, each with its event and an MSI-X interrupt. Its MSI-X table shares
 * the controller's BAR.
 * To: guest/assign/vbar.c (the BAR without the page of the table), guest/assign/vmsix.c.
 * Spec: "eXtensible Host Controller Interface for Universal Serial Bus (xHCI)".
 */
#include "guest/programs/lib/guest.h"

#define DBOFF          0x14
#define RTSOFF         0x18
#define USBCMD         0x00 /* these are behind the capability registers */
#define USBCMD_RUN     BIT(0)
#define USBCMD_RESET   BIT(1)
#define USBCMD_INTE    BIT(2)
#define USBSTS         0x04
#define USBSTS_HALTED  BIT(0)
#define CRCR           0x18
#define DCBAAP         0x30
#define CONFIG         0x38
#define INTERRUPTER    0x20 /* these are behind the runtime registers */
#define IMAN           0x00
#define IMAN_BOTH      BITS(1, 0)
#define ERSTSZ         0x08
#define ERSTBA         0x10
#define ERDP           0x18
#define ERDP_BUSY      BIT(3)
#define TRB_CYCLE      BIT(0)
#define TRB_TOGGLE     BIT(1)
#define TRB_TYPE       BITS(15, 10)
#define TRB_LINK       6
#define TRB_NOOP       23
#define TRB_COMPLETION 33
#define TRB_CODE       BITS(31, 24)
#define CODE_SUCCESS   1
#define RING           16
#define EVENTS         64
#define VECTOR         0x76

struct trb {
    uint64_t parameter;
    uint32_t status, control;
};
static struct trb commands[RING] __attribute__((aligned(64)));
static volatile struct trb events[EVENTS] __attribute__((aligned(64)));
static uint64_t contexts[256] __attribute__((aligned(4096)));
static struct {
    uint64_t base;
    uint32_t size, reserved;
} segment __attribute__((aligned(64)));
static char *op, *doorbells, *interrupter;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void command(unsigned type, uint64_t parameter, unsigned slot, unsigned flags)
{
    commands[slot].parameter = parameter;
    commands[slot].status = 0;
    commands[slot].control = (uint32_t)FIELD_SET(TRB_TYPE, type) | flags;
}

static void no_op(void)
{
    static unsigned slot, cycle = 1, event, event_cycle = 1;
    volatile struct trb *e = &events[event];
    command(TRB_NOOP, 0, slot, cycle);
    uint64_t at = (uint64_t)&commands[slot];
    if (++slot == RING - 1) {
        command(TRB_LINK, (uint64_t)commands, slot, (unsigned)TRB_TOGGLE | cycle);
        slot = 0;
        cycle ^= 1;
    }
    mmio_write32(doorbells, 0);
    check(spin_until((e->control & TRB_CYCLE) == event_cycle, 1000000000));
    check(FIELD_GET(TRB_TYPE, e->control) == TRB_COMPLETION && e->parameter == at);
    check(FIELD_GET(TRB_CODE, e->status) == CODE_SUCCESS);
    event = (event + 1) % EVENTS;
    event_cycle ^= event == 0;
    mmio_write64(interrupter + ERDP, (uint64_t)&events[event] | ERDP_BUSY);
}

static void start(char *regs)
{
    op = regs + mmio_read8(regs);
    doorbells = regs + mmio_read32(regs + DBOFF);
    interrupter = regs + mmio_read32(regs + RTSOFF) + INTERRUPTER;
    mmio_write32(op + USBCMD, USBCMD_RESET);
    check(spin_until(!(mmio_read32(op + USBCMD) & USBCMD_RESET), 1000000));
    segment.base = (uint64_t)events;
    segment.size = EVENTS;
    mmio_write32(op + CONFIG, 8);
    mmio_write64(op + DCBAAP, (uint64_t)contexts);
    mmio_write64(op + CRCR, (uint64_t)commands | TRB_CYCLE);
    mmio_write32(interrupter + ERSTSZ, 1);
    mmio_write64(interrupter + ERDP, (uint64_t)events);
    mmio_write64(interrupter + ERSTBA, (uint64_t)&segment);
    mmio_write32(interrupter + IMAN, IMAN_BOTH);
    mmio_write32(op + USBCMD, USBCMD_RUN | USBCMD_INTE);
    check(spin_until(!(mmio_read32(op + USBSTS) & USBSTS_HALTED), 1000000));
}

int main(void)
{
    bdf_t bdf = pci_device(0x1b36, 0x000d);
    pci_enable(bdf);
    apic_on(false);
    on_interrupt(VECTOR, handler);
    check(pci_msix_to(bdf, 0, VECTOR, 0));
    interrupts_on();
    start((char *)pci_bar(bdf, 0));
    no_op();
    check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) > 0, 100000000));
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        no_op();
    steady_end("commands", STEADY_OPERATIONS);
    print("xhci: every command had its event, msix=%u", arrived);
    return 0;
}
