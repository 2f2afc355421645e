/* SPDX-License-Identifier: MIT */
/*
 * A driver for one NVMe controller: an admin queue, one queue pair for I/O with an MSI-X interrupt,
 * one command at a time.
 * From: guest/programs/nvme.c.
 * Spec: NVM Express Base "Controller Registers", "Submission Queue Entry", "Admin Command Set".
 */
#pragma once
#include "guest/programs/lib/guest.h"

#define NVME_CC             0x14
#define NVME_CC_ON          0x00460001u /* 64-byte and 16-byte entries, 4-KiB pages, enable */
#define NVME_CSTS           0x1c
#define NVME_CSTS_READY     BIT(0)
#define NVME_AQA            0x24
#define NVME_ASQ            0x28
#define NVME_ACQ            0x30
#define NVME_DOORBELLS      0x1000 /* submission and completion in turn, 4 bytes each */
#define NVME_ENTRIES        16
#define NVME_IDENTIFY       0x06
#define NVME_CREATE_SQ      0x01
#define NVME_CREATE_CQ      0x05
#define NVME_VIRTUALIZATION 0x1c
#define NVME_WRITE          0x01
#define NVME_READ           0x02

struct nvme_command {
    uint8_t opcode, flags;
    uint16_t id;
    uint32_t nsid;
    uint64_t reserved, metadata, prp1, prp2;
    uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
static_assert(sizeof(struct nvme_command) == 64, "NVM Express: a submission queue entry");

struct nvme_completion {
    uint32_t result, reserved;
    uint16_t sq_head, sq_id, id, status; /* status: bit 0 is the phase */
};

struct nvme_queue {
    struct nvme_command *sq;
    struct nvme_completion *cq;
    unsigned id, tail, head, phase;
};

struct nvme {
    bdf_t bdf;
    char *regs;
    struct nvme_queue admin, io;
};

/* Run one command to its completion; its status without the phase, 0 is success. */
static inline uint16_t nvme_run(struct nvme *n, struct nvme_queue *q, struct nvme_command c)
{
    volatile struct nvme_completion *done = &q->cq[q->head];
    char *doorbell = n->regs + NVME_DOORBELLS + 8 * q->id;
    c.id = (uint16_t)q->tail;
    q->sq[q->tail] = c;
    q->tail = (q->tail + 1) % NVME_ENTRIES;
    mmio_write32(doorbell, q->tail);
    check(spin_until((done->status & 1) == q->phase, 1000000000));
    uint16_t status = done->status >> 1;
    q->head = (q->head + 1) % NVME_ENTRIES;
    q->phase ^= q->head == 0;
    mmio_write32(doorbell + 4, q->head);
    return status;
}

/* Enable the controller with an admin queue; false: it does not want to. */
static inline bool nvme_enable(struct nvme *n)
{
    mmio_write32(n->regs + NVME_CC, 0);
    if (!spin_until(!(mmio_read32(n->regs + NVME_CSTS) & NVME_CSTS_READY), 1000000))
        return false;
    mmio_write32(n->regs + NVME_AQA, (NVME_ENTRIES - 1) << 16 | (NVME_ENTRIES - 1));
    mmio_write64(n->regs + NVME_ASQ, (uint64_t)n->admin.sq);
    mmio_write64(n->regs + NVME_ACQ, (uint64_t)n->admin.cq);
    n->admin.phase = 1;
    mmio_write32(n->regs + NVME_CC, NVME_CC_ON);
    return spin_until(mmio_read32(n->regs + NVME_CSTS) & NVME_CSTS_READY, 1000000);
}

/* A queue pair for I/O whose completions interrupt by MSI-X entry `entry`. */
static inline void nvme_io_queue(struct nvme *n, unsigned entry)
{
    n->io.id = 1;
    n->io.phase = 1;
    check(nvme_run(n, &n->admin,
                   (struct nvme_command){.opcode = NVME_CREATE_CQ,
                                         .prp1 = (uint64_t)n->io.cq,
                                         .cdw10 = (NVME_ENTRIES - 1) << 16 | 1,
                                         .cdw11 = entry << 16 | 3}) == 0);
    check(nvme_run(n, &n->admin,
                   (struct nvme_command){.opcode = NVME_CREATE_SQ,
                                         .prp1 = (uint64_t)n->io.sq,
                                         .cdw10 = (NVME_ENTRIES - 1) << 16 | 1,
                                         .cdw11 = 1 << 16 | 1}) == 0);
}

/* One block of the first namespace. */
static inline uint16_t nvme_block(struct nvme *n, uint8_t opcode, uint32_t block, void *data)
{
    return nvme_run(
        n, &n->io,
        (struct nvme_command){.opcode = opcode, .nsid = 1, .prp1 = (uint64_t)data, .cdw10 = block});
}
