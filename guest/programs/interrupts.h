/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of the educational device that programs raise on purpose, one source per
 * vector: entries of the MSI-X table of the lab's device, or, of devices with one message
 * each, as many devices.
 * From: guest/programs/posting.c, guest/programs/irq-cost.c.
 */
#pragma once
#include "guest/programs/edu.h"

#define SOURCES_MAX  4
#define FIRST_VECTOR 0x51

struct source {
    struct edu device;
    uint32_t cause;
};

/* Where the nth educational device is; false: there are fewer. */
static inline bool edu_nth(unsigned n, bdf_t *bdf)
{
    for (unsigned dev = 0; dev < 32; dev++) {
        *bdf = BDF(0, dev, 0);
        if (pci_config_read(*bdf, 0, 4) == (EDU_DEVICE << 16 | EDU_VENDOR) && n-- == 0)
            return true;
    }
    return false;
}

/* Lead source n to its vector, FIRST_VECTOR + n, on that vCPU; false: there is no such source. */
static inline bool source_open(struct source *s, unsigned n, unsigned vcpu)
{
    uint8_t vector = (uint8_t)(FIRST_VECTOR + n);
    bdf_t bdf;
    s->device = edu_open();
    s->cause = (uint32_t)BIT(n);
    if (pci_msix_to(s->device.bdf, n, vector, vcpu))
        return true;
    if (!edu_nth(n, &bdf))
        return false;
    pci_enable(bdf);
    s->device = (struct edu){.bdf = bdf, .regs = (char *)pci_bar(bdf, 0)};
    s->cause = 1;
    pci_msi_to(bdf, vector, vcpu);
    return true;
}

static inline void source_raise(const struct source *s)
{
    edu_write(&s->device, EDU_IRQ_RAISE, s->cause);
}
