/* SPDX-License-Identifier: MIT */
/*
 * The form of kernel that Linux distributions ship: where its parts go, what its zero page says,
 * and files that lie.
 */
// sources: guest/load/load.c guest/load/image.c guest/load/flat.c guest/load/elf.c
// sources: guest/load/multiboot.c guest/load/info.c guest/load/linux.c guest/load/sections.c
#include "tests/unit/load_fixture.h"

/* A Linux of protocol 2.15, loaded to 0x200000, that needs 0x80000 bytes; four sectors of setup. */
#define LINUX_SETUP (5 * 512)
static void bzimage(uint16_t version, uint16_t xloadflags)
{
    file[0x1f1] = 4;
    put16(0x1fe, 0xaa55);
    put32(0x202, 0x53726448);
    put16(0x206, version);
    file[0x211] = 1;
    put32(0x214, 0x100000);
    put32(0x22c, 0x37ffff);
    put16(0x236, xloadflags);
    put32(0x238, 2047);
    put64(0x258, 0x200000);
    put32(0x260, 0x80000);
    memset(file + LINUX_SETUP, 0xcd, 0x100);
    l.size = LINUX_SETUP + 0x100;
    l.rsdp = 0xe0000;
}

TEST(linux_64)
{
    static const uint8_t initrd[5000] = {7};
    bzimage(0x20f, 1);
    give(initrd, sizeof(initrd), "initrd");
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "linux-64");
    assert_int_equal(l.start.mode, VCPU_LONG64);
    assert_int_equal(l.start.rip, 0x200200);
    assert_int_equal(l.start.rsi, LOAD_INFO);
    assert_int_equal(l.image_end, 0x280000);
    assert_int_equal(ram[0x2000ff], 0xcd);
    assert_int_equal(ram[0x200100], 0);
    assert_int_equal(get64(LOAD_INFO + 0x70), 0xe0000);     /* acpi_rsdp_addr */
    assert_int_equal(get32(LOAD_INFO + 0x202), 0x53726448); /* the header, as it was */
    assert_int_equal(ram[LOAD_INFO + 0x210], 0xff);         /* type_of_loader */
    assert_int_equal(get32(LOAD_INFO + 0x218), 0x37e000);   /* below initrd_addr_max */
    assert_int_equal(get32(LOAD_INFO + 0x21c), sizeof(initrd));
    assert_string_equal((char *)ram + get32(LOAD_INFO + 0x228), "one two");
    assert_int_equal(ram[LOAD_INFO + 0x1e8], 7); /* e820_entries */
    assert_int_equal(get64(LOAD_INFO + 0x2d0 + 8), LOAD_AREA);
    assert_int_equal(get32(LOAD_INFO + 0x2d0 + 16), 1);
    assert_int_equal(get64(LOAD_INFO + 0x2d0 + 20), LOAD_AREA);
    assert_int_equal(get32(LOAD_INFO + 0x2d0 + 36), 2);
}

/* A Linux gets one initrd: the modules in one piece, zeros between them. */
TEST(linux_two_initrds)
{
    static const uint8_t first[5000] = {7}, second[100] = {8};
    bzimage(0x20f, 1);
    give(first, sizeof(first), "");
    give(second, sizeof(second), "");
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(get32(LOAD_INFO + 0x218), 0x37d000);
    assert_int_equal(get32(LOAD_INFO + 0x21c), 0x2000 + sizeof(second));
    assert_int_equal(ram[0x37d000], 7);
    assert_int_equal(ram[0x37d000 + 5000], 0);
    assert_int_equal(ram[0x37f000], 8);
}

/* A memory test in the same format: it gets a PC with everything. */
TEST(no_linux)
{
    bzimage(0x20f, 1);
    put16(0x20e, 0x100);
    strcpy((char *)file + 0x300, "6.1.0-1");
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "linux-64");
    strcpy((char *)file + 0x300, "Test 1.0");
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "bzImage");
    put16(0x20e, 0xffff); /* beyond the file */
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "linux-64");
}

TEST(linux_32)
{
    bzimage(0x20b, 0);
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "linux-32");
    assert_int_equal(l.start.mode, VCPU_PROTECTED32);
    assert_int_equal(l.start.rip, 0x200000);
    bzimage(0x209, 1); /* too old for a place of its own, or a 64-bit entry */
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(l.start.rip, 0x100000);
}

TEST(linux_that_lies)
{
    bzimage(0x205, 1);
    refused("a Linux of boot protocol 2.05; 2.06 is the least");
    bzimage(0x20f, 1);
    file[0x211] = 0;
    refused("a Linux that wants to be loaded below 1 MiB (zImage)");
    bzimage(0x20f, 1);
    l.size = LINUX_SETUP;
    refused("a Linux that is cut off");
    bzimage(0x20f, 1);
    put32(0x238, 6);
    refused("takes a command line of at most 6 characters");
    bzimage(0x20f, 1);
    put32(0x260, 0xffffffff);
    refused("needs memory at 0x200000, size 0xffffffff; the VM has 0x400000");
    bzimage(0x20f, 1);
    put64(0x258, 0xfffffffffffff000);
    refused("needs memory at 0xfffffffffffff000, size 0x80000; the VM has 0x400000");
    bzimage(0x207, 0);
    put32(0x214, 0); /* as a boot manager's that is no Linux */
    refused("starts at 0x0: it has only the entry in real mode, for a BIOS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(linux_64), T(linux_two_initrds), T(no_linux), T(linux_32),
                                       T(linux_that_lies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
