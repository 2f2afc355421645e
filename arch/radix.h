/* SPDX-License-Identifier: MIT */
/*
 * The radix tree by which a PC translates addresses. Hamlet's own page tables, the EPT of a VM and
 * the second-stage tables of VT-d have this one form: a table has 512 entries, a level takes nine
 * bits of the address. An entry names the next table or a page: 4 KiB at level 1, 2 MiB at level 2,
 * 1 GiB at level 3. The three trees differ only in the other bits of an entry and in how a change
 * is published. The caller holds a lock during changes, passes only whole pages that the tree
 * reaches, and flushes.
 * From: arch/paging.c, vmx/ept.c, vtd/sspt.c.
 */
#pragma once
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/types.h"

// clang-format off
#define RADIX_LEAF         BIT(7, "LEAF", "maps 2 MiB or 1 GiB") /* level 1: always a page */
#define RADIX_ADDR         BITS(51, 12, "ADDR", "of the next table or the memory", ADDRESS)
// clang-format on
#define RADIX_SHIFT(level) (12 + 9 * ((level)-1))
#define RADIX_SPAN(level)  BIT(RADIX_SHIFT(level)) /* what one entry of that level covers */

struct radix {
    uint64_t *root;
    unsigned levels;
    bool pages_2m, pages_1g; /* the hardware knows pages of that size */
    /* All are set in an entry that names a table; an entry without any of them is not present. */
    uint64_t present;
    /* Called after each change, before the next one; NULL: the hardware sees our stores. */
    void (*publish)(const void *p, size_t size);
};

/* Give the tree, of which the caller has set the rest, an empty root table. -ENOMEM. */
MUST_CHECK int radix_init(struct radix *r);
void radix_free(struct radix *r); /* the tables, not the pages that they map */

/* The lowest entry on the way to `at`, and its level: a page, or an entry that is not present. */
uint64_t radix_walk(const struct radix *r, uint64_t at, unsigned *level);
/* Every entry on that way, from the root on. Returns their number. */
unsigned radix_path(const struct radix *r, uint64_t at, uint64_t entries[]);
/* The entry of the first page that has a byte in [*at, end); *at moves to that byte. 0: no page. */
uint64_t radix_find(const struct radix *r, uint64_t *at, uint64_t end, unsigned *level);
/* The same, with all pages behind it that go on where it ends, with the same rights: *size bytes.
 * Returns the entry as it would be for 4 KiB at *at. `at` and `end` are multiples of 4 KiB. */
uint64_t radix_run(const struct radix *r, uint64_t *at, uint64_t end, uint64_t *size);
/* The address to which a page's entry maps `at`. */
hpa_t radix_target(uint64_t entry, uint64_t at, unsigned level);
/* The start of the entry after the one that covers `at`. */
static inline uint64_t radix_after(uint64_t at, unsigned level)
{
    return ALIGN_DOWN(at, RADIX_SPAN(level)) + RADIX_SPAN(level);
}

/* Set pages from `at` on, of one size and in one table: the largest that fits into `size` where no
 * table stands; a larger page there is split. `leaf` is the entry as it would be for 4 KiB at `at`,
 * 0: not present. Returns how many bytes they cover; 0: no memory for a table. */
uint64_t radix_set(const struct radix *r, uint64_t at, uint64_t size, uint64_t leaf);
/* Set all pages of a range. -EEXIST: the range has a page already. -ENOMEM: no memory for a table;
 * a part of the range may be mapped and cached, so the caller clears the range. */
MUST_CHECK int radix_map(const struct radix *r, uint64_t at, uint64_t size, uint64_t leaf);

struct radix_range {
    uint64_t first, end;
};
/* Take out every page of [first, end). Returns the range to flush: it is wider where a large page
 * was split, as that page may be cached whole. */
struct radix_range radix_clear(const struct radix *r, uint64_t first, uint64_t end);
