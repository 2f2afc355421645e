/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables: what the CPU would find when it walks them, against a plain list of what
 * was asked for. The walker here is written from the manual and shares nothing with vmx/ept.c.
 * Spec: SDM "The Extended Page Table Mechanism (EPT)", "EPT Translation Mechanism".
 */
// sources: vmx/ept.c arch/radix.c
#include "arch/leaks.h"
#include "arch/page.h"
#include "tests/unit/test.h"
#include "vmx/vmcs.h"
#include <stdlib.h>
#include <string.h>
#include "vmx/ept.h"
#include "vmx/ept_flush.h"
#include "vmx/caps.h"

struct vmx_caps vmx_caps;
uint32_t leaks_guards;
static struct ept *ept;
static int pages_left, pages_out;
static unsigned flushes;

void *page_alloc(void)
{
    if (pages_left == 0)
        return NULL;
    pages_left--;
    pages_out++;
    return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}
void page_free(void *page)
{
    pages_out--;
    free(page);
}
void ept_flush(struct ept *e)
{
    assert_ptr_equal(e, ept);
    flushes++;
}

FIXTURE(create)
{
    vmx_caps.ept_2m = vmx_caps.ept_1g = true;
    pages_left = 10000;
    pages_out = 0;
    flushes = 0;
    ept = ept_create();
    return ept == NULL;
}

FIXTURE(destroy)
{
    ept_destroy(ept);
    return pages_out;
}

/* Leaf entry for `at` and the size that it covers; 0: the walk ends before. */
static uint64_t walk(uint64_t at, uint64_t *size)
{
    uint64_t eptp = ept_pointer(ept);
    assert_int_equal(eptp & 7, 6);      /* write-back */
    assert_int_equal(eptp >> 3 & 7, 3); /* four levels */
    uint64_t table = eptp & UINT64_C(0xffffffffff000);
    for (int shift = 39;; shift -= 9) {
        uint64_t entry = ((uint64_t *)table)[at >> shift & 511];
        *size = UINT64_C(1) << shift;
        if (!(entry & 7))
            return 0;
        if (shift == 12 || (entry & 0x80)) {
            assert_true(shift <= 30);
            assert_int_equal(entry & (*size - 1) & UINT64_C(0xffffffffff000), 0);
            return entry;
        }
        assert_int_equal(entry & 0x78, 0); /* reserved in entries that name a table */
        table = entry & UINT64_C(0xffffffffff000);
    }
}

static void assert_maps(uint64_t at, uint64_t to, unsigned perm, unsigned type, uint64_t page_size)
{
    uint64_t size, entry = walk(at, &size);
    assert_int_equal(size, page_size);
    assert_int_equal(entry & 7, perm);
    assert_int_equal(entry >> 3 & 7, type);
    assert_int_equal((entry & UINT64_C(0xffffffffff000)) + (at & (size - 1)), to);
    hpa_t got;
    unsigned got_perm;
    enum ept_type got_type;
    assert_true(ept_translate(ept, gpa(at), &got, &got_perm, &got_type));
    assert_int_equal(got.v, to);
    assert_int_equal(got_perm, perm);
    assert_int_equal(got_type, type);
}

static void assert_absent(uint64_t at)
{
    uint64_t size;
    hpa_t to;
    unsigned perm;
    enum ept_type type;
    assert_int_equal(walk(at, &size), 0);
    assert_false(ept_translate(ept, gpa(at), &to, &perm, &type));
}

static int map(uint64_t at, uint64_t to, uint64_t size)
{
    return ept_map(ept, gpa(at), hpa(to), size, EPT_PERM_ALL, EPT_WB);
}

#define K4 UINT64_C(0x1000)
#define M2 UINT64_C(0x200000)
#define G1 UINT64_C(0x40000000)

TEST(largest_page_that_fits)
{
    assert_int_equal(map(M2 - K4, 5 * G1 + M2 - K4, 2 * G1 + K4), 0);
    assert_maps(M2 - K4, 5 * G1 + M2 - K4, 7, 6, K4);
    assert_maps(M2, 5 * G1 + M2, 7, 6, M2);
    assert_maps(G1 + 5, 6 * G1 + 5, 7, 6, G1);
    assert_maps(2 * G1, 7 * G1, 7, 6, M2);
    assert_maps(2 * G1 + M2 - 1, 7 * G1 + M2 - 1, 7, 6, M2);
    assert_absent(2 * G1 + M2);
    assert_absent(M2 - 2 * K4);
}

TEST(only_pages_that_the_cpu_has)
{
    ept_destroy(ept);
    vmx_caps.ept_1g = false;
    ept = ept_create();
    assert_int_equal(map(G1, G1, G1), 0);
    assert_maps(G1, G1, 7, 6, M2);
    ept_destroy(ept);
    vmx_caps.ept_2m = false;
    ept = ept_create();
    assert_int_equal(map(2 * G1, 2 * G1, M2), 0);
    assert_maps(2 * G1, 2 * G1, 7, 6, K4);
}

/* iTLB multihit: a large page from which a guest can execute may halt the machine. Registers of a
 * device are never executed. */
TEST(small_pages_where_a_guest_executes)
{
    leaks_guards = LEAKS_SMALL;
    assert_int_equal(map(G1, G1, G1 + M2), 0);
    assert_maps(G1, G1, 7, 6, K4);
    assert_maps(2 * G1 + M2 - K4, 2 * G1 + M2 - K4, 7, 6, K4);
    assert_int_equal(
        ept_map(ept, gpa(4 * G1), hpa(4 * G1), G1 + M2, EPT_PERM_READ | EPT_PERM_WRITE, EPT_UC), 0);
    leaks_guards = 0;
    assert_maps(4 * G1, 4 * G1, 3, 0, G1);
    assert_maps(5 * G1, 5 * G1, 3, 0, M2);
}

/* gpa and hpa must be aligned alike for a large page. */
TEST(misaligned_to_each_other)
{
    assert_int_equal(map(4 * M2, 4 * M2 + K4, M2), 0);
    assert_maps(4 * M2, 4 * M2 + K4, 7, 6, K4);
    assert_maps(5 * M2 - K4, 5 * M2, 7, 6, K4);
}

TEST(rights_and_types)
{
    for (unsigned perm = 1; perm < 8; perm++) {
        assert_int_equal(ept_map(ept, gpa(perm * K4), hpa(K4), K4, perm, EPT_UC), 0);
        assert_maps(perm * K4, K4, perm, 0, K4);
    }
    assert_int_equal(ept_map(ept, gpa(G1), hpa(K4), K4, 0, EPT_UC), -EINVAL);
}

TEST(refuses_what_is_taken_or_impossible)
{
    assert_int_equal(map(G1, G1, M2), 0);
    assert_int_equal(map(G1 + K4, 9 * G1, K4), -EEXIST);
    assert_int_equal(map(G1 - K4, 9 * G1, 2 * K4), -EEXIST);
    assert_int_equal(map(0, 8 * G1, 4 * G1), -EEXIST);
    assert_maps(G1, G1, 7, 6, M2);
    assert_absent(G1 - K4); /* nothing of a refused range */
    assert_absent(0);
    assert_int_equal(map(G1 + 1, 0, K4), -EINVAL);
    assert_int_equal(map(UINT64_C(1) << 48, 0, K4), -EINVAL);
    assert_int_equal(map((UINT64_C(1) << 48) - K4, 0, 2 * K4), -EINVAL);
    assert_int_equal(map((UINT64_C(1) << 48) - K4, 0, K4), 0);
}

TEST(out_of_memory_leaves_nothing)
{
    for (int pages = 0; pages < 6; pages++) {
        pages_left = pages;
        uint64_t before = ept->generation;
        if (map(G1 - K4, G1 - K4, 2 * K4) == 0)
            return;
        assert_int_equal(ept->generation, before + 1); /* a CPU in the guest may have seen a part */
        assert_int_equal(flushes, pages + 1);
        assert_absent(G1 - K4);
        assert_absent(G1);
    }
    fail();
}

TEST(unmap_splits)
{
    assert_int_equal(map(G1, 8 * G1, G1), 0);
    ept_unmap(ept, gpa(G1 + M2 + K4), K4);
    assert_int_equal(flushes, 1);
    assert_maps(G1, 8 * G1, 7, 6, M2);
    assert_maps(G1 + M2, 8 * G1 + M2, 7, 6, K4);
    assert_absent(G1 + M2 + K4);
    assert_maps(G1 + M2 + 2 * K4, 8 * G1 + M2 + 2 * K4, 7, 6, K4);
    assert_maps(2 * G1 - 1, 9 * G1 - 1, 7, 6, M2);
    ept_unmap(ept, gpa(0), 3 * G1); /* holes, and borders beyond what is mapped */
    for (uint64_t at = 0; at < 3 * G1; at += M2)
        assert_absent(at);
    assert_int_equal(map(G1 + M2 + K4, 0, K4), 0);
}

TEST(without_memory_to_split_more_goes)
{
    assert_int_equal(map(G1, 8 * G1, G1), 0);
    pages_left = 0;
    ept_unmap(ept, gpa(G1 + M2), K4);
    assert_absent(G1 + M2); /* what had to go is gone, whatever else */
}

TEST(every_unmap_counts)
{
    uint64_t before = ept->generation;
    assert_int_equal(map(0, 0, K4), 0);
    assert_int_equal(ept->generation, before); /* new mappings need no flush */
    ept_unmap(ept, gpa(0), K4);
    assert_int_equal(ept->generation, before + 1);
}

static struct {
    uint64_t at, to, size;
} visited[8];
static unsigned visited_count, visit_limit;

static bool visit(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type)
{
    assert_ptr_equal(ctx, &visited);
    assert_int_equal(perm, 7);
    assert_int_equal(type, EPT_WB);
    visited[visited_count].at = at.v;
    visited[visited_count].to = to.v;
    visited[visited_count].size = size;
    return ++visited_count < visit_limit;
}

TEST(visits_in_order)
{
    assert_int_equal(map(3 * G1, 4 * G1, G1), 0);
    assert_int_equal(map(M2, M2, M2), 0);
    assert_int_equal(map(K4, 7 * K4, K4), 0);
    visited_count = 0;
    visit_limit = 8;
    ept_visit(ept, visit, &visited);
    assert_int_equal(visited_count, 3);
    assert_true(visited[0].at == K4 && visited[0].to == 7 * K4 && visited[0].size == K4);
    assert_true(visited[1].at == M2 && visited[1].size == M2);
    assert_true(visited[2].at == 3 * G1 && visited[2].to == 4 * G1 && visited[2].size == G1);
    visited_count = 0;
    visit_limit = 2;
    ept_visit(ept, visit, &visited);
    assert_int_equal(visited_count, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, create, destroy)
    const struct CMUnitTest tests[] = {
        T(largest_page_that_fits),
        T(only_pages_that_the_cpu_has),
        T(small_pages_where_a_guest_executes),
        T(misaligned_to_each_other),
        T(rights_and_types),
        T(refuses_what_is_taken_or_impossible),
        T(out_of_memory_leaves_nothing),
        T(unmap_splits),
        T(without_memory_to_split_more_goes),
        T(every_unmap_counts),
        T(visits_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
