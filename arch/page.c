/* SPDX-License-Identifier: MIT */
/*
 * The owner of each page of RAM: two bitmaps over all pages, "free" and "guest". First fit.
 * From: boot/main.c (page_init), everywhere (page_alloc).   To: arch/panic.c (a page freed twice).
 * INVARIANT: a page is given out only if the boot loader calls it usable, and nothing that was in
 * memory at boot lies in it.
 */
#include "arch/page.h"
#include "arch/layout.h"
#include "arch/panic.h"
#include "arch/spinlock.h"
#include "arch/time.h"
#include "lib/bits.h"
#include "lib/string.h"
#define LOG "page"
#include "arch/log.h"

#define FIRST_MIB   (UINT64_C(1) << 20)
#define LOW_RAM_END UINT64_C(0xa0000) /* above it, up to 1 MiB: the display and the firmware */

static struct pages {
    const struct boot_info *info;
    uint64_t count; /* pages from address 0 to the end of RAM: bits in each map */
    uint64_t *free_map, *guest_map;
    size_t free_count;
    uint64_t lowest; /* no page below this one is free */
    struct spinlock lock;
} pages = {.lock.name = "pages"};

struct span {
    uint64_t base, size;
};

static void *cleared(hpa_t base, uint64_t size)
{
    uint64_t since = rdtsc();
    void *memory = memset(hpa_ptr(base), 0, size);
    (void)time_spent(TIME_MEMORY, since);
    return memory;
}

/* page_keep(), page_claim() */
static struct {
    struct span span;
    bool taken;
} kept;

void page_keep(hpa_t base, uint64_t size) { kept.span = (struct span){base.v, size}; }

/* The functions below take a word of the map at a time: there are machines with many terabytes. */

/* Make [first, first + count) `on`; how many were not. */
static uint64_t map_fill(uint64_t *map, uint64_t first, uint64_t count, bool on)
{
    uint64_t changed = 0, part;
    for (uint64_t n = first; n < first + count; n += part) {
        part = MIN(first + count - n, 64 - n % 64);
        uint64_t *word = &map[n / 64], mask = UINT64_MAX >> (64 - part) << n % 64;
        uint64_t change = (on ? ~*word : *word) & mask;
        *word ^= change;
        if (change == mask)
            changed += part;
        else
            for (; change; change &= change - 1)
                changed++;
    }
    return changed;
}

/* How many from `first` on are `on`, at most `count`. */
static uint64_t map_run(const uint64_t *map, uint64_t first, uint64_t count, bool on)
{
    uint64_t n = first;
    while (n < first + count) {
        uint64_t others = (on ? ~map[n / 64] : map[n / 64]) >> n % 64;
        n += others ? (uint64_t)__builtin_ctzll(others) : 64 - n % 64;
        if (others)
            break;
    }
    return MIN(n - first, count);
}

/* Whole pages only: a page of which a part is not usable stays out. */
static void free_add(uint64_t base, uint64_t size)
{
    uint64_t first = ALIGN_UP(base, PAGE_SIZE) / PAGE_SIZE, end = (base + size) / PAGE_SIZE;
    if (first < end)
        pages.free_count += map_fill(pages.free_map, first, end - first, true);
}

/* Every page that [base, base + size) touches. */
static void free_remove(uint64_t base, uint64_t size)
{
    uint64_t end = MIN(ALIGN_UP(base + size, PAGE_SIZE) / PAGE_SIZE, pages.count);
    uint64_t first = MIN(base / PAGE_SIZE, end);
    pages.free_count -= map_fill(pages.free_map, first, end - first, false);
}

/* The n-th span that is in use although the boot loader calls it usable. False: no more. */
static bool used_span(const struct boot_info *info, size_t n, struct span *out)
{
    const struct span fixed[] = {
        {(uintptr_t)image_start, (uintptr_t)image_end - (uintptr_t)image_start},
        {info->info_base.v, info->info_size},
        {(uintptr_t)info->symtab, info->symtab_size},
        {(uintptr_t)info->strtab, info->strtab_size},
        kept.span,
    };
    if (n < ARRAY_COUNT(fixed)) {
        *out = fixed[n];
        return true;
    }
    n -= ARRAY_COUNT(fixed);
    if (n >= info->module_count)
        return false;
    *out = (struct span){(uintptr_t)info->modules[n].data, info->modules[n].size};
    return true;
}

/* The end of the first used span that overlaps [base, base + size); base: there is none. */
static uint64_t pushed_up(const struct boot_info *info, uint64_t base, uint64_t size)
{
    struct span s;
    for (size_t n = 0; used_span(info, n, &s); n++)
        if (s.size > 0 && ranges_overlap(base, size, s.base, s.size))
            return ALIGN_UP(s.base + s.size, PAGE_SIZE);
    return base;
}

/* Find room for the two bitmaps below 4 GiB: boot/header.asm has mapped no more. 0: no room. */
static uint64_t place_maps(const struct boot_info *info, uint64_t size)
{
    for (size_t i = 0; i < info->range_count; i++) {
        const struct boot_range *r = &info->ranges[i];
        uint64_t end = MIN(r->base.v + r->size, UINT64_C(4) << 30);
        uint64_t base = ALIGN_UP(MAX(r->base.v, FIRST_MIB), PAGE_SIZE), next;
        for (; r->usable && base < end && end - base >= size; base = next) {
            next = pushed_up(info, base, size);
            if (next == base)
                return base;
        }
    }
    return 0;
}

static uint64_t end_of_ram(const struct boot_info *info)
{
    uint64_t end = 0;
    for (size_t i = 0; i < info->range_count; i++)
        if (info->ranges[i].usable)
            end = MAX(end, info->ranges[i].base.v + info->ranges[i].size);
    return end;
}

int page_init(const struct boot_info *info)
{
    pages = (struct pages){.info = info, .count = end_of_ram(info) / PAGE_SIZE};
    uint64_t map_size = ALIGN_UP(ALIGN_UP(pages.count, 64) / 8, PAGE_SIZE);
    uint64_t base = place_maps(info, 2 * map_size);
    if (base == 0)
        return FAIL(ENOMEM, "no room for the page maps below 4 GiB: size=0x%lx", 2 * map_size);
    pages.free_map = cleared(hpa(base), 2 * map_size);
    pages.guest_map = pages.free_map + map_size / 8;
    for (size_t i = 0; i < info->range_count; i++)
        if (info->ranges[i].usable)
            free_add(info->ranges[i].base.v, info->ranges[i].size);
    for (size_t i = 0; i < info->range_count; i++)
        if (!info->ranges[i].usable) /* where ranges overlap, "not usable" wins */
            free_remove(info->ranges[i].base.v, info->ranges[i].size);
    struct span s;
    for (size_t n = 0; used_span(info, n, &s); n++)
        free_remove(s.base, s.size);
    free_remove(0, FIRST_MIB);
    free_remove(base, 2 * map_size);
    log_info("ram_end=0x%lx free=%luM", pages.count * PAGE_SIZE,
             pages.free_count * PAGE_SIZE >> 20);
    return 0;
}

static bool spans_overlap(struct span a, struct span b)
{
    return a.size > 0 && b.size > 0 && ranges_overlap(a.base, a.size, b.base, b.size);
}

/* True: one usable range holds it, and nothing of it is also called not usable. */
static bool is_usable(struct span s)
{
    bool held = false;
    for (size_t i = 0; i < pages.info->range_count; i++) {
        const struct boot_range *r = &pages.info->ranges[i];
        if (r->usable)
            held |= s.base >= r->base.v && s.base + s.size <= r->base.v + r->size;
        else if (spans_overlap(s, (struct span){r->base.v, r->size}))
            return false;
    }
    return held;
}

hpa_t page_for_startup(void)
{
    for (uint64_t at = PAGE_SIZE; at < LOW_RAM_END; at += PAGE_SIZE)
        if (is_usable((struct span){at, PAGE_SIZE}) && pushed_up(pages.info, at, PAGE_SIZE) == at)
            return hpa(at);
    return hpa(0);
}

/* If [*at, *at + size) begins in page 0, copy it to pages above 1 MiB. */
static int leave_page_0(const void **at, uint64_t size)
{
    if (size == 0 || (uintptr_t)*at >= PAGE_SIZE)
        return 0;
    void *to = pages_alloc(ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE, PAGE_SIZE);
    if (!to)
        return FAIL(ENOMEM, "no room for %lu bytes that lie in page 0", size);
    log_info("0x%lx bytes move from page 0 to 0x%lx", size, ptr_hpa(to).v);
    *at = memcpy(to, *at, size);
    return 0;
}

int page_clear_0(struct boot_info *info)
{
    const void *names = info->strtab;
    int err = leave_page_0(&info->symtab, info->symtab_size);
    if (!err)
        err = leave_page_0(&names, info->strtab_size);
    info->strtab = names;
    for (size_t i = 0; i < info->module_count && !err; i++) {
        const void *data = info->modules[i].data;
        err = leave_page_0(&data, info->modules[i].size);
        info->modules[i].data = data;
    }
    return err;
}

int page_claim(hpa_t base, uint64_t size)
{
    struct span s, wanted = {base.v, size};
    if (base.v < kept.span.base || base.v + size > kept.span.base + kept.span.size ||
        !is_usable(wanted))
        return -EINVAL;
    for (size_t n = 0; used_span(pages.info, n, &s); n++)
        if (spans_overlap(s, wanted) && (s.base != kept.span.base || s.size != kept.span.size))
            return -EBUSY;
    spin_lock(&pages.lock);
    bool was_taken = kept.taken;
    kept.taken = true;
    spin_unlock(&pages.lock);
    if (was_taken)
        return -EBUSY;
    (void)cleared(base, size);
    return 0;
}

void page_unclaim(void) { kept.taken = false; }

/* The first of `count` free pages in a row, on an aligned border; 0: there are none. */
static uint64_t free_find(size_t count, uint64_t align_pages)
{
    uint64_t first = ALIGN_UP(pages.lowest, align_pages);
    while (first + count <= pages.count) {
        uint64_t run = map_run(pages.free_map, first, count, true);
        if (run == count)
            return first;
        first += run;
        first += map_run(pages.free_map, first, pages.count - first, false);
        first = ALIGN_UP(first, align_pages);
    }
    return 0;
}

void *pages_alloc(size_t count, uint64_t align)
{
    spin_lock(&pages.lock);
    uint64_t first =
        count > 0 && count <= pages.free_count ? free_find(count, align / PAGE_SIZE) : 0;
    if (first != 0) {
        free_remove(first * PAGE_SIZE, count * PAGE_SIZE);
        if (align == PAGE_SIZE && count == 1)
            pages.lowest = first + 1;
    }
    spin_unlock(&pages.lock);
    return first == 0 ? NULL : cleared(hpa(first * PAGE_SIZE), count * PAGE_SIZE);
}

void pages_free(void *first, size_t count)
{
    uint64_t n = (uintptr_t)first / PAGE_SIZE;
    spin_lock(&pages.lock);
    if (n + count > pages.count || map_fill(pages.free_map, n, count, true) != count)
        panic("0x%lx, %lu pages: freed, but not all are in use", n * PAGE_SIZE, count);
    map_fill(pages.guest_map, n, count, false);
    pages.free_count += count;
    pages.lowest = MIN(pages.lowest, n);
    spin_unlock(&pages.lock);
}

void *page_alloc(void) { return pages_alloc(1, PAGE_SIZE); }
void page_free(void *page) { pages_free(page, 1); }
size_t page_free_count(void) { return pages.free_count; }

static bool meets_range(hpa_t base, uint64_t size, bool usable)
{
    for (size_t i = 0; i < pages.info->range_count; i++) {
        const struct boot_range *r = &pages.info->ranges[i];
        if (r->usable == usable && size > 0 && ranges_overlap(base.v, size, r->base.v, r->size))
            return true;
    }
    return false;
}

bool page_is_ram(hpa_t base, uint64_t size) { return meets_range(base, size, true); }
bool page_is_reserved(hpa_t base, uint64_t size) { return meets_range(base, size, false); }

hpa_t page_ram_end(hpa_t below)
{
    uint64_t end = 0;
    for (size_t i = 0; i < pages.info->range_count; i++) {
        const struct boot_range *r = &pages.info->ranges[i];
        if (r->usable && r->base.v < below.v)
            end = MAX(end, MIN(r->base.v + r->size, below.v));
    }
    return hpa(end);
}

void page_mark_guest(hpa_t base, uint64_t size, bool guest)
{
    invariant(base.v + size <= pages.count * PAGE_SIZE);
    spin_lock(&pages.lock);
    map_fill(pages.guest_map, base.v / PAGE_SIZE, ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE, guest);
    spin_unlock(&pages.lock);
}

bool page_is_guest(hpa_t base, uint64_t size)
{
    uint64_t n = base.v / PAGE_SIZE, count = size / PAGE_SIZE;
    return n < pages.count && count <= pages.count - n &&
           map_run(pages.guest_map, n, count, true) == count;
}
