/* SPDX-License-Identifier: MIT */
/*
 * Registers of QEMU's educational device, 1234:11e8; the lab's device has the same in BAR 0.
 * Spec: QEMU "EDU device".
 */
#pragma once
#include "lib/atomic.h"
#include "guest/programs/lib/guest.h"

#define EDU_VENDOR           0x1234
#define EDU_DEVICE           0x11e8
#define EDU_ID               0x00 /* 0x010000ed */
#define EDU_LIVENESS         0x04 /* reads the complement of what was written */
#define EDU_FACTORIAL        0x08
#define EDU_STATUS           0x20
#define EDU_STATUS_COMPUTING BIT(0)
#define EDU_IRQ_RAISE        0x60
#define EDU_IRQ_ACK          0x64
#define EDU_DMA_SOURCE       0x80
#define EDU_DMA_TARGET       0x88
#define EDU_DMA_COUNT        0x90
#define EDU_DMA_COMMAND      0x98
#define EDU_DMA_START        BIT(0)  /* reads 1 until it is done */
#define EDU_DMA_OUT          BIT(1)  /* from the device's buffer to memory */
#define EDU_DMA_IRQ          BIT(2)  /* an interrupt when it is done */
#define EDU_BUFFER           0x40000 /* as the DMA engine sees it, 4096 bytes */

struct edu {
    bdf_t bdf;
    char *regs;
};

static inline struct edu edu_open(void)
{
    struct edu e = {.bdf = pci_device(EDU_VENDOR, EDU_DEVICE)};
    pci_enable(e.bdf);
    e.regs = (char *)pci_bar(e.bdf, 0);
    return e;
}

static inline uint32_t edu_read(const struct edu *e, unsigned reg)
{
    return mmio_read32(e->regs + reg);
}

static inline void edu_write(const struct edu *e, unsigned reg, uint32_t v)
{
    mmio_write32(e->regs + reg, v);
}

#define EDU_PATIENCE UINT64_C(2000000000)
/* Copy between memory at `iova` and the buffer; false: it never ended. The device reads and writes
 * what the program's variables hold, so the compiler must not keep them in registers over it. */
static inline bool edu_dma(const struct edu *e, uint64_t iova, uint32_t count, bool out)
{
    bool done;
    compiler_barrier();
    mmio_write64(e->regs + EDU_DMA_SOURCE, out ? EDU_BUFFER : iova);
    mmio_write64(e->regs + EDU_DMA_TARGET, out ? iova : EDU_BUFFER);
    mmio_write64(e->regs + EDU_DMA_COUNT, count);
    mmio_write64(e->regs + EDU_DMA_COMMAND, EDU_DMA_START | (out ? EDU_DMA_OUT : 0));
    done = spin_until(!(mmio_read64(e->regs + EDU_DMA_COMMAND) & EDU_DMA_START), EDU_PATIENCE);
    compiler_barrier();
    return done;
}
