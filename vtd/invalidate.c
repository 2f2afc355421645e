/* SPDX-License-Identifier: MIT */
/*
 * When a change of a table becomes true. The unit caches context entries, translations and
 * interrupt entries, and drops them only on a command. Commands go by registers, one at a time, or
 * by a queue in memory. The unit writes the status of a wait descriptor when all descriptors before
 * it are done; a head that has moved on shows only that they were fetched.
 * From: vtd/context.c, sspt.c, intremap.c, init.c.   To: vtd/unit.c (registers).
 * Spec: VT-d "Invalidation of Translation Caches".
 */
#include "vtd/unit.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "arch/time.h"
#include "vtd/vtd_regs.h"
#define LOG "vtd"
#include "arch/log.h"

#define QUEUE_COUNT (PAGE_SIZE / sizeof(struct u128))

/* The queue */

static void queue_put(struct vtd_unit *u, struct u128 descriptor)
{
    u->queue[u->queue_tail] = descriptor;
    u->queue_tail = (u->queue_tail + 1) % QUEUE_COUNT;
}

static void queue_kick(struct vtd_unit *u)
{
    /* Not written back: VT-d has the unit snoop its queue whatever ECAP.C says. */
    vtd_write64(u, VTD_IQT, (uint64_t)u->queue_tail << IQ_DESC_SHIFT);
}

static struct u128 wait_descriptor(struct vtd_unit *u)
{
    return (struct u128){.lo = FIELD_SET(DESC_TYPE, DESC_WAIT) | DESC_WAIT_SW |
                               FIELD_SET(DESC_WAIT_DATA, u->ticket),
                         .hi = ptr_hpa(&u->status).v & DESC_WAIT_ADDR};
}

/* The unit stopped at a descriptor that it refuses. Put a harmless one in its place, so that the
 * unit does what follows, once the tail is written again. -EIO: a part of the batch was lost, and
 * all of it has to be given again, behind the rest of the queue.
 * VT-d "Hardware Handling of Queued Invalidation Interface Errors". */
static int queue_recover(struct vtd_unit *u)
{
    uint32_t errors = vtd_read32(u, VTD_FSTS) & (uint32_t)(FSTS_IQE | FSTS_ICE | FSTS_ITE);
    if (!errors)
        return 0;
    if (errors & FSTS_IQE) {
        unsigned at = (unsigned)(vtd_read64(u, VTD_IQH) >> IQ_DESC_SHIFT) % QUEUE_COUNT;
        log_often("unit %u: descriptor refused lo=0x%lx hi=0x%lx", u->index, u->queue[at].lo,
                  u->queue[at].hi);
        u->queue[at] = wait_descriptor(u);
        u->queue[at].lo &= ~DESC_WAIT_DATA; /* ticket 0, for which queue_wait() never waits */
    }
    vtd_write32(u, VTD_FSTS, errors);
    return errors & (FSTS_IQE | FSTS_ITE) ? -EIO : 0;
}

/* 0: all of the queue is done. */
static int queue_wait(struct vtd_unit *u)
{
    int err = 0;
    bool done = wait_until(atomic_load(&u->status) == u->ticket || (err = queue_recover(u)) != 0,
                           VTD_TIMEOUT_US);
    return done ? err : -ETIMEDOUT;
}

static void queue_submit(struct vtd_unit *u, struct u128 descriptor)
{
    int err = -EIO;
    spin_lock(&u->lock);
    for (unsigned attempt = 0; attempt < 3 && err == -EIO; attempt++) {
        if (++u->ticket == 0) /* 0 is the ticket of replaced descriptors */
            u->ticket = 1;
        queue_put(u, descriptor);
        queue_put(u, wait_descriptor(u));
        queue_kick(u);
        err = queue_wait(u);
    }
    spin_unlock(&u->lock);
    if (err)
        panic("vtd unit %u does not invalidate (descriptor 0x%lx): DMA is no longer confined",
              u->index, descriptor.lo);
}

/* The registers */

static void register_command(struct vtd_unit *u, unsigned reg, uint64_t go, uint64_t command,
                             uint64_t done_field)
{
    vtd_write64(u, reg, go | command);
    bool done = wait_until(!(vtd_read64(u, reg) & go), VTD_TIMEOUT_US);
    if (!done || FIELD_GET(done_field, vtd_read64(u, reg)) == 0)
        panic("vtd unit %u does not invalidate (register 0x%x): DMA is no longer confined",
              u->index, reg);
}

/* The codes of a granularity (CIRG_, IIRG_) are the same in descriptors and in registers. */
static void context_command(struct vtd_unit *u, unsigned granularity, unsigned did, bdf_t source_id)
{
    if (u->queued) {
        queue_submit(u, (struct u128){.lo = FIELD_SET(DESC_TYPE, DESC_CONTEXT) |
                                            FIELD_SET(DESC_GRANULARITY, granularity) |
                                            FIELD_SET(DESC_DID, did) |
                                            FIELD_SET(DESC_SID, source_id)});
        return;
    }
    spin_lock(&u->lock);
    register_command(u, VTD_CCMD, CCMD_ICC,
                     FIELD_SET(CCMD_CIRG, granularity) | FIELD_SET(CCMD_SID, source_id) |
                         FIELD_SET(CCMD_DID, did),
                     CCMD_CAIG);
    spin_unlock(&u->lock);
}

/* The unit drains reads and writes on their way, if it can: after the command none arrives. */
static void iotlb_command(struct vtd_unit *u, unsigned granularity, unsigned did, uint64_t iova,
                          unsigned mask)
{
    bool drain_reads = u->cap & CAP_DRD, drain_writes = u->cap & CAP_DWD;
    if (u->queued) {
        queue_submit(u, (struct u128){
                            .lo = FIELD_SET(DESC_TYPE, DESC_IOTLB) |
                                  FIELD_SET(DESC_GRANULARITY, granularity) |
                                  FIELD_SET(DESC_IOTLB_DR, drain_reads) |
                                  FIELD_SET(DESC_IOTLB_DW, drain_writes) | FIELD_SET(DESC_DID, did),
                            .hi = (iova & DESC_IOTLB_ADDR) | FIELD_SET(DESC_IOTLB_AM, mask)});
        return;
    }
    unsigned iva = (unsigned)FIELD_GET(ECAP_IRO, u->ecap) * 16;
    spin_lock(&u->lock);
    if (granularity == IIRG_PAGE)
        vtd_write64(u, iva, (iova & IVA_ADDR) | FIELD_SET(IVA_AM, mask));
    register_command(u, iva + IOTLB_REG_OFFSET, IOTLB_IVT,
                     FIELD_SET(IOTLB_IIRG, granularity) | FIELD_SET(IOTLB_DR, drain_reads) |
                         FIELD_SET(IOTLB_DW, drain_writes) | FIELD_SET(IOTLB_DID, did),
                     IOTLB_IAIG);
    spin_unlock(&u->lock);
}

/* What the owners of the tables ask for. The context-cache goes first: with an entry that is still
 * in there, the unit would tag new translations as before.
 * VT-d "Guidance to Software for Invalidations". */

void invalidate_all(struct vtd_unit *u)
{
    context_command(u, CIRG_GLOBAL, 0, 0);
    iotlb_command(u, IIRG_GLOBAL, 0, 0, 0);
}

void invalidate_domain(struct vtd_unit *u, unsigned did)
{
    context_command(u, CIRG_DOMAIN, did, 0);
    iotlb_command(u, IIRG_DOMAIN, did, 0, 0);
}

void invalidate_device(struct vtd_unit *u, unsigned did, bdf_t source_id)
{
    context_command(u, CIRG_DEVICE, did, source_id);
    iotlb_command(u, IIRG_DOMAIN, did, 0, 0);
}

void invalidate_iotlb_range(struct vtd_unit *u, unsigned did, uint64_t iova, uint64_t size)
{
    /* 2^mask pages, naturally aligned: the fewest that hold first and last byte of the range. */
    uint64_t differing = (iova ^ (iova + size - 1)) / PAGE_SIZE;
    unsigned mask = differing ? 64 - (unsigned)__builtin_clzl(differing) : 0;
    if (!(u->cap & CAP_PSI) || mask > FIELD_GET(CAP_MAMV, u->cap))
        iotlb_command(u, IIRG_DOMAIN, did, 0, 0);
    else
        iotlb_command(u, IIRG_PAGE, did, ALIGN_DOWN(iova, PAGE_SIZE << mask), mask);
}

void invalidate_iec_all(struct vtd_unit *u)
{
    queue_submit(u, (struct u128){.lo = FIELD_SET(DESC_TYPE, DESC_IEC)});
}

void invalidate_iec(struct vtd_unit *u, unsigned index, unsigned count)
{
    unsigned mask = (unsigned)__builtin_ctz(count);
    if (mask > FIELD_GET(ECAP_MHMV, u->ecap)) {
        invalidate_iec_all(u);
        return;
    }
    queue_submit(u, (struct u128){.lo = FIELD_SET(DESC_TYPE, DESC_IEC) | DESC_IEC_INDEXED |
                                        FIELD_SET(DESC_IEC_IM, mask) |
                                        FIELD_SET(DESC_IEC_IIDX, index)});
}

void invalidate_write_buffer(struct vtd_unit *u)
{
    if (!(u->cap & CAP_RWBF))
        return;
    spin_lock(&u->lock);
    if (unit_command(u, GCMD_WBF, true))
        panic("vtd unit %u does not flush its write buffer", u->index);
    spin_unlock(&u->lock);
}

int invalidate_init(struct vtd_unit *u)
{
    int err = 0;
    if (vtd_read32(u, VTD_GSTS) & GCMD_QIE) {
        /* The firmware left a queue. It runs empty before ours takes its place. */
        if (!wait_until(vtd_read64(u, VTD_IQH) == vtd_read64(u, VTD_IQT), VTD_TIMEOUT_US))
            return FAIL(ETIMEDOUT, "unit %u: the firmware's queue does not run empty", u->index);
        err = unit_command(u, GCMD_QIE, false);
    }
    if (err || !u->queued)
        return err;
    u->queue = page_alloc();
    if (!u->queue)
        return FAIL(ENOMEM, "unit %u: no page for the invalidation queue", u->index);
    vtd_write64(u, VTD_IQT, 0);
    vtd_write64(u, VTD_IQA, ptr_hpa(u->queue).v); /* one page of 128-bit descriptors */
    return unit_command(u, GCMD_QIE, true);
}
