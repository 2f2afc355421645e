/* SPDX-License-Identifier: MIT */
/*
 * The page allocator on a piece of this process's memory, low enough that its bitmaps stay small.
 */
// sources: arch/page.c
#include "arch/page.h"
#include "lib/bits.h"
#include "arch/layout.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <string.h>
#include <sys/mman.h>

#define RAM_BASE UINT64_C(0x10000000)
#define RAM_SIZE (UINT64_C(8) << 20)

/* The image, as linker.ld would name its borders, in the middle of RAM. */
asm(".globl image_start, text_end, rodata_end, image_end\n"
    "image_start = 0x10100000; text_end = 0x10101000; rodata_end = 0x10102000\n"
    "image_end = 0x10103000");

static struct boot_info info;

static void *at(uint64_t offset) { return (void *)(RAM_BASE + offset); }

FIXTURE(start)
{
    static bool mapped;
    if (!mapped) {
        void *ram = mmap(at(0), RAM_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        assert_ptr_equal(ram, at(0));
        mapped = true;
    }
    memset(at(0), 0xaa, RAM_SIZE);
    info = (struct boot_info){.range_count = 3, .module_count = 1};
    info.ranges[0] = (struct boot_range){hpa(RAM_BASE), RAM_SIZE, true};
    info.ranges[1] = (struct boot_range){hpa(RAM_BASE + 0x200000), 0x1800, false};
    info.ranges[2] = (struct boot_range){hpa(0), 0x9fc00, true};
    info.modules[0] = (struct boot_module){at(0x300800), 0x1000, ""}; /* touches two pages */
    info.info_base = hpa(RAM_BASE);
    info.info_size = 100;
    info.symtab = at(0x400000);
    info.symtab_size = 1;
    info.strtab = at(0x401000);
    info.strtab_size = 1;
    return page_init(&info);
}

static bool is_withheld(uint64_t page)
{
    static const uint64_t offsets[] = {0,        0x100000, 0x101000, 0x102000, 0x200000,
                                       0x201000, 0x300000, 0x301000, 0x400000, 0x401000};
    for (size_t i = 0; i < ARRAY_COUNT(offsets); i++)
        if (page == RAM_BASE + offsets[i])
            return true;
    return page < RAM_BASE || page >= RAM_BASE + RAM_SIZE;
}

TEST(withholds_what_is_used)
{
    size_t count = page_free_count(), taken = 0;
    uint8_t *page;
    while ((page = page_alloc()) != NULL) {
        assert_false(is_withheld((uintptr_t)page));
        assert_int_equal(page[0] | page[4095], 0);
        page[0] = 0x55;
        taken++;
    }
    assert_int_equal(taken, count);
    assert_int_equal(page_free_count(), 0);
    /* the ten used pages, and 2 bitmaps: a bit each for 65536 + 2048 pages, in whole pages */
    assert_int_equal(count, RAM_SIZE / PAGE_SIZE - 10 - 2 * 3);
}

TEST(gives_back_and_finds_again)
{
    size_t count = page_free_count();
    void *a = page_alloc(), *b = page_alloc(), *c = page_alloc();
    page_free(a);
    void *pair = pages_alloc(2, PAGE_SIZE);
    assert_true(pair > b); /* one free page before b is too little */
    assert_ptr_equal(page_alloc(), a);
    page_free(a);
    page_free(b);
    page_free(c);
    pages_free(pair, 2);
    assert_int_equal(page_free_count(), count);
}

TEST(aligns_and_refuses)
{
    size_t count = page_free_count();
    uint8_t *big = pages_alloc(512, SIZE_2M);
    assert_non_null(big);
    assert_true(IS_ALIGNED((uintptr_t)big, SIZE_2M));
    for (size_t i = 0; i < SIZE_2M; i++)
        assert_int_equal(big[i], 0);
    assert_null(pages_alloc(count, PAGE_SIZE));
    assert_null(pages_alloc(0, PAGE_SIZE));
    assert_null(pages_alloc(1024 * 1024, SIZE_2M));
    assert_int_equal(page_free_count(), count - 512);
    pages_free(big, 512);
    assert_int_equal(page_free_count(), count);
}

/* Pages that begin and end in the middle of a word of the maps. */
TEST(pieces_that_cross_words)
{
    size_t count = page_free_count();
    uint8_t *first = pages_alloc(3, PAGE_SIZE), *next = pages_alloc(130, PAGE_SIZE);
    assert_int_equal(page_free_count(), count - 133);
    uint8_t *behind = pages_alloc(130, PAGE_SIZE);
    assert_true(behind >= next + 130 * PAGE_SIZE || behind + 130 * PAGE_SIZE <= next);
    page_mark_guest(ptr_hpa(next), 130 * PAGE_SIZE, true);
    for (unsigned i = 0; i < 130; i++)
        assert_true(page_is_guest(ptr_hpa(next + i * PAGE_SIZE), PAGE_SIZE));
    assert_false(page_is_guest(ptr_hpa(next - PAGE_SIZE), PAGE_SIZE));
    assert_false(page_is_guest(ptr_hpa(next + 130 * PAGE_SIZE), PAGE_SIZE));
    assert_true(page_is_guest(ptr_hpa(next), 130 * PAGE_SIZE));
    assert_false(page_is_guest(ptr_hpa(next), 131 * PAGE_SIZE));
    assert_false(page_is_guest(ptr_hpa(next), UINT64_MAX - PAGE_SIZE + 1));
    page_mark_guest(ptr_hpa(next + 77 * PAGE_SIZE), PAGE_SIZE, false); /* a hole */
    assert_false(page_is_guest(ptr_hpa(next), 130 * PAGE_SIZE));
    pages_free(next, 130);
    assert_false(page_is_guest(ptr_hpa(next + 129 * PAGE_SIZE), PAGE_SIZE));
    assert_ptr_equal(pages_alloc(130, PAGE_SIZE), next);
    pages_free(next, 130);
    pages_free(behind, 130);
    pages_free(first, 3);
    assert_int_equal(page_free_count(), count);
}

TEST(freeing_twice_is_our_bug)
{
    uint8_t *piece = pages_alloc(130, PAGE_SIZE);
    page_free(piece + 100 * PAGE_SIZE);
    assert_panics(pages_free(piece, 130));
}

TEST(freeing_one_twice_is_our_bug)
{
    void *a = page_alloc();
    page_free(a);
    assert_panics(page_free(a));
}

TEST(ram_and_guest_pages)
{
    assert_true(page_is_ram(hpa(RAM_BASE + RAM_SIZE - 1), 1));
    assert_true(page_is_ram(hpa(RAM_BASE - 10), 11));
    assert_false(page_is_ram(hpa(RAM_BASE - 10), 10));
    assert_false(page_is_ram(hpa(RAM_BASE + RAM_SIZE), 0x1000));
    assert_true(page_is_reserved(hpa(RAM_BASE + 0x2017ff), 1));
    assert_false(page_is_reserved(hpa(RAM_BASE + 0x201800), 0x1000));
    assert_false(page_is_reserved(hpa(RAM_BASE + 0x200000), 0));
    uint8_t *p = pages_alloc(2, PAGE_SIZE);
    assert_false(page_is_guest(ptr_hpa(p), PAGE_SIZE));
    page_mark_guest(ptr_hpa(p), 2 * PAGE_SIZE, true);
    assert_true(page_is_guest(ptr_hpa(p + PAGE_SIZE), PAGE_SIZE));
    assert_false(page_is_guest(ptr_hpa(p + 2 * PAGE_SIZE), PAGE_SIZE));
    assert_false(page_is_guest(hpa(UINT64_MAX), PAGE_SIZE));
    pages_free(p, 2); /* no longer a guest's */
    assert_false(page_is_guest(ptr_hpa(p), PAGE_SIZE));
}

TEST(kept_memory_is_given_once_and_clean)
{
    const uint64_t offset = 0x500000, size = 0x10000;
    const uint8_t *kept = at(offset);
    page_keep(hpa(RAM_BASE + offset), size);
    assert_int_equal(start(state), 0);
    assert_int_equal(page_claim(hpa(RAM_BASE + offset), size + PAGE_SIZE), -EINVAL);
    assert_int_equal(page_claim(hpa(RAM_BASE + offset), size), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(kept[i], 0);
    assert_int_equal(page_claim(hpa(RAM_BASE + offset), size), -EBUSY);
    page_unclaim();
    assert_int_equal(page_claim(hpa(RAM_BASE + offset), size), 0);
    page_unclaim();
    page_keep(hpa(0), 0);
}

/* By UEFI GRUB uses low memory, too. */
TEST(startup_page_holds_nothing)
{
    assert_int_equal(page_for_startup().v, 0x1000);
    info.info_base = hpa(0x1800); /* touches two pages */
    info.info_size = 0x1000;
    info.modules[0] = (struct boot_module){(void *)0x3fff, 1, ""};
    info.strtab = (void *)0x4100;
    info.ranges[1] = (struct boot_range){hpa(0x5f00), 0x10, false}; /* wins over "usable" */
    assert_int_equal(page_for_startup().v, 0x6000);
    info.ranges[2].size = 0x6fff; /* not all of that page */
    assert_int_equal(page_for_startup().v, 0);
    info.ranges[2].base = hpa(0x9f800); /* a page across the border of 640 KiB */
    info.ranges[2].size = 0x1800;
    assert_int_equal(page_for_startup().v, 0);
}

/* 2 TiB, with a hole, and a range twice. The maps need 128 MiB. */
TEST(terabytes)
{
    const uint64_t size = UINT64_C(160) << 20, high = UINT64_C(4) << 30,
                   end = (UINT64_C(2) << 40) - 0x5000;
    void *ram = mmap(at(RAM_SIZE), size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(ram, at(RAM_SIZE));
    info = (struct boot_info){.range_count = 4};
    info.ranges[0] = (struct boot_range){ptr_hpa(ram), size, true};
    info.ranges[1] = (struct boot_range){hpa(high + 0x3000), end - high - 0x3000, true};
    info.ranges[2] = (struct boot_range){hpa(high + (UINT64_C(1) << 39)), 0x5000, false};
    info.ranges[3] = (struct boot_range){hpa(high), 0x100000, true};
    assert_int_equal(page_init(&info), 0);
    assert_int_equal(page_free_count(),
                     ((size - (UINT64_C(128) << 20)) + (end - high) - 0x5000) / PAGE_SIZE);
    assert_int_equal(munmap(ram, size), 0);
}

TEST(no_memory_at_all)
{
    struct boot_info none = {.cmdline = ""};
    assert_int_equal(page_init(&none), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(withholds_what_is_used, start),
        cmocka_unit_test_setup(gives_back_and_finds_again, start),
        cmocka_unit_test_setup(aligns_and_refuses, start),
        cmocka_unit_test_setup(ram_and_guest_pages, start),
        cmocka_unit_test(kept_memory_is_given_once_and_clean),
        cmocka_unit_test_setup(startup_page_holds_nothing, start),
        cmocka_unit_test_setup(terabytes, start),
        cmocka_unit_test_setup(no_memory_at_all, start),
        cmocka_unit_test_setup(pieces_that_cross_words, start),
        cmocka_unit_test_setup(freeing_twice_is_our_bug, start), /* last: leave the lock taken */
        cmocka_unit_test_setup(freeing_one_twice_is_our_bug, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
