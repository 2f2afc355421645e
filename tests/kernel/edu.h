/* SPDX-License-Identifier: MIT */
/*
 * QEMU's educational device, driven by Hamlet itself: a DMA engine with a buffer of its own, and an
 * MSI, on a register write each.
 * From: tests/kernel/vtd_*.c.
 * Spec: QEMU "EDU device".
 */
#pragma once
#include "lib/atomic.h"
#include "arch/io.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "pci/pci.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

enum edu_reg {
    EDU_RAISE = 0x60,
    EDU_ACKNOWLEDGE = 0x64,
    EDU_FROM = 0x80,
    EDU_TO = 0x88,
    EDU_COUNT = 0x90,
    EDU_COMMAND = 0x98,
};
#define EDU_RUN       BIT(0) /* reads 1 while busy */
#define EDU_TO_MEMORY BIT(1)
#define EDU_BUFFER    0x40000

struct edu {
    struct pci_function *f;
    uint8_t *regs;
};

/* The nth one, awake and allowed to master the bus; false: there is none. */
static inline bool edu_find(struct edu *e, unsigned nth)
{
    e->f = pci_find_id(EDU_VENDOR, EDU_DEVICE, nth);
    if (!e->f)
        return false;
    e->regs = mmio_map(hpa(e->f->bars[0].base), e->f->bars[0].size);
    pci_command(e->f->bdf, PCI_COMMAND_MEM | PCI_COMMAND_MASTER, 0);
    return e->regs != NULL;
}

static inline void edu_start(struct edu *e, uint64_t from, uint64_t to, uint64_t size,
                             uint64_t direction)
{
    mmio_write64(e->regs + EDU_FROM, from);
    mmio_write64(e->regs + EDU_TO, to);
    mmio_write64(e->regs + EDU_COUNT, size);
    compiler_barrier();
    mmio_write64(e->regs + EDU_COMMAND, EDU_RUN | direction);
}

static inline bool edu_busy(struct edu *e) { return mmio_read64(e->regs + EDU_COMMAND) & EDU_RUN; }

/* The engine says that it is done whether or not the transfer was blocked. QEMU's takes a tenth
 * of a second. */
static inline bool edu_transfer(struct edu *e, uint64_t from, uint64_t to, uint64_t size,
                                uint64_t direction)
{
    edu_start(e, from, to, size, direction);
    return wait_until(!edu_busy(e), 2000000);
}

/* Read from the device's view of memory into its buffer, or write its buffer there. */
static inline bool edu_read(struct edu *e, uint64_t iova, uint64_t size)
{
    return edu_transfer(e, iova, EDU_BUFFER, size, 0);
}

static inline bool edu_write(struct edu *e, uint64_t iova, uint64_t size)
{
    return edu_transfer(e, EDU_BUFFER, iova, size, EDU_TO_MEMORY);
}
