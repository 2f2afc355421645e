/* SPDX-License-Identifier: MIT */
/*
 * Second-stage tables: from the address that a device uses to the address of the memory. The same
 * radix tree as the CPU's, but the unit may walk it at any moment and may not snoop our caches: a
 * table is complete in memory before anything points to it, and one entry is one store.
 * From: guest/core/memory.c (vm_map).   To: vtd/invalidate.c.
 * Spec: VT-d "Second-Stage Translation", "Guidance to Software for Invalidations".
 */
#define LOG "vtd"
#include "arch/log.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "vtd/unit.h"
#include "vtd/vtd_regs.h"

#define ENTRY_COUNT     512
#define PRESENT         (SS_R | SS_W)

/* Requests to these addresses are interrupts and are never translated.
 * VT-d "Handling Requests to Interrupt Address Range". */
#define INTERRUPT_FIRST UINT64_C(0xfee00000)
#define INTERRUPT_END   UINT64_C(0xfef00000)

static_assert(VTD_READ == SS_R && VTD_WRITE == SS_W, "permissions are the entry's bits");

/* Level 1 entries map 4 KiB, level 2 2 MiB, level 3 1 GiB. */
static uint64_t page_size(unsigned level) { return PAGE_SIZE << (9 * (level - 1)); }
static unsigned entry_index(uint64_t iova, unsigned level)
{
    return (unsigned)(iova / page_size(level)) % ENTRY_COUNT;
}
static bool is_present(uint64_t entry) { return entry & PRESENT; }
static bool is_leaf(uint64_t entry, unsigned level) { return level == 1 || (entry & SS_PS); }
static uint64_t *table_of(uint64_t entry) { return hpa_ptr(hpa(entry & SS_ADDR)); }

uint64_t *sspt_new(void)
{
    uint64_t *table = page_alloc();
    if (table)
        unit_publish(table, PAGE_SIZE);
    return table;
}

void sspt_free(uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < ENTRY_COUNT && level > 1; i++)
        if (is_present(table[i]) && !is_leaf(table[i], level))
            sspt_free(table_of(table[i]), level - 1);
    page_free(table);
}

static void entry_publish(uint64_t *entry, uint64_t value)
{
    atomic_store(entry, value);
    unit_publish(entry, sizeof(*entry));
}

static uint64_t leaf(uint64_t to, unsigned level, uint64_t perm)
{
    return (to & SS_ADDR) | perm | (level > 1 ? SS_PS : 0) | (vtd.snoop_control ? SS_SNP : 0);
}

/* Walk down to `*level`, or stop earlier where nothing more is below; *level says where. */
static uint64_t *entry_find(const struct vtd_domain *d, uint64_t iova, unsigned *level)
{
    uint64_t *table = d->table;
    for (unsigned at = vtd.levels;; at--) {
        uint64_t *entry = &table[entry_index(iova, at)];
        if (at == *level || !is_present(*entry) || is_leaf(*entry, at)) {
            *level = at;
            return entry;
        }
        table = table_of(*entry);
    }
}

/* The same, with the tables in between made. NULL: no memory. */
static uint64_t *entry_make(struct vtd_domain *d, uint64_t iova, unsigned level)
{
    unsigned at = level;
    uint64_t *entry = entry_find(d, iova, &at);
    while (at > level) {
        invariant(!is_present(*entry)); /* vtd_map looked before */
        uint64_t *table = sspt_new();
        if (!table)
            return NULL;
        entry_publish(entry, ptr_hpa(table).v | PRESENT);
        entry = &table[entry_index(iova, --at)];
    }
    return entry;
}

static bool range_is_free(const struct vtd_domain *d, uint64_t iova, uint64_t size)
{
    for (uint64_t at = iova; at < iova + size;) {
        unsigned level = 1;
        if (is_present(*entry_find(d, at, &level)))
            return false;
        at = ALIGN_DOWN(at, page_size(level)) + page_size(level);
    }
    return true;
}

static unsigned largest_level(uint64_t iova, uint64_t to, uint64_t size)
{
    if (vtd.pages_1g && IS_ALIGNED(iova | to, SIZE_1G) && size >= SIZE_1G)
        return 3;
    if (vtd.pages_2m && IS_ALIGNED(iova | to, SIZE_2M) && size >= SIZE_2M)
        return 2;
    return 1;
}

/* Map one page, as large as fits; returns its size, 0: no memory. */
static uint64_t map_page(struct vtd_domain *d, uint64_t iova, uint64_t to, uint64_t size,
                         unsigned perm)
{
    for (unsigned level = largest_level(iova, to, size);; level--) {
        uint64_t *entry = entry_make(d, iova, level);
        if (!entry)
            return 0;
        if (is_present(*entry)) /* an empty table of smaller pages stands here: use it */
            continue;
        entry_publish(entry, leaf(to, level, perm));
        return page_size(level);
    }
}

static int map_check(const struct vtd_domain *d, gpa_t iova, hpa_t to, uint64_t size, unsigned perm)
{
    invariant(d->table);
    uint64_t iova_limit = BIT(vtd.address_bits);
    uint64_t to_limit = vtd.dmar.address_width < 52 ? BIT(vtd.dmar.address_width) : BIT(52);
    if (size == 0 || !IS_ALIGNED(iova.v | to.v | size, PAGE_SIZE) || !perm || perm & ~PRESENT)
        return FAIL(EINVAL, "map iova=0x%llx size=0x%llx perm=%u makes no sense",
                    (unsigned long long)iova.v, (unsigned long long)size, perm);
    if (iova.v >= iova_limit || size > iova_limit - iova.v || to.v >= to_limit ||
        size > to_limit - to.v)
        return FAIL(EINVAL, "map iova=0x%llx size=0x%llx is wider than the units reach (%u bits)",
                    (unsigned long long)iova.v, (unsigned long long)size, vtd.address_bits);
    if (iova.v < INTERRUPT_END && iova.v + size > INTERRUPT_FIRST)
        return FAIL(EINVAL, "map iova=0x%llx size=0x%llx covers the interrupt addresses",
                    (unsigned long long)iova.v, (unsigned long long)size);
    return 0;
}

static void flush_range(struct vtd_domain *d, uint64_t iova, uint64_t size)
{
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (d->unit_mask & BIT(i))
            invalidate_iotlb_range(&vtd.units[i], d->id, iova, size);
}

/* Entries became present: only a unit in caching mode can have cached that they were not. */
static void announce_range(struct vtd_domain *d, uint64_t iova, uint64_t size)
{
    if (vtd.caching_mode) {
        flush_range(d, iova, size);
        return;
    }
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (d->unit_mask & BIT(i))
            invalidate_write_buffer(&vtd.units[i]);
}

/* Turn a large page into a table of smaller ones that say the same. */
static uint64_t *split(uint64_t *entry, unsigned level)
{
    uint64_t *table = page_alloc();
    if (!table)
        return NULL;
    for (unsigned i = 0; i < ENTRY_COUNT; i++)
        table[i] = leaf((*entry & SS_ADDR) + i * page_size(level - 1), level - 1, *entry & PRESENT);
    unit_publish(table, PAGE_SIZE);
    entry_publish(entry, ptr_hpa(table).v | PRESENT);
    return table;
}

/* Clear what the range holds, and widen it to the whole of a large page that it cut: the flush has
 * to name the page as it was cached. */
static void clear_range(struct vtd_domain *d, uint64_t *first, uint64_t *end)
{
    uint64_t range_first = *first, range_end = *end;
    for (uint64_t at = range_first; at < range_end;) {
        unsigned level = 1;
        uint64_t *entry = entry_find(d, at, &level);
        uint64_t page = ALIGN_DOWN(at, page_size(level)), next = page + page_size(level);
        if (is_present(*entry)) {
            bool whole = page >= range_first && next <= range_end;
            *first = MIN(*first, page);
            *end = MAX(*end, next);
            if (!whole && split(entry, level))
                continue; /* again, one level down */
            if (!whole)
                log_error("no page to split 0x%llx: unmapped as a whole", (unsigned long long)page);
            entry_publish(entry, 0);
        }
        at = next;
    }
}

static void unmap_locked(struct vtd_domain *d, uint64_t iova, uint64_t size)
{
    uint64_t first = iova, end = iova + size;
    clear_range(d, &first, &end);
    flush_range(d, first, end - first);
}

static int map_locked(struct vtd_domain *d, uint64_t iova, uint64_t to, uint64_t size,
                      unsigned perm)
{
    if (!range_is_free(d, iova, size))
        return FAIL(EEXIST, "map iova=0x%llx size=0x%llx: something is mapped there",
                    (unsigned long long)iova, (unsigned long long)size);
    for (uint64_t done = 0; done < size;) {
        uint64_t page = map_page(d, iova + done, to + done, size - done, perm);
        if (page == 0) {
            if (done > 0)
                unmap_locked(d, iova, done);
            return FAIL(ENOMEM, "map iova=0x%llx: no page for a table", (unsigned long long)iova);
        }
        done += page;
    }
    announce_range(d, iova, size);
    return 0;
}

int vtd_map(struct vtd_domain *d, gpa_t iova, hpa_t to, uint64_t size, unsigned perm)
{
    int err = map_check(d, iova, to, size, perm);
    if (err)
        return err;
    spin_lock(&d->lock);
    err = map_locked(d, iova.v, to.v, size, perm);
    spin_unlock(&d->lock);
    return err;
}

void vtd_unmap(struct vtd_domain *d, gpa_t iova, uint64_t size)
{
    invariant(IS_ALIGNED(iova.v | size, PAGE_SIZE));
    uint64_t limit = BIT(vtd.address_bits);
    if (size == 0 || iova.v >= limit || !d->table)
        return;
    spin_lock(&d->lock);
    unmap_locked(d, iova.v, MIN(size, limit - iova.v));
    spin_unlock(&d->lock);
}

bool vtd_translate(const struct vtd_domain *d, gpa_t iova, hpa_t *to, unsigned *perm)
{
    if (iova.v >= BIT(vtd.address_bits) || !d->table)
        return false;
    unsigned level = 1;
    uint64_t entry = *entry_find(d, iova.v, &level);
    if (!is_present(entry))
        return false;
    *to = hpa((entry & SS_ADDR) + iova.v % page_size(level));
    *perm = (unsigned)(entry & PRESENT);
    return true;
}

void vtd_visit(const struct vtd_domain *d,
               bool (*visit)(void *ctx, gpa_t iova, hpa_t to, uint64_t size, unsigned perm),
               void *ctx)
{
    for (uint64_t at = 0; d->table && at < BIT(vtd.address_bits);) {
        unsigned level = 1;
        uint64_t entry = *entry_find(d, at, &level);
        if (is_present(entry) && !visit(ctx, gpa(at), hpa(entry & SS_ADDR), page_size(level),
                                        (unsigned)(entry & PRESENT)))
            return;
        at += page_size(level);
    }
}
