/* SPDX-License-Identifier: MIT */
/*
 * The extended page tables of one VM: guest-physical to host-physical, four levels, largest pages that
 * fit. Only the tables; what caches of them are left in CPUs is the business of vmx/ept_flush.c.
 * Pure, so tests/unit/test_ept.c runs this file on the host.
 * From: guest/core/memory.c (vm_map, vm_unmap).   To: vmx/vmcs.c (EPT_POINTER), vmx/exit/ept.c (violations).
 * Spec: SDM "The Extended Page Table Mechanism (EPT)".
 *
 * Memory types: RAM is WB and the guest's PAT may weaken it; registers of devices are UC, which the
 * guest can only turn into WC.
 */
#include "vmx/caps.h"
#include "vmx/ept_flush.h"
#define LOG "ept"
#include "arch/log.h"
#include "arch/page.h"

// clang-format off
#define EPT_READ            BIT(0)
#define EPT_WRITE           BIT(1)
#define EPT_EXEC            BIT(2)
#define EPT_PRESENT         BITS(2, 0)  /* any of them; none: not present */
#define EPT_MEMTYPE         BITS(5, 3)  /* leaf entries only */
#define EPT_LEAF            BIT(7)      /* at levels 2 and 3; entries of level 1 are always leaves */
#define EPT_ADDR            BITS(51, 12)
// clang-format on

#define LEVELS      4
#define ENTRIES     512
#define GPA_LIMIT   BIT(48)
#define SPAN(level) (PAGE_SIZE << 9 * ((level)-1)) /* what one entry of that level covers */

static bool is_present(uint64_t entry) { return entry & EPT_PRESENT; }

static bool is_leaf(uint64_t entry, unsigned level) { return level == 1 || (entry & EPT_LEAF); }

static uint64_t *table_of(uint64_t entry) { return hpa_ptr(hpa(entry & EPT_ADDR)); }

static unsigned index_of(uint64_t at, unsigned level) { return at / SPAN(level) % ENTRIES; }

struct ept *ept_create(void)
{
    struct ept *ept = page_alloc();
    if (!ept)
        return NULL;
    ept->root = page_alloc();
    if (!ept->root) {
        page_free(ept);
        return NULL;
    }
    return ept;
}

static void table_free(uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (is_present(table[i]) && !is_leaf(table[i], level))
            table_free(table_of(table[i]), level - 1);
    page_free(table);
}

void ept_destroy(struct ept *ept)
{
    table_free(ept->root, LEVELS);
    if (ept->apic_page)
        page_free(ept->apic_page);
    page_free(ept);
}

/* The lowest entry that the walk for `at` comes to: a leaf, or the one where it ends. */
static uint64_t *walk(const struct ept *ept, uint64_t at, unsigned *level)
{
    uint64_t *table = ept->root;
    for (*level = LEVELS;; --*level) {
        uint64_t *entry = &table[index_of(at, *level)];
        if (!is_present(*entry) || is_leaf(*entry, *level))
            return entry;
        table = table_of(*entry);
    }
}

/* Start of the entry after the one that holds `at`. */
static uint64_t after(uint64_t at, unsigned level)
{
    return ALIGN_DOWN(at, SPAN(level)) + SPAN(level);
}

static bool anything_mapped(const struct ept *ept, uint64_t at, uint64_t end)
{
    unsigned level;
    for (; at < end; at = after(at, level))
        if (is_present(*walk(ept, at, &level)))
            return true;
    return false;
}

static bool page_fits(uint64_t at, uint64_t to, uint64_t size, unsigned level)
{
    bool can = level == 1 || (level == 2 && vmx_caps.ept_2m) || (level == 3 && vmx_caps.ept_1g);
    return can && size >= SPAN(level) && IS_ALIGNED(at | to, SPAN(level));
}

/* One leaf for [at, ...), as large as fits; the size that it covers, 0: no memory for a table. */
static uint64_t map_one(struct ept *ept, uint64_t at, uint64_t to, uint64_t size, uint64_t rights)
{
    uint64_t *table = ept->root;
    for (unsigned level = LEVELS;; level--) {
        uint64_t *entry = &table[index_of(at, level)];
        if (!is_present(*entry)) {
            if (page_fits(at, to, size, level)) {
                atomic_store(entry, to | rights | (level > 1 ? EPT_LEAF : 0));
                return SPAN(level);
            }
            uint64_t *below = page_alloc();
            if (!below)
                return 0;
            /* The table is zero before the entry shows it to a CPU that walks here now. */
            atomic_store(entry, ptr_hpa(below).v | EPT_PRESENT);
        }
        table = table_of(*entry);
    }
}

static void take_out(struct ept *ept, uint64_t at, uint64_t end);

int ept_map(struct ept *ept, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type)
{
    uint64_t rights = FIELD_SET(EPT_MEMTYPE, type) | (perm & EPT_PERM_ALL);
    if (!IS_ALIGNED(at.v | to.v | size, PAGE_SIZE) || at.v >= GPA_LIMIT ||
        size > GPA_LIMIT - at.v || !is_present(rights))
        return -EINVAL;
    spin_lock(&ept->lock);
    int err = anything_mapped(ept, at.v, at.v + size) ? -EEXIST : 0;
    for (uint64_t done = 0; !err && done < size;) {
        uint64_t step = map_one(ept, at.v + done, to.v + done, size - done, rights);
        if (!step) {
            take_out(ept, at.v, at.v + done);
            err = -ENOMEM;
        }
        done += step;
    }
    spin_unlock(&ept->lock);
    return err;
}

/* Replace a large page by a table of 512 smaller ones that say the same. */
static int split(uint64_t *entry, unsigned level)
{
    uint64_t *below = page_alloc();
    if (!below)
        return -ENOMEM;
    uint64_t leaf = *entry & ~(level == 2 ? EPT_LEAF : 0);
    for (unsigned i = 0; i < ENTRIES; i++)
        below[i] = leaf + i * SPAN(level - 1);
    atomic_store(entry, ptr_hpa(below).v | EPT_PRESENT);
    return 0;
}

static void take_out(struct ept *ept, uint64_t at, uint64_t end)
{
    while (at < end) {
        unsigned level;
        uint64_t *entry = walk(ept, at, &level);
        uint64_t next = after(at, level);
        bool whole = IS_ALIGNED(at, SPAN(level)) && next <= end;
        if (is_present(*entry) && !whole) {
            if (split(entry, level) == 0)
                continue;
            /* Too much rather than too little: what the guest loses it will miss, and be stopped. */
            log_error("gpa=0x%llx: no page to split a mapping, it goes as a whole",
                      (unsigned long long)at);
        }
        atomic_store(entry, 0);
        at = next;
    }
}

void ept_unmap(struct ept *ept, gpa_t at, uint64_t size)
{
    spin_lock(&ept->lock);
    take_out(ept, at.v, at.v + size);
    atomic_fetch_add(&ept->generation, 1);
    spin_unlock(&ept->lock);
    ept_flush(ept);
}

static void leaf_decode(uint64_t entry, unsigned *perm, enum ept_type *type)
{
    *perm = entry & EPT_PERM_ALL;
    *type = (enum ept_type)FIELD_GET(EPT_MEMTYPE, entry);
}

bool ept_translate(const struct ept *ept, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *type)
{
    if (at.v >= GPA_LIMIT)
        return false;
    unsigned level;
    uint64_t entry = *walk(ept, at.v, &level);
    if (!is_present(entry))
        return false;
    *to = hpa((entry & EPT_ADDR & ~(SPAN(level) - 1)) + at.v % SPAN(level));
    leaf_decode(entry, perm, type);
    return true;
}

void ept_visit(const struct ept *ept,
               bool (*visit)(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                             enum ept_type type),
               void *ctx)
{
    unsigned level;
    for (uint64_t at = 0; at < GPA_LIMIT; at = after(at, level)) {
        uint64_t entry = *walk(ept, at, &level);
        unsigned perm;
        enum ept_type type;
        if (!is_present(entry))
            continue;
        leaf_decode(entry, &perm, &type);
        if (!visit(ctx, gpa(at), hpa(entry & EPT_ADDR & ~(SPAN(level) - 1)), SPAN(level), perm,
                   type))
            return;
    }
}

uint64_t ept_pointer(const struct ept *ept)
{
    return FIELD_SET(EPTP_MEMTYPE, EPT_WB) | FIELD_SET(EPTP_WALK_LENGTH, LEVELS - 1) |
           ptr_hpa(ept->root).v;
}

int ept_apic_page(struct ept *ept, hpa_t *page)
{
    if (!ept->apic_page)
        ept->apic_page = page_alloc();
    *page = ptr_hpa(ept->apic_page);
    return ept->apic_page ? 0 : -ENOMEM;
}
