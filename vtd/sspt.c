/* SPDX-License-Identifier: MIT */
/*
 * Second-stage tables: from the address that a device uses to the address of the memory. The tree
 * is that of the CPU (arch/radix.c), but a unit may not snoop our caches: each change is written
 * back to memory (unit_publish) before the next one.
 * From: guest/core/memory.c (vm_map).   To: arch/radix.c (the tree), vtd/invalidate.c.
 * Spec: VT-d "Second-Stage Translation", "Guidance to Software for Invalidations".
 */
#include "vtd/unit.h"
#include "arch/panic.h"
#include "vtd/vtd_regs.h"
#define LOG "vtd"
#include "arch/log.h"

/* Requests to these addresses are interrupts and are never translated.
 * VT-d "Handling Requests to Interrupt Address Range". */
#define INTERRUPT_FIRST UINT64_C(0xfee00000)
#define INTERRUPT_END   UINT64_C(0xfef00000)

static_assert(VTD_READ == SS_R && VTD_WRITE == SS_W, "permissions are the entry's bits");

int sspt_init(struct radix *tree)
{
    *tree = (struct radix){.levels = vtd.levels,
                           .pages_2m = vtd.pages_2m,
                           .pages_1g = vtd.pages_1g,
                           .present = SS_R | SS_W,
                           .publish = unit_publish};
    return radix_init(tree);
}

static int map_check(const struct vtd_domain *d, gpa_t iova, hpa_t to, uint64_t size, unsigned perm)
{
    invariant(d->tree.root);
    uint64_t iova_limit = BIT(vtd.address_bits);
    uint64_t to_limit = vtd.dmar.address_width < 52 ? BIT(vtd.dmar.address_width) : BIT(52);
    if (size == 0 || !IS_ALIGNED(iova.v | to.v | size, PAGE_SIZE) || !perm || perm & ~(SS_R | SS_W))
        return FAIL_OFTEN(EINVAL, "map iova=0x%lx size=0x%lx perm=%u makes no sense", iova.v, size,
                          perm);
    if (iova.v >= iova_limit || size > iova_limit - iova.v || to.v >= to_limit ||
        size > to_limit - to.v)
        return FAIL_OFTEN(EINVAL,
                          "map iova=0x%lx size=0x%lx is wider than the units reach (%u bits)",
                          iova.v, size, vtd.address_bits);
    if (iova.v < INTERRUPT_END && iova.v + size > INTERRUPT_FIRST)
        return FAIL_OFTEN(EINVAL, "map iova=0x%lx size=0x%lx covers the interrupt addresses",
                          iova.v, size);
    return 0;
}

static void flush_range(struct vtd_domain *d, uint64_t iova, uint64_t size)
{
    FOR_UNITS_OF(u, d)
        invalidate_iotlb_range(u, d->id, iova, size);
}

/* Entries became present: only a unit in caching mode can have cached that they were not. */
static void announce_range(struct vtd_domain *d, uint64_t iova, uint64_t size)
{
    if (vtd.caching_mode)
        flush_range(d, iova, size);
    else
        FOR_UNITS_OF(u, d)
            invalidate_write_buffer(u);
}

/* The flush comes after the change of the tables, or else a unit could cache an old entry again in
 * between. The flushed range is at least as wide as any page that was split or cleared. */
static void unmap_locked(struct vtd_domain *d, uint64_t iova, uint64_t size)
{
    struct radix_range flush = radix_clear(&d->tree, iova, iova + size);
    flush_range(d, flush.first, flush.end - flush.first);
}

int vtd_map(struct vtd_domain *d, gpa_t iova, hpa_t to, uint64_t size, unsigned perm)
{
    int err = map_check(d, iova, to, size, perm);
    if (err)
        return err;
    spin_lock(&d->lock);
    err = radix_map(&d->tree, iova.v, size, to.v | perm | (vtd.snoop_control ? SS_SNP : 0));
    if (err == -ENOMEM)
        unmap_locked(d, iova.v, size); /* a part may be mapped */
    else if (!err)
        announce_range(d, iova.v, size);
    spin_unlock(&d->lock);
    return err ? FAIL_OFTEN(-err, "map iova=0x%lx size=0x%lx: %s", iova.v, size,
                            err == -EEXIST ? "something is mapped there" : "no page for a table")
               : 0;
}

void vtd_unmap(struct vtd_domain *d, gpa_t iova, uint64_t size)
{
    invariant(IS_ALIGNED(iova.v | size, PAGE_SIZE));
    uint64_t limit = BIT(vtd.address_bits);
    if (size == 0 || iova.v >= limit || !d->tree.root)
        return;
    spin_lock(&d->lock);
    unmap_locked(d, iova.v, MIN(size, limit - iova.v));
    spin_unlock(&d->lock);
}

bool vtd_translate(const struct vtd_domain *d, gpa_t iova, hpa_t *to, unsigned *perm)
{
    if (iova.v >= BIT(vtd.address_bits) || !d->tree.root)
        return false;
    unsigned level;
    uint64_t entry = radix_walk(&d->tree, iova.v, &level);
    *to = radix_target(entry, iova.v, level);
    *perm = (unsigned)(entry & (SS_R | SS_W));
    return *perm != 0;
}

void vtd_visit(const struct vtd_domain *d,
               bool (*visit)(void *ctx, gpa_t iova, hpa_t to, uint64_t size, unsigned perm),
               void *ctx)
{
    uint64_t end = d->tree.root ? BIT(vtd.address_bits) : 0;
    uint64_t entry, size;
    for (uint64_t at = 0; (entry = radix_run(&d->tree, &at, end, &size)); at += size)
        if (!visit(ctx, gpa(at), radix_target(entry, at, 1), size,
                   (unsigned)(entry & (SS_R | SS_W))))
            return;
}
