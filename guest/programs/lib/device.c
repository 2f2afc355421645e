/* SPDX-License-Identifier: MIT */
/*
 * What drivers of real devices need besides: INTx, and the exits that a row of operations cost.
 * Spec: PCI Local Bus 3.0 "Interrupt Line"; Intel 82093AA
 * "Redirection Table".
 */
#include "guest/programs/lib/guest.h"

#define IOAPIC_BASE   UINT64_C(0xfec00000)
#define IOAPIC_INDEX  0x00
#define IOAPIC_DATA   0x10
#define IOAPIC_RTE(n) (0x10 + 2 * (n))
#define RTE_LEVEL_LOW (BIT(15) | BIT(13))

static void ioapic_write(unsigned reg, uint32_t value)
{
    mmio_write32((void *)(IOAPIC_BASE + IOAPIC_INDEX), reg);
    mmio_write32((void *)(IOAPIC_BASE + IOAPIC_DATA), value);
}

void pci_intx_on(bdf_t bdf, uint8_t vector)
{
    unsigned pin = pci_config_read(bdf, PCI_INTERRUPT_LINE, 1);
    check(pci_config_read(bdf, PCI_INTERRUPT_PIN, 1) != 0 && pin != 0xff);
    ioapic_write(IOAPIC_RTE(pin) + 1, 0);
    ioapic_write(IOAPIC_RTE(pin), (uint32_t)RTE_LEVEL_LOW | vector);
}

/* --- Exits of a row of operations ------------------------------------------------------------- */

/* SDM "VMX Basic Exit Reasons". The others are the scheduler's and the timer's, not the
 * operation's. */
#define EXIT_INTERRUPT     1
#define EXIT_IO            30
#define EXIT_EOI           45
#define EXIT_EPT_VIOLATION 48
#define EXIT_EPT_MISCONFIG 49

static struct {
    uint64_t port, memory, eoi, interrupt;
} mark;

void steady_begin(void)
{
    mark.port = exits(EXIT_IO);
    mark.memory = exits(EXIT_EPT_VIOLATION) + exits(EXIT_EPT_MISCONFIG);
    mark.eoi = exits(EXIT_EOI);
    mark.interrupt = exits(EXIT_INTERRUPT);
}

void steady_end(const char *what, unsigned operations)
{
    uint64_t port = exits(EXIT_IO) - mark.port;
    uint64_t memory = exits(EXIT_EPT_VIOLATION) + exits(EXIT_EPT_MISCONFIG) - mark.memory;
    print("steady %s operations=%u exits.port=%lu exits.memory=%lu exits.eoi=%lu "
          "exits.interrupt=%lu",
          what, operations, port, memory, exits(EXIT_EOI) - mark.eoi,
          exits(EXIT_INTERRUPT) - mark.interrupt);
}
