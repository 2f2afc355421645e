/* SPDX-License-Identifier: MIT */
/*
 * What a kernel gets from its loader: command line, memory map, modules, tables, and its own
 * section headers; and what it asks for.
 */
// sources: guest/load/load.c guest/load/image.c guest/load/flat.c guest/load/elf.c
// sources: guest/load/multiboot.c guest/load/info.c guest/load/linux.c guest/load/sections.c
#include "tests/unit/load_headers.h"

/* The tag of this type, or 0. */
static uint64_t find_tag(uint32_t type)
{
    uint64_t at = LOAD_INFO + 8, end = LOAD_INFO + get32(LOAD_INFO);
    while (at < end && get32(at) != type && get32(at) != 0)
        at += (get32(at + 4) + 7) & ~UINT64_C(7);
    assert_true(at < end);
    return get32(at) == type ? at : 0;
}

/* A text screen is what there is. */
TEST(video_modes_start_as_text)
{
    elf32(0x300000, 0x300004);
    l.size = 0x400;
    multiboot1_header(0x200, 4);
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(
        stub_log, "load: vm=a kernel: asks for a video mode; it starts in text mode, 80x25\n");
    assert_int_equal(get32(LOAD_INFO) & 1 << 12, 1 << 12);
    assert_int_equal(get64(LOAD_INFO + 88), 0xb8000);
    assert_int_equal(ram[LOAD_INFO + 109], 2);
    stub_log_clear();
    multiboot2_header(0x200, 24 + 8);
    tag(0x210, 5, 0, 20);
    tag(0x228, 0, 0, 8);
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(
        stub_log, "load: vm=a kernel: asks for a video mode; it starts in text mode, 80x25\n");
    assert_int_equal(get64(find_tag(8) + 8), 0xb8000);
    assert_int_equal(ram[find_tag(8) + 29], 2);
}

static void request(uint16_t flags, uint32_t type)
{
    elf32(0x300000, 0x300004);
    l.size = 0x400;
    l.wanted = 0;
    multiboot2_header(0x200, 16 + 8);
    tag(0x210, 1, flags, 12);
    put32(0x218, type);
    tag(0x220, 0, 0, 8);
}

TEST(requests_are_met_or_refused)
{
    static const uint32_t met[] = {1, 2, 3, 4, 6, 8, 14, 15, 21};
    l.rsdp = 0xf0000;
    for (size_t i = 0; i < ARRAY_COUNT(met); i++) {
        request(0, met[i]);
        assert_int_equal(load_kernel(&l), 0);
        assert_true(met[i] == 3 || find_tag(met[i]));
    }
    request(0, 17);
    refused("requires what a VM does not have: an EFI memory map (multiboot2 tag 17)");
    request(0, 9); /* this file has no sections */
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(get32(find_tag(9) + 8), 0);
    request(0, 99);
    refused("requires information of an unknown kind: tag 99");
    request(1, 99); /* optional */
    assert_int_equal(load_kernel(&l), 0);
    l.rsdp = 0;
    request(0, 15);
    refused("requires what a VM does not have: RSDP (multiboot2 tag 15)");
}

/* Symbols are in no segment: they are loaded, and the copied headers say where. */
TEST(sections)
{
    elf32(0x300000, 0x300004);
    put32(32, 0x120);
    put16(46, 40);
    put16(48, 3);
    put16(50, 2);
    memset(file + 0x120, 0, 120);
    put32(0x148 + 4, 1); /* .text, in the segment */
    put32(0x148 + 12, 0x300000);
    put32(0x148 + 20, 0x20);
    put32(0x170 + 4, 3); /* names, in none */
    put32(0x170 + 16, 0x1a0);
    put32(0x170 + 20, 5);
    memcpy(file + 0x1a0, "names", 5);
    l.size = 0x400;
    multiboot1_header(0x200, 0);
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(get32(LOAD_INFO) & 1 << 5, 1 << 5);
    assert_int_equal(get32(LOAD_INFO + 28), 3);
    assert_int_equal(get32(LOAD_INFO + 32), 40);
    assert_int_equal(get32(LOAD_INFO + 40), 2);
    uint32_t table = get32(LOAD_INFO + 36);
    assert_int_equal(get32(table + 40 + 12), 0x300000);
    assert_int_equal(get32(table + 80 + 12), LOW - 0x1000);
    assert_memory_equal(ram + LOW - 0x1000, "names", 5);
    put32(0x200, 0); /* the same by the second specification */
    request(0, 9);
    put32(32, 0x120);
    put16(46, 40);
    put16(48, 3);
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(get32(find_tag(9) + 8), 3);
    assert_int_equal(get32(find_tag(9) + 20 + 80 + 12), LOW - 0x1000);
    put32(0x170 + 20, LOW); /* beyond the file: its header stays as it is */
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(get32(find_tag(9) + 20 + 80 + 12), 0);
}

TEST(pvh)
{
    static const uint8_t module[] = "module";
    elf64(0x200000, 0x200000, 0x200000);
    put16(56, 2);
    put32(120, 4);
    put64(120 + 8, 0x120);
    put64(120 + 32, 20);
    put64(120 + 40, 20);
    put32(0x120, 4);
    put32(0x124, 4);
    put32(0x128, 18);
    memcpy(file + 0x12c, "Xen", 4);
    put32(0x130, 0x200020);
    l.size = 0x140;
    l.rsdp = 0xf0000;
    give(module, sizeof(module), "one");
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "PVH");
    assert_int_equal(l.start.mode, VCPU_PROTECTED32);
    assert_int_equal(l.start.rip, 0x200020);
    assert_int_equal(l.start.rbx, LOAD_INFO);
    assert_int_equal(get32(LOAD_INFO), 0x336ec578);
    assert_int_equal(get32(LOAD_INFO + 12), 1);
    uint64_t list = get64(LOAD_INFO + 16);
    assert_int_equal(get64(list), LOW - 0x1000);
    assert_string_equal((char *)ram + get64(list + 16), "one");
    assert_string_equal((char *)ram + get64(LOAD_INFO + 24), "one two");
    assert_int_equal(get64(LOAD_INFO + 32), 0xf0000);
    assert_int_equal(get32(LOAD_INFO + 48), 7);
    assert_int_equal(get64(get64(LOAD_INFO + 40) + 8), 0x90000);
    put32(0x120, 0xffffffff); /* a note that lies */
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "ELF64");
}

TEST(information_1)
{
    static const uint8_t initrd[] = "the initrd";
    elf32(0x300000, 0x300004);
    l.size = 0x400;
    multiboot1_header(0x200, 3);
    give(initrd, sizeof(initrd), "its words");
    l.high = 1 << 21;
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(get32(LOAD_INFO),
                     0x124d); /* memory, command line, modules, map, loader's name, screen */
    assert_int_equal(get32(LOAD_INFO + 4), 576);
    assert_int_equal(get32(LOAD_INFO + 8), 3 * 1024);
    assert_string_equal((char *)ram + get32(LOAD_INFO + 16), "one two");
    assert_int_equal(get32(LOAD_INFO + 20), 1);
    uint32_t module = get32(LOAD_INFO + 24);
    assert_int_equal(get32(module), LOW - 0x1000);
    assert_int_equal(get32(module + 4), LOW - 0x1000 + sizeof(initrd));
    assert_memory_equal(ram + get32(module), initrd, sizeof(initrd));
    assert_string_equal((char *)ram + get32(module + 8), "its words");
    uint32_t length = get32(LOAD_INFO + 44), map = get32(LOAD_INFO + 48);
    assert_int_equal(length, 8 * 24);
    assert_int_equal(get32(map), 20);
    assert_int_equal(get64(map + 4), 0);
    assert_int_equal(get64(map + 12), 0x90000);
    assert_int_equal(get32(map + 20), 1);
    assert_int_equal(get32(map + 24 + 20), 2);
    assert_int_equal(get64(map + 7 * 24 + 4), UINT64_C(1) << 32);
    assert_int_equal(get64(map + 7 * 24 + 12), 1 << 21);
    assert_string_equal((char *)ram + get32(LOAD_INFO + 64), "Hamlet");
}

TEST(information_2)
{
    static const uint8_t initrd[5000] = {1, 2, 3};
    elf64(0x200000, 0x200000, 0x200000);
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(find_tag(3), 0);
    give(initrd, sizeof(initrd), "its words");
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal((char *)ram + find_tag(1) + 8, "one two");
    assert_string_equal((char *)ram + find_tag(2) + 8, "Hamlet");
    assert_int_equal(get32(find_tag(4) + 8), 576);
    assert_int_equal(get32(find_tag(4) + 12), 3 * 1024);
    uint64_t map = find_tag(6);
    assert_int_equal(get32(map + 4), 16 + 7 * 24);
    assert_int_equal(get32(map + 8), 24);
    assert_int_equal(get64(map + 16 + 3 * 24), 0x100000);
    assert_int_equal(get64(map + 16 + 3 * 24 + 8), LOW - 0x100000);
    uint64_t module = find_tag(3);
    assert_int_equal(get32(module + 8), LOW - 0x2000);
    assert_int_equal(get32(module + 12), LOW - 0x2000 + 5000);
    assert_memory_equal(ram + LOW - 0x2000, initrd, 5000);
    assert_int_equal(find_tag(99), 0);
}

/* The longest command line and the fullest map still end within the area. */
TEST(information_fits)
{
    static char cmdline[512];
    memset(cmdline, 'x', 511);
    l.cmdline = cmdline;
    l.high = 1 << 21;
    elf64(0x200000, 0x200000, 0x200000);
    assert_int_equal(load_kernel(&l), 0);
    assert_true(LOAD_INFO + get32(LOAD_INFO) < LOAD_EBDA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(video_modes_start_as_text),
        T(requests_are_met_or_refused),
        T(sections),
        T(pvh),
        T(information_1),
        T(information_2),
        T(information_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
