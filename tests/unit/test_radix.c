/* SPDX-License-Identifier: MIT */
/*
 * The tree of translation tables, against a plain array of what each page should say. The walker
 * here is written from the manual; the hardware that needs each change published is modelled by a
 * copy of every table, which changes only when the tree publishes.
 * Spec: SDM "4-Level Paging and 5-Level Paging", VT-d "Second-Stage Translation".
 */
// sources: arch/radix.c
#include "arch/radix.h"
#include "arch/page.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>

#define K4      UINT64_C(0x1000)
#define M2      UINT64_C(0x200000)
#define G1      UINT64_C(0x40000000)
#define R       UINT64_C(1)
#define RW      UINT64_C(3)
#define HIGH    BIT(63) /* a bit above the address, as NX */
#define ADDRESS UINT64_C(0xffffffffff000)

/* --- Memory, and what the hardware sees of it ------------------------------------------------- */

static struct table {
    uint64_t *page, seen[512];
    bool published; /* whole, since it was allocated */
} tables[64];
static unsigned table_count, pages_left;
static int pages_out;

static struct table *table_at(const void *p)
{
    for (unsigned i = 0; i < table_count; i++)
        if (tables[i].page == (uint64_t *)((uintptr_t)p & ~(K4 - 1)))
            return &tables[i];
    fail_msg("no table");
    return NULL;
}

void *page_alloc(void)
{
    if (pages_left == 0 || table_count == ARRAY_COUNT(tables))
        return NULL;
    pages_left--;
    pages_out++;
    uint64_t *page = memset(aligned_alloc(K4, K4), 0, K4);
    tables[table_count++] = (struct table){.page = page};
    return page;
}

void page_free(void *page)
{
    pages_out--;
    free(page);
}

/* INVARIANT: an entry that the hardware sees names only a table that it sees whole. */
static void publish(const void *p, size_t size)
{
    struct table *t = table_at(p);
    unsigned first = (uintptr_t)p % K4 / 8;
    assert_true(size == K4 || size == 8);
    t->published |= size == K4;
    assert_true(t->published);
    memcpy(&t->seen[first], p, size);
    for (unsigned i = first; i < first + size / 8; i++)
        if (t->seen[i] & ADDRESS && t->seen[i] & BIT(62)) {
            const struct table *below = table_at((void *)(t->seen[i] & ADDRESS));
            assert_true(below->published);
            assert_memory_equal(below->seen, below->page, K4);
        }
}

/* BIT(62) is in no leaf here: `publish` knows by it which entries name tables. */
#define PRESENT (RW | BIT(62))

static struct radix tree;

FIXTURE(start)
{
    pages_left = 1000;
    table_count = 0;
    pages_out = 0;
    tree = (struct radix){
        .levels = 4, .pages_2m = true, .pages_1g = true, .present = PRESENT, .publish = publish};
    return radix_init(&tree);
}

FIXTURE(end)
{
    radix_free(&tree);
    return pages_out;
}

/* What the hardware finds for `at`: the entry less the leaf bit, moved on to the page of 4 KiB. */
static uint64_t seen(uint64_t at, uint64_t *size)
{
    const uint64_t *entries = table_at(tree.root)->seen;
    for (unsigned shift = 12 + 9 * (tree.levels - 1);; shift -= 9) {
        uint64_t entry = entries[at >> shift & 511];
        *size = UINT64_C(1) << shift;
        if (!(entry & RW))
            return 0;
        if (shift == 12)
            return entry;
        if (entry & 0x80) {
            assert_true(shift == 21 || shift == 30);
            assert_int_equal(entry & ADDRESS & (*size - 1), 0);
            return (entry & ~UINT64_C(0x80)) + (at & (*size - 1) & ADDRESS);
        }
        assert_int_equal(entry & ~ADDRESS, PRESENT);
        entries = table_at((void *)(entry & ADDRESS))->seen;
    }
}

static void assert_says(uint64_t at, uint64_t leaf, uint64_t page_size)
{
    uint64_t size;
    assert_int_equal(seen(at, &size), leaf);
    assert_int_equal(size, page_size);
    unsigned level;
    uint64_t entry = radix_walk(&tree, at, &level);
    assert_int_equal(RADIX_SPAN(level), page_size);
    assert_int_equal(radix_target(entry, at + 5, level).v, (leaf & ADDRESS) + 5);
    assert_int_equal(radix_after(at, level), at / page_size * page_size + page_size);
}

static void assert_absent(uint64_t at)
{
    uint64_t size;
    assert_int_equal(seen(at, &size), 0);
    assert_false(radix_find(&tree, &at, at + 1, &(unsigned){0}));
}

/* --- Mapping ---------------------------------------------------------------------------------- */

TEST(largest_page_that_fits)
{
    assert_int_equal(radix_map(&tree, M2 - K4, 2 * G1 + K4, (5 * G1 + M2 - K4) | R | HIGH), 0);
    assert_says(M2 - K4, (5 * G1 + M2 - K4) | R | HIGH, K4);
    assert_says(M2, (5 * G1 + M2) | R | HIGH, M2);
    assert_says(G1 + 7 * K4, (6 * G1 + 7 * K4) | R | HIGH, G1);
    assert_says(2 * G1, 7 * G1 | R | HIGH, M2);
    assert_absent(2 * G1 + M2);
    assert_absent(M2 - 2 * K4);
    assert_int_equal(radix_map(&tree, 4 * M2 + 4 * G1, M2, (4 * M2 + K4) | RW), 0);
    assert_says(4 * M2 + 4 * G1, (4 * M2 + K4) | RW, K4); /* aligned differently */
}

TEST(only_pages_that_the_hardware_knows)
{
    tree.pages_1g = false;
    assert_int_equal(radix_map(&tree, G1, G1, G1 | R), 0);
    assert_says(G1, G1 | R, M2);
    tree.pages_2m = false;
    assert_int_equal(radix_map(&tree, 2 * G1, M2, 2 * G1 | R), 0);
    assert_says(2 * G1, 2 * G1 | R, K4);
}

TEST(taken_is_refused)
{
    assert_int_equal(radix_map(&tree, G1, M2, G1 | R), 0);
    assert_int_equal(radix_map(&tree, G1 + K4, K4, 9 * G1 | R), -EEXIST);
    assert_int_equal(radix_map(&tree, 0, 4 * G1, 8 * G1 | R), -EEXIST);
    assert_says(G1, G1 | R, M2);
    assert_absent(0);
    assert_int_equal(radix_map(&tree, G1 - K4, K4, 9 * G1 | R), 0);
    assert_int_equal(radix_map(&tree, G1 + M2, K4, 9 * G1 | R), 0);
}

TEST(without_memory_a_part_can_be_taken_out)
{
    for (unsigned pages = 0; pages < 5; pages++) {
        pages_left = pages;
        int err = radix_map(&tree, G1 - K4, 2 * K4, (G1 - K4) | R);
        if (err == 0) {
            assert_int_equal(pages, 3); /* tables of the tries before are still there */
            return;
        }
        assert_int_equal(err, -ENOMEM);
        radix_clear(&tree, G1 - K4, G1 + K4);
        assert_absent(G1 - K4);
        assert_absent(G1);
    }
    fail();
}

TEST(trees_of_three_to_five_levels)
{
    for (unsigned levels = 3; levels <= 5; levels++) {
        radix_free(&tree);
        table_count = 0;
        tree.levels = levels;
        assert_int_equal(radix_init(&tree), 0);
        uint64_t last = RADIX_SPAN(levels + 1) - K4, entries[5];
        assert_int_equal(radix_path(&tree, last, entries), 1);
        assert_int_equal(entries[0], 0);
        assert_int_equal(radix_map(&tree, last, K4, 3 * K4 | R), 0);
        assert_says(last, 3 * K4 | R, K4);
        assert_int_equal(radix_path(&tree, last, entries), levels);
        assert_int_equal(entries[levels - 1], 3 * K4 | R);
        assert_int_equal(radix_map(&tree, 0, G1, R), 0);
        assert_int_equal(radix_path(&tree, 0, entries), levels - 2);
    }
}

/* --- Changing --------------------------------------------------------------------------------- */

TEST(a_large_page_changes_in_one_piece_or_is_split)
{
    assert_int_equal(radix_map(&tree, G1, G1, G1 | RW | HIGH), 0);
    int before = pages_out;
    assert_int_equal(radix_set(&tree, G1, G1 + M2, G1 | R), G1);
    assert_says(G1, G1 | R, G1);
    assert_absent(2 * G1);
    assert_int_equal(pages_out, before);

    assert_int_equal(radix_set(&tree, G1 + M2 + K4, 4 * K4, (G1 + M2 + K4) | RW), 4 * K4);
    assert_int_equal(pages_out, before + 2);
    assert_says(G1, G1 | R, M2);
    assert_says(G1 + M2, (G1 + M2) | R, K4);
    for (unsigned i = 1; i <= 4; i++)
        assert_says(G1 + M2 + i * K4, (G1 + M2 + i * K4) | RW, K4);
    assert_says(G1 + M2 + 5 * K4, (G1 + M2 + 5 * K4) | R, K4);

    /* a table stands: it is used, to its end */
    assert_int_equal(radix_set(&tree, G1 + M2, 2 * M2, (G1 + M2) | RW), M2);
    assert_says(G1 + 2 * M2 - K4, (G1 + 2 * M2 - K4) | RW, K4);
    assert_says(G1 + 2 * M2, (G1 + 2 * M2) | R, M2);
    assert_int_equal(radix_set(&tree, G1, G1, G1 | RW), M2); /* and the pages before it */
    assert_int_equal(radix_set(&tree, G1, M2, 0), M2);
    assert_absent(G1);
    assert_int_equal(radix_set(&tree, G1 + 2 * M2, G1, 0), G1 - 2 * M2);
    assert_absent(2 * G1 - K4);
}

TEST(no_memory_to_split_leaves_the_page)
{
    assert_int_equal(radix_map(&tree, G1, M2, G1 | RW), 0);
    pages_left = 0;
    assert_int_equal(radix_set(&tree, G1 + K4, K4, 0), 0);
    assert_says(G1 + K4, (G1 + K4) | RW, M2);
}

static void assert_clears(uint64_t first, uint64_t last, uint64_t flush_first, uint64_t flush_last)
{
    struct radix_range flush = radix_clear(&tree, first, last);
    assert_int_equal(flush.first, flush_first);
    assert_int_equal(flush.end, flush_last);
    for (uint64_t at = first; at < last; at += K4)
        assert_absent(at);
}

TEST(clear_names_what_was_cached)
{
    assert_clears(K4, M2, K4, M2); /* nothing there */
    assert_int_equal(radix_map(&tree, G1, G1 + 2 * M2, G1 | R), 0);
    assert_clears(2 * G1 + M2 - K4, 2 * G1 + M2 + K4, 2 * G1, 2 * G1 + 2 * M2);
    assert_says(2 * G1, 2 * G1 | R, K4);
    assert_clears(2 * G1 + K4, 2 * G1 + 2 * K4, 2 * G1 + K4, 2 * G1 + 2 * K4);
    assert_clears(G1 + M2, G1 + 2 * M2, G1, 2 * G1);
    assert_says(G1, G1 | R, M2);
    assert_says(G1 + 2 * M2, (G1 + 2 * M2) | R, M2);
}

TEST(clear_without_memory_takes_more)
{
    assert_int_equal(radix_map(&tree, G1, 2 * M2, G1 | R), 0);
    pages_left = 0;
    stub_log_clear();
    assert_clears(G1 + K4, G1 + 2 * K4, G1, G1 + M2);
    assert_absent(G1);
    assert_says(G1 + M2, (G1 + M2) | R, M2);
    assert_non_null(strstr(stub_log, "radix: no page to split 0x40000000: unmapped as a whole"));
}

TEST(finds_in_order)
{
    const uint64_t starts[] = {K4, M2, 3 * G1};
    assert_int_equal(radix_map(&tree, K4, K4, 7 * K4 | R), 0);
    assert_int_equal(radix_map(&tree, M2, M2, M2 | R), 0);
    assert_int_equal(radix_map(&tree, 3 * G1, G1, 4 * G1 | R), 0);
    uint64_t at = 0;
    unsigned level;
    for (unsigned i = 0; i < 3; i++, at = radix_after(at, level)) {
        assert_true(radix_find(&tree, &at, BIT(48), &level));
        assert_int_equal(at, starts[i]);
        assert_int_equal(level, i + 1);
    }
    assert_false(radix_find(&tree, &at, BIT(48), &level));
    at = M2 + 3 * K4; /* in the middle of a page: stays */
    assert_true(radix_find(&tree, &at, at + 1, &level));
    assert_int_equal(at, M2 + 3 * K4);
    at = 2 * K4;
    assert_false(radix_find(&tree, &at, M2, &level)); /* the end is not in the range */
}

TEST(a_run_goes_over_pages_and_tables)
{
    assert_int_equal(radix_map(&tree, M2 - K4, 2 * G1 + K4, (5 * G1 + M2 - K4) | R | HIGH), 0);
    uint64_t at = 0, size;
    assert_int_equal(radix_run(&tree, &at, BIT(48), &size), (5 * G1 + M2 - K4) | R | HIGH);
    assert_int_equal(at, M2 - K4);
    assert_int_equal(size, 2 * G1 + K4);
    at = G1 + 7 * K4; /* in the middle of a page of 1 GiB, and no further than asked for */
    assert_int_equal(radix_run(&tree, &at, G1 + 9 * K4, &size), (6 * G1 + 7 * K4) | R | HIGH);
    assert_int_equal(size, 2 * K4);
    at = 3 * G1;
    assert_int_equal(radix_run(&tree, &at, BIT(48), &size), 0);
}

/* --- Anything, in any order, on both sides of a border of 1 GiB ------------------------------- */

#define WINDOW (G1 - 2 * M2)
#define PAGES  (4 * 512)
static uint64_t want[PAGES];

static void fill(unsigned first, unsigned count, uint64_t leaf)
{
    for (unsigned i = 0; i < count; i++)
        want[first + i] = leaf ? leaf + i * K4 : 0;
}

static bool is_free(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (want[first + i])
            return false;
    return true;
}

static void change_something(void)
{
    unsigned grain = rand() % 2 ? 1 : 512;
    unsigned first = rand() % (PAGES / grain) * grain;
    unsigned count = (1 + rand() % ((PAGES - first) / grain)) * grain;
    uint64_t at = WINDOW + first * K4, size = count * K4;
    uint64_t leaf = (8 * G1 + at + (rand() % 3 ? 0 : K4)) | (rand() % 2 ? R : RW | HIGH);
    switch (rand() % 3) {
    case 0:
        radix_clear(&tree, at, at + size);
        fill(first, count, 0);
        break;
    case 1:
        assert_int_equal(radix_map(&tree, at, size, leaf), is_free(first, count) ? 0 : -EEXIST);
        if (is_free(first, count))
            fill(first, count, leaf);
        break;
    case 2:
        for (uint64_t done = 0, page; done < size; done += page) {
            page = radix_set(&tree, at + done, size - done, leaf + done);
            assert_in_range(page, K4, size - done);
        }
        fill(first, count, leaf);
    }
}

/* One run after the other, each as long as the array goes on, and nothing between them. */
static void assert_runs(void)
{
    uint64_t at = WINDOW, size, entry, end = WINDOW + PAGES * K4;
    unsigned next = 0;
    while ((entry = radix_run(&tree, &at, end, &size))) {
        unsigned i = (at - WINDOW) / K4, count = size / K4;
        assert_true(i >= next && is_free(next, i - next) && size && i + count <= PAGES);
        for (unsigned n = 0; n < count; n++)
            assert_int_equal(want[i + n], entry + n * K4);
        next = i + count;
        assert_true(next == PAGES || want[next] != entry + size);
        at += size;
    }
    assert_true(is_free(next, PAGES - next));
}

TEST(agrees_with_a_plain_array)
{
    srand(1);
    fill(0, PAGES, 0);
    for (unsigned n = 0; n < 300; n++) {
        if (n % 30 == 0) { /* empty tables would stay, and no large page come again */
            radix_free(&tree);
            table_count = 0;
            assert_int_equal(radix_init(&tree), 0);
            fill(0, PAGES, 0);
        }
        change_something();
        uint64_t size;
        for (unsigned i = 0; i < PAGES; i++)
            assert_int_equal(seen(WINDOW + i * K4, &size), want[i]);
        assert_runs();
        assert_absent(WINDOW - K4);
        assert_absent(WINDOW + PAGES * K4);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, end)
    const struct CMUnitTest tests[] = {
        T(largest_page_that_fits),
        T(only_pages_that_the_hardware_knows),
        T(taken_is_refused),
        T(without_memory_a_part_can_be_taken_out),
        T(trees_of_three_to_five_levels),
        T(a_large_page_changes_in_one_piece_or_is_split),
        T(no_memory_to_split_leaves_the_page),
        T(clear_names_what_was_cached),
        T(clear_without_memory_takes_more),
        T(finds_in_order),
        T(a_run_goes_over_pages_and_tables),
        T(agrees_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
