/* SPDX-License-Identifier: MIT */
/*
 * Walk and change a tree of translation tables. Pure: tests/unit/test_radix.c runs it on the host.
 * From: arch/paging.c, vmx/ept.c, vtd/sspt.c.   To: arch/page.c (a page for each table).
 * Hot: every walk and every mapping of all three kinds of tables.
 * Spec: SDM "4-Level Paging and 5-Level Paging", "The Extended Page Table Mechanism (EPT)",
 * VT-d "Second-Stage Translation".
 *
 * INVARIANT: the hardware may walk at any moment. An entry changes by one store; a table is
 * complete and published before an entry names it.
 * INVARIANT: a table stays until radix_free(), even an empty one, so an entry that names a table
 * never changes. A walk therefore needs no lock, but reads each entry only once.
 */
#include "arch/radix.h"
#include "arch/page.h"
#include "lib/atomic.h"
#define LOG "radix"
#include "arch/log.h"

#define ENTRIES (PAGE_SIZE / sizeof(uint64_t))

static bool is_present(const struct radix *r, uint64_t entry) { return entry & r->present; }

static bool is_table(const struct radix *r, uint64_t entry, unsigned level)
{
    return is_present(r, entry) && level > 1 && !(entry & RADIX_LEAF);
}

static uint64_t *table_of(uint64_t entry) { return hpa_ptr(hpa(entry & RADIX_ADDR)); }

static unsigned index_of(uint64_t at, unsigned level)
{
    return at >> RADIX_SHIFT(level) & (ENTRIES - 1);
}

/* Of its table, which is a page. */
static bool is_last(const uint64_t *entry) { return IS_ALIGNED((uintptr_t)(entry + 1), PAGE_SIZE); }

static void publish(const struct radix *r, const void *p, size_t size)
{
    if (r->publish)
        r->publish(p, size);
}

static void entry_set(const struct radix *r, uint64_t *entry, uint64_t value)
{
    atomic_store(entry, value);
    publish(r, entry, sizeof(*entry));
}

/* A table to stand below `entry`, with the same meaning: nothing, or 512 smaller pages. */
static COLD uint64_t *table_new(const struct radix *r, uint64_t entry, unsigned level)
{
    uint64_t *table = page_alloc();
    if (!table)
        return NULL;
    uint64_t first = entry & ~(level == 2 ? RADIX_LEAF : 0);
    for (unsigned i = 0; i < ENTRIES && is_present(r, entry); i++)
        table[i] = first + i * RADIX_SPAN(level - 1);
    publish(r, table, PAGE_SIZE);
    return table;
}

int radix_init(struct radix *r)
{
    r->root = table_new(r, 0, r->levels + 1);
    return r->root ? 0 : -ENOMEM;
}

static void table_free(const struct radix *r, uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < ENTRIES && level > 1; i++) /* level 1 is most of it, and not read */
        if (is_table(r, table[i], level))
            table_free(r, table_of(table[i]), level - 1);
    page_free(table);
}

void radix_free(struct radix *r) { table_free(r, r->root, r->levels); }

/* Where the walk for `at` ends; *value is what it read there, once. */
static uint64_t *walk(const struct radix *r, uint64_t at, unsigned *level, uint64_t *value)
{
    uint64_t *table = r->root;
    for (*level = r->levels;; --*level) {
        uint64_t *entry = &table[index_of(at, *level)];
        *value = atomic_load(entry);
        if (!is_table(r, *value, *level))
            return entry;
        table = table_of(*value);
    }
}

uint64_t radix_walk(const struct radix *r, uint64_t at, unsigned *level)
{
    uint64_t value;
    walk(r, at, level, &value);
    return value;
}

unsigned radix_path(const struct radix *r, uint64_t at, uint64_t entries[])
{
    const uint64_t *table = r->root;
    for (unsigned count = 0, level = r->levels;; level--) {
        uint64_t entry = entries[count++] = atomic_load(&table[index_of(at, level)]);
        if (!is_table(r, entry, level))
            return count;
        table = table_of(entry);
    }
}

uint64_t radix_find(const struct radix *r, uint64_t *at, uint64_t end, unsigned *level)
{
    while (*at < end) {
        uint64_t value, *entry = walk(r, *at, level, &value);
        if (is_present(r, value))
            return value;
        uint64_t span = RADIX_SPAN(*level);
        *at = ALIGN_DOWN(*at, span);
        do /* the others of that table that are not present, without a walk for each */
            *at += span;
        while (*at < end && !is_last(entry) && !is_present(r, atomic_load(++entry)));
    }
    return 0;
}

COLD uint64_t radix_run(const struct radix *r, uint64_t *at, uint64_t end, uint64_t *size)
{
    unsigned level;
    uint64_t value = radix_find(r, at, end, &level);
    if (!value)
        return 0;
    uint64_t first = value & ~(level > 1 ? RADIX_LEAF : 0);
    first += *at & (RADIX_SPAN(level) - PAGE_SIZE);
    uint64_t next = radix_after(*at, level), begin = *at;
    while (next < end && next != begin) {
        begin = next;
        const uint64_t *entry = walk(r, next, &level, &value);
        while (value == ((first + (next - *at)) | (level > 1 ? RADIX_LEAF : 0))) {
            next += RADIX_SPAN(level);
            if (is_last(entry))
                break;
            value = atomic_load(++entry);
        }
    }
    *size = MIN(next, end) - *at;
    return first;
}

hpa_t radix_target(uint64_t entry, uint64_t at, unsigned level)
{
    uint64_t offset = RADIX_SPAN(level) - 1;
    return hpa((entry & RADIX_ADDR & ~offset) | (at & offset));
}

static bool page_fits(const struct radix *r, uint64_t addresses, uint64_t size, unsigned level)
{
    bool can = level == 1 || (level == 2 && r->pages_2m) || (level == 3 && r->pages_1g);
    return can && size >= RADIX_SPAN(level) && IS_ALIGNED(addresses, RADIX_SPAN(level));
}

/* From `entry` on, in its table, until one names a table or covers more than the rest of `size`. */
static uint64_t pages_set(const struct radix *r, uint64_t *entry, unsigned level, uint64_t size,
                          uint64_t leaf)
{
    uint64_t span = RADIX_SPAN(level), done = 0, step = leaf ? span : 0;
    for (uint64_t value = leaf && level > 1 ? leaf | RADIX_LEAF : leaf;; value += step) {
        entry_set(r, entry, value);
        done += span;
        if (size - done < span || is_last(entry) || is_table(r, *++entry, level))
            return done;
    }
}

uint64_t radix_set(const struct radix *r, uint64_t at, uint64_t size, uint64_t leaf)
{
    uint64_t *table = r->root;
    for (unsigned level = r->levels;; level--) {
        uint64_t *entry = &table[index_of(at, level)];
        if (!is_table(r, *entry, level)) {
            if (page_fits(r, at | (leaf & RADIX_ADDR), size, level))
                return pages_set(r, entry, level, size, leaf);
            uint64_t *below = table_new(r, *entry, level);
            if (!below)
                return 0;
            entry_set(r, entry, ptr_hpa(below).v | r->present);
        }
        table = table_of(*entry);
    }
}

COLD int radix_map(const struct radix *r, uint64_t at, uint64_t size, uint64_t leaf)
{
    uint64_t taken = at;
    unsigned level;
    if (radix_find(r, &taken, at + size, &level))
        return -EEXIST;
    for (uint64_t done = 0, set; done < size; done += set) {
        set = radix_set(r, at + done, size - done, leaf + done);
        if (set == 0)
            return -ENOMEM;
    }
    return 0;
}

/* Take out the part [at, end) of a larger page, which is split. Returns the size of what went. */
static uint64_t clear_part(const struct radix *r, uint64_t at, uint64_t end, unsigned level,
                           uint64_t *entry)
{
    uint64_t done = radix_set(r, at, end - at, 0);
    if (done > 0)
        return done;
    /* Too much goes rather than too little: a later access stops that guest or device. */
    log_often("no page to split 0x%lx: unmapped as a whole", ALIGN_DOWN(at, RADIX_SPAN(level)));
    entry_set(r, entry, 0);
    return radix_after(at, level) - at;
}

struct radix_range radix_clear(const struct radix *r, uint64_t first, uint64_t end)
{
    struct radix_range flush = {first, end};
    unsigned level;
    for (uint64_t at = first, value, next; at < end; at = next) {
        uint64_t *entry = walk(r, at, &level, &value);
        uint64_t page = ALIGN_DOWN(at, RADIX_SPAN(level));
        next = page + RADIX_SPAN(level);
        if (!is_present(r, value))
            continue;
        flush.first = MIN(flush.first, page);
        flush.end = MAX(flush.end, next);
        if (page == at && next <= end)
            entry_set(r, entry, 0);
        else
            next = at + clear_part(r, at, MIN(next, end), level, entry);
    }
    return flush;
}
