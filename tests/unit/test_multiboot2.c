/* SPDX-License-Identifier: MIT */
/*
 * The multiboot2 information: tag by tag, and with lies in it.
 * Spec: Multiboot2 "Boot information format".
 */
// sources: boot/multiboot2.c
#include "boot/multiboot2.h"
#include "lib/elf.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>

static uint8_t buffer[16384] __attribute__((aligned(8)));
static size_t used;
static struct boot_info info;

FIXTURE(fresh)
{
    memset(buffer, 0, sizeof(buffer));
    used = sizeof(struct mb2_info);
    stub_log_clear();
    return 0;
}

static void *tag(uint32_t type, const void *body, size_t size)
{
    struct mb2_tag *t = (void *)(buffer + used);
    t->type = type;
    t->size = (uint32_t)(sizeof(*t) + size);
    memcpy(t + 1, body, size);
    used = ALIGN_UP(used + t->size, 8);
    return t;
}

/* Parse a copy of exactly the right size, so that a read beyond it is noticed. */
static int parse(void)
{
    static void *copy;
    free(copy);
    copy = aligned_alloc(8, used);
    ((struct mb2_info *)buffer)->total_size = (uint32_t)used;
    memcpy(copy, buffer, used);
    return multiboot2_parse(MULTIBOOT2_MAGIC, copy, &info);
}

TEST(wrong_magic)
{
    tag(MB2_TAG_END, "", 0);
    assert_int_equal(multiboot2_parse(0x2badb002, (void *)buffer, &info), -EINVAL);
    assert_string_equal(info.cmdline, "");
    assert_non_null(strstr(stub_log, "0x2badb002"));
}

TEST(command_line_and_modules)
{
    static const struct {
        uint32_t start, end;
        char text[11];
    } a = {0x200000, 0x201234, "vm=a mem=1M"}, b = {0x300000, 0x300000, "acpi"};
    tag(MB2_TAG_CMDLINE, "log=trace", 10);
    tag(MB2_TAG_MODULE, &b, 8 + 5);
    tag(MB2_TAG_MODULE, &a, 8 + 11); /* the text has no end */
    tag(1234, "???", 3);
    tag(MB2_TAG_END, "", 0);
    tag(MB2_TAG_MODULE, &b, 8 + 5); /* behind the end */
    assert_int_equal(parse(), 0);
    assert_string_equal(info.cmdline, "log=trace");
    assert_int_equal(info.module_count, 2);
    assert_true((uintptr_t)info.modules[0].data == 0x300000);
    assert_int_equal(info.modules[0].size, 0);
    assert_string_equal(info.modules[0].cmdline, "acpi");
    assert_int_equal(info.modules[1].size, 0x1234);
    assert_string_equal(info.modules[1].cmdline, "");
}

TEST(broken_module)
{
    uint32_t backwards[3] = {0x2000, 0x1000, 0};
    tag(MB2_TAG_MODULE, backwards, 12);
    tag(MB2_TAG_MODULE, backwards, 4);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.module_count, 0);
}

TEST(too_many_modules)
{
    uint32_t m[3] = {0x1000, 0x2000, 0};
    for (int i = 0; i < BOOT_MODULE_MAX + 1; i++)
        tag(MB2_TAG_MODULE, m, 12);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.module_count, BOOT_MODULE_MAX);
    assert_non_null(strstr(stub_log, "module left out"));
}

/* A large server has 300 ranges. */
TEST(large_memory_map)
{
    static struct {
        uint32_t entry_size, version;
        struct mb2_mmap_entry e[BOOT_RANGE_MAX + 1];
    } map = {.entry_size = 24};
    for (unsigned i = 0; i < ARRAY_COUNT(map.e); i++)
        map.e[i] = (struct mb2_mmap_entry){i * UINT64_C(0x4000000000), 0x1000, 1, 0};
    tag(MB2_TAG_MMAP, &map, 8 + 300 * 24);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 300);
    assert_true(info.ranges[299].base.v == 299 * UINT64_C(0x4000000000));
    fresh(NULL);
    tag(MB2_TAG_MMAP, &map, sizeof(map));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, BOOT_RANGE_MAX);
    assert_non_null(strstr(stub_log, "memory map cut off"));
}

TEST(memory_map)
{
    struct {
        uint32_t entry_size, version;
        struct mb2_mmap_entry e[4];
    } map = {24,
             0,
             {{0, 0x9fc00, 1, 0},
              {0x100000, 0xff00000, 1, 0},
              {0xfec00000, 0x1000, 2, 0},
              {UINT64_MAX - 10, 100, 1, 0}}}; /* the last runs over the end of everything */
    tag(MB2_TAG_MMAP, &map, sizeof(map));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 3);
    assert_true(info.ranges[1].base.v == 0x100000 && info.ranges[1].size == 0xff00000);
    assert_true(info.ranges[1].usable);
    assert_false(info.ranges[2].usable);
}

TEST(memory_map_with_wide_entries)
{
    struct {
        uint32_t entry_size, version;
        uint8_t e[64];
    } map = {32, 0, {0}};
    struct mb2_mmap_entry e = {0x1000, 0x2000, 1, 0};
    memcpy(map.e, &e, 24);
    e.base = 0x5000;
    memcpy(map.e + 32, &e, 24);
    tag(MB2_TAG_MMAP, &map, sizeof(map));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 2);
    assert_true(info.ranges[1].base.v == 0x5000);

    fresh(NULL);
    map.entry_size = 0; /* would never advance */
    tag(MB2_TAG_MMAP, &map, sizeof(map));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 0);

    fresh(NULL);
    map.entry_size = 28; /* no multiple of 8: the second entry would not be aligned */
    tag(MB2_TAG_MMAP, &map, sizeof(map));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 0);
    assert_non_null(strstr(stub_log, "memory map ignored"));
}

TEST(newer_rsdp_wins)
{
    uint8_t old[20] = "old", new[36] = "new";
    tag(MB2_TAG_RSDP_NEW, new, sizeof(new));
    tag(MB2_TAG_RSDP_OLD, old, sizeof(old));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.rsdp_size, 36);
    assert_string_equal(info.rsdp, "new");
}

TEST(symbols)
{
    struct {
        uint32_t count, entry_size, names;
        struct elf64_section s[3];
    } __attribute__((packed)) elf = {3, 64, 0, {{0}}};
    elf.s[1] = (struct elf64_section){
        .type = ELF_SECTION_SYMTAB, .address = 0x5000, .size = 240, .link = 2};
    elf.s[2] = (struct elf64_section){.type = 3, .address = 0x6000, .size = 99};
    tag(MB2_TAG_ELF, &elf, sizeof(elf));
    assert_int_equal(parse(), 0);
    assert_true((uintptr_t)info.symtab == 0x5000 && info.symtab_size == 240);
    assert_true((uintptr_t)info.strtab == 0x6000 && info.strtab_size == 99);

    fresh(NULL);
    elf.s[1].link = 3; /* there is no such section */
    tag(MB2_TAG_ELF, &elf, sizeof(elf));
    assert_int_equal(parse(), 0);
    assert_null(info.symtab);

    fresh(NULL);
    elf.count = 4; /* one more than there are bytes for */
    tag(MB2_TAG_ELF, &elf, sizeof(elf));
    assert_int_equal(parse(), 0);
    assert_null(info.symtab);
}

TEST(tags_that_lie_about_their_size)
{
    struct mb2_tag *t = tag(MB2_TAG_CMDLINE, "abc", 4);
    t->size = 4; /* shorter than its own header: would loop */
    assert_int_equal(parse(), -EINVAL);
    fresh(NULL);
    t = tag(MB2_TAG_CMDLINE, "abc", 4);
    t->size = 4000;
    assert_int_equal(parse(), -EINVAL);
}

TEST(information_shorter_than_its_header)
{
    static struct mb2_info empty; /* total_size 0: its end would lie before its first tag */
    assert_int_equal(multiboot2_parse(MULTIBOOT2_MAGIC, &empty, &info), -EINVAL);
    assert_non_null(strstr(stub_log, "0 bytes"));
}

/* Tags of which the last byte is the last one that they need; and each one byte shorter. */
TEST(tags_of_the_least_size)
{
    static const struct {
        struct mb_screen s;
    } text = {{0xb8000, 160, 80, 25, 16, MB_SCREEN_TEXT, 0}};
    const uint32_t module[2] = {0x2000, 0x3000}, no_ranges[2] = {24, 0},
                   no_sections[3] = {0, 64, 0};
    for (unsigned less = 0; less < 2; less++) {
        fresh(NULL);
        tag(MB2_TAG_SCREEN, &text, sizeof(text) - less);
        tag(MB2_TAG_MODULE, module, sizeof(module) - less);
        tag(MB2_TAG_MMAP, no_ranges, sizeof(no_ranges) - less);
        tag(MB2_TAG_ELF, no_sections, sizeof(no_sections) - less);
        assert_int_equal(parse(), 0);
        assert_int_equal(info.screen.width, less ? 0 : 80);
        assert_int_equal(info.module_count, !less);
        assert_int_equal(strstr(stub_log, "memory map ignored") != NULL, less);
        assert_null(info.symtab);
    }
    fresh(NULL);
    tag(MB2_TAG_CMDLINE, "", 0); /* a head alone, the last of all */
    assert_int_equal(parse(), 0);
    assert_string_equal(info.cmdline, "");
    assert_int_equal(info.info_size, used);
    assert_int_equal(info.info_base.v % 8, 0);
    assert_true(info.info_base.v);
}

/* Of pixels, by a palette or not, and of characters; no other type is known. */
TEST(a_screen_of_each_type)
{
    for (unsigned type = 0; type <= MB_SCREEN_TEXT + 1; type++) {
        struct mb_screen s = {UINT64_C(0x4000000000), 4096, 1024, 768, 32, (uint8_t)type, 0};
        fresh(NULL);
        tag(MB2_TAG_SCREEN, &s, sizeof(s));
        assert_int_equal(parse(), 0);
        if (type > MB_SCREEN_TEXT) {
            assert_int_equal(info.screen.base.v, 0);
            continue;
        }
        assert_int_equal(info.screen.base.v, s.address);
        assert_int_equal(info.screen.pitch, 4096);
        assert_int_equal(info.screen.width, 1024);
        assert_int_equal(info.screen.height, 768);
        assert_int_equal(info.screen.bits, 32);
        assert_int_equal(info.screen.text, type == MB_SCREEN_TEXT);
    }
}

/* A range to the very end of the address space counts its last byte, and an empty one is none. */
TEST(ranges_at_the_edge)
{
    struct {
        uint32_t entry_size, version;
        struct mb2_mmap_entry e[4];
    } map = {24,
             0,
             {{0x1000, 0, 1, 0},
              {0x2000, 1, 1, 0},
              {UINT64_MAX - 9, 9, 1, 0},
              {UINT64_MAX - 9, 10, 1, 0}}};
    tag(MB2_TAG_MMAP, &map, sizeof(map));
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 2);
    assert_int_equal(info.ranges[0].size, 1);
    assert_int_equal(info.ranges[1].size, 9);
}

/* Section 0 is looked at like the others; entries of another size are not. */
TEST(symbols_in_the_first_section)
{
    struct {
        uint32_t count, entry_size, names;
        struct elf64_section s[2];
    } __attribute__((packed))
    elf = {2, 64, 0, {{.type = ELF_SECTION_SYMTAB, .address = 0x5000, .size = 24, .link = 1}}};
    tag(MB2_TAG_ELF, &elf, sizeof(elf));
    assert_int_equal(parse(), 0);
    assert_true((uintptr_t)info.symtab == 0x5000);
    fresh(NULL);
    elf.entry_size = 40;
    tag(MB2_TAG_ELF, &elf, sizeof(elf));
    assert_int_equal(parse(), 0);
    assert_null(info.symtab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wrong_magic, fresh),
        cmocka_unit_test_setup(command_line_and_modules, fresh),
        cmocka_unit_test_setup(broken_module, fresh),
        cmocka_unit_test_setup(too_many_modules, fresh),
        cmocka_unit_test_setup(large_memory_map, fresh),
        cmocka_unit_test_setup(memory_map, fresh),
        cmocka_unit_test_setup(memory_map_with_wide_entries, fresh),
        cmocka_unit_test_setup(newer_rsdp_wins, fresh),
        cmocka_unit_test_setup(symbols, fresh),
        cmocka_unit_test_setup(tags_that_lie_about_their_size, fresh),
        cmocka_unit_test_setup(information_shorter_than_its_header, fresh),
        cmocka_unit_test_setup(tags_of_the_least_size, fresh),
        cmocka_unit_test_setup(a_screen_of_each_type, fresh),
        cmocka_unit_test_setup(ranges_at_the_edge, fresh),
        cmocka_unit_test_setup(symbols_in_the_first_section, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
