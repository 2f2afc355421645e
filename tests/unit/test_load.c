/* SPDX-License-Identifier: MIT */
/*
 * Kernels of each format into a small guest memory, and files that are none or that lie.
 */
// sources: guest/load/load.c guest/load/image.c guest/load/flat.c guest/load/elf.c
// sources: guest/load/multiboot.c guest/load/info.c guest/load/linux.c guest/load/sections.c
#include "tests/unit/load_headers.h"

TEST(flat_of_one_instruction)
{
    static const uint8_t mov[] = {0x48, 0xc7, 0xc0, 0x07, 0, 0, 0};
    memcpy(file, mov, sizeof(mov));
    l.size = sizeof(mov);
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "flat");
    assert_int_equal(l.start.mode, VCPU_LONG64);
    assert_int_equal(l.start.rip, 0x100000);
    assert_memory_equal(ram + 0x100000, mov, sizeof(mov));
    assert_int_equal(l.start.rsp, LOAD_AREA);
    assert_int_equal(l.start.rdi, LOAD_INFO);
    assert_int_equal(l.start.rax, 0);
}

/* SDM "4-Level Paging": each of the low 4 GiB is mapped where it is. */
TEST(identity_paging)
{
    file[0] = 0xf4;
    l.size = 1;
    assert_int_equal(load_kernel(&l), 0);
    for (uint64_t at = 0; at < UINT64_C(1) << 32; at += 0x0ff00000) {
        uint64_t pml4e = get64(l.start.cr3), pdpte, pde;
        assert_int_equal(pml4e & 0x83, 3);
        pdpte = get64((pml4e & ~UINT64_C(0xfff)) + (at >> 30) * 8);
        assert_int_equal(pdpte & 0x83, 3);
        pde = get64((pdpte & ~UINT64_C(0xfff)) + (at >> 21 & 511) * 8);
        assert_int_equal(pde, (at & ~UINT64_C(0x1fffff)) | 0x83);
    }
}

TEST(no_kernels)
{
    l.size = 0;
    refused("is no kernel: an empty file");
    strcpy((char *)file, "set timeout=0\n\tmenuentry\r\n");
    l.size = strlen((char *)file);
    refused("is no kernel: a text file");
    memcpy(file, "\x1f\x8b\x08\0", 4);
    refused("is no kernel: a gzip file: GRUB unpacks it after 'insmod gzio'");
    memcpy(file, "MZ\x90", 4);
    refused("is no kernel: an EFI, DOS or Windows program");
    memcpy(file, "\177ELF", 4);
    l.size = 20;
    refused("an ELF file that is cut off");
}

TEST(boot_sector)
{
    put16(510, 0xaa55);
    file[0] = 0xfa;
    l.size = 1024;
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "boot-sector");
    assert_int_equal(l.start.mode, VCPU_REAL);
    assert_int_equal(l.start.rip, 0x7c00);
    assert_memory_equal(ram + 0x7c00, file, 1024);
    l.size = 1023; /* whole sectors only */
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "flat");
}

TEST(flat_too_big)
{
    file[0] = 0xf4;
    l.size = sizeof(file);
    l.low = 0x105000;
    refused("needs memory at 0x100000, size 0x9000; the VM has 0x105000");
}

TEST(elf_both_classes)
{
    elf64(0xffffffff80200000, 0x200000, 0xffffffff80200010);
    ram[0x200030] = 0xff; /* bss is cleared, whatever was there */
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "ELF64");
    assert_int_equal(l.start.mode, VCPU_LONG64);
    assert_int_equal(l.start.rip, 0x200010); /* the physical address of the entry */
    assert_int_equal(ram[0x20001f], 0xab);
    assert_int_equal(ram[0x200030], 0);
    elf32(0x300000, 0x300004);
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "ELF32");
    assert_int_equal(l.start.mode, VCPU_PROTECTED32);
    assert_int_equal(l.start.rip, 0x300004);
    assert_int_equal(l.start.rax, MULTIBOOT2_MAGIC);
    assert_int_equal(l.start.rbx, LOAD_INFO);
}

TEST(elf_that_lies)
{
    elf64(0x200000, 0x200000, 0x200000);
    put64(64 + 24, UINT64_MAX - 0xf);
    refused("needs memory at 0xfffffffffffffff0, size 0x40; the VM has 0x400000");
    put64(64 + 24, LOW - 0x3f);
    refused("needs memory at 0x3fffc1, size 0x40; the VM has 0x400000");
    put64(64 + 24, 0x9ffff);
    refused("needs memory at 0x9ffff, size 0x40; 0x90000 to 0x100000 is reserved");
    put64(64 + 24, 0x200000);
    put64(64 + 32, 0x41); /* more than the file has */
    refused("an ELF file with a segment beyond its end");
    put64(64 + 32, 0x20);
    put64(64 + 40, 0x1f); /* less in memory than in the file */
    refused("an ELF file with a segment beyond its end");
    put64(64 + 40, 0x40);
    put64(64 + 32, 0x20);
    put64(64 + 8, UINT64_MAX - 0x10);
    refused("an ELF file with a segment beyond its end");
    put64(64 + 8, 0x101);
    refused("an ELF file with a segment beyond its end");
    put64(64 + 8, 0x100);
    put64(32, UINT64_MAX - 8);
    refused("an ELF file whose program headers are beyond its end");
    put64(32, 0x120 - 55);
    refused("an ELF file whose program headers are beyond its end");
    put64(32, 64);
    put16(54, 55);
    refused("an ELF file whose program headers are beyond its end");
    put16(54, 56);
    put16(56, 65535);
    refused("an ELF file with 65535 segments, 1 to 64 are possible");
    put16(56, 1);
    put16(16, 1);
    refused("an ELF file of type 1, not an executable");
    put16(16, 2);
    put16(18, 183);
    refused("an ELF file for another machine (183)");
    put16(18, 62);
    assert_int_equal(load_kernel(&l), 0);
}

TEST(multiboot1_addresses)
{
    memset(file, 0x90, 0x400);
    multiboot1_header(0x200, 1 << 16 | 3);
    put32(0x20c, 0x100200); /* header_addr */
    put32(0x210, 0x100100); /* load_addr: from 0x100 of the file on */
    put32(0x214, 0x100300); /* load_end_addr */
    put32(0x218, 0x100380); /* bss_end_addr */
    put32(0x21c, 0x100240); /* entry_addr */
    l.size = 0x400;
    memset(ram + 0x100000, 0xee, 0x1000);
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "multiboot1");
    assert_int_equal(l.start.mode, VCPU_PROTECTED32);
    assert_int_equal(l.start.rip, 0x100240);
    assert_int_equal(l.start.rax, MULTIBOOT1_MAGIC);
    assert_int_equal(l.start.rbx, LOAD_INFO);
    assert_int_equal(ram[0x1000ff], 0xee);
    assert_memory_equal(ram + 0x100100, file + 0x100, 0x200);
    assert_int_equal(ram[0x100300], 0);
    assert_int_equal(ram[0x10037f], 0);
    assert_int_equal(ram[0x100380], 0xee);
}

TEST(multiboot1_that_lies)
{
    l.size = 0x400;
    multiboot1_header(0, 8);
    refused("a multiboot header with demands that Hamlet cannot meet: flags 0x8");
    multiboot1_header(0, 0);
    refused("a multiboot header without addresses in a file that is not ELF");
    multiboot1_header(0, 1 << 16);
    l.size = 31;
    refused("a multiboot header that is cut off");
    l.size = 0x400;
    put32(0x0c, 0x100000);
    put32(0x10, 0x0ff000);
    refused("a multiboot header with a load address before the file's start");
    put32(0x10, 0x100001);
    refused("a multiboot header with a load address before the file's start");
    put32(0x10, 0x100000);
    put32(0x14, 0x100401);
    refused("a multiboot header with a load address beyond the file's end");
    put32(0x14, 0x100400);
    put32(0x18, 0x1003ff);
    refused("a multiboot header whose bss ends before its data");
    put32(0x18, 0xffffffff);
    refused("needs memory at 0x100000, size 0xffefffff; the VM has 0x400000");
    put32(8, 0); /* a wrong checksum is no header */
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "flat");
}

/* The header has to lie whole in the first 8192 bytes, on a 4-byte border. */
TEST(multiboot1_place)
{
    l.size = sizeof(file);
    multiboot1_header(8192 - 12, 0);
    refused("a multiboot header without addresses in a file that is not ELF");
    memset(file, 0, sizeof(file));
    multiboot1_header(8192 - 8, 0);
    assert_int_equal(load_kernel(&l), 0);
    memset(file, 0, sizeof(file));
    multiboot1_header(2, 0);
    assert_int_equal(load_kernel(&l), 0);
}

TEST(multiboot2_elf)
{
    elf32(0x300000, 0x300004);
    l.size = 0x400;
    multiboot2_header(0x200, 12 + 4 + 12 + 4 + 8);
    tag(0x210, 1, 0, 12);
    tag(0x220, 3, 0, 12);
    put32(0x228, 0x300010);
    tag(0x230, 0, 0, 8);
    multiboot1_header(0x300, 0); /* the second specification has precedence */
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal(l.start.format, "multiboot2");
    assert_int_equal(l.start.rip, 0x300010);
    assert_int_equal(l.start.rax, MULTIBOOT2_MAGIC);
    assert_int_equal(ram[0x300000], 0xab);
}

TEST(multiboot2_addresses)
{
    l.size = 0x100;
    multiboot2_header(0, 24 + 12 + 4 + 8);
    tag(0x10, 2, 0, 24);
    put32(0x18, 0x200000);
    put32(0x1c, 0x200000);
    tag(0x28, 3, 0, 12);
    put32(0x30, 0x200050);
    tag(0x38, 0, 0, 8);
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(l.start.rip, 0x200050);
    assert_memory_equal(ram + 0x200000, file, 0x100);
    assert_int_equal(l.image_start, 0x200000);
    assert_int_equal(l.image_end, 0x200100);
    tag(0x28, 6, 0, 12);
    refused("a multiboot2 header with addresses but without an entry");
}

TEST(multiboot2_that_lies)
{
    l.size = 0x40;
    multiboot2_header(0, 0x31);
    refused("a multiboot2 header that is cut off");
    multiboot2_header(0, (uint32_t)-8);
    refused("a multiboot2 header that is cut off");
    multiboot2_header(0, 16);
    for (size_t at = 0x10; at < 0x40; at += 8)
        tag(at, 6, 0, 8);
    refused("a multiboot2 header whose tags do not end");
    tag(0x10, 6, 0, 7);
    refused("a multiboot2 header whose tags do not end");
    tag(0x10, 6, 0, 0xfffffff9);
    refused("a multiboot2 header whose tags do not end");
    tag(0x10, 2, 0, 16);
    refused("a multiboot2 header with an address tag that is too short");
    tag(0x10, 3, 0, 8);
    refused("a multiboot2 header with an entry tag that is too short");
    tag(0x10, 11, 0, 16);
    refused("a multiboot2 header with a demand that Hamlet cannot meet: tag 11");
    tag(0x10, 11, 1, 8);
    tag(0x18, 0, 0, 8);
    refused("a multiboot header without addresses in a file that is not ELF");
}

/* A header of many kernels: the end tag has the type, but not its whole size. */
TEST(multiboot2_end_is_a_type)
{
    for (uint32_t size = 0; size <= 8; size++) {
        elf32(0x300000, 0x300004);
        l.size = 0x400;
        multiboot2_header(0x200, size);
        put64(0x210, UINT64_C(8) << 32);
        memset(file + 0x216, 0xee, 8);
        assert_int_equal(load_kernel(&l), 0);
        assert_string_equal(l.start.format, "multiboot2");
    }
    l.size = 0x212; /* the end of the file */
    multiboot2_header(0x200, 2);
    assert_int_equal(load_kernel(&l), 0);
    l.size = 0x211;
    multiboot2_header(0x200, 1);
    refused("a multiboot2 header whose tags do not end");
}

/* A kernel that moves goes above the first MiB, and the addresses in it move too. */
TEST(elf_that_moves)
{
    elf64(0, 0, 0x10);
    put16(16, 3);
    put64(64 + 48, 0x1000); /* alignment */
    put16(56, 2);
    put32(120, 2); /* the dynamic segment, in the file from 0x108 on */
    put64(120 + 8, 0x1c0);
    put64(120 + 32, 0x30);
    put64(120 + 40, 0x30);
    put64(64 + 32, 0x100);
    put64(64 + 40, 0x200);
    put64(0x1c0, 7); /* table at 0x80, of one entry */
    put64(0x1c8, 0x80);
    put64(0x1d0, 8);
    put64(0x1d8, 24);
    put64(0x1e0, 0);
    put64(0x180, 0x40); /* in the image at 0x80: at 0x40 stands base + 0x123 */
    put64(0x188, 8);
    put64(0x190, 0x123);
    l.size = 0x200;
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(l.start.rip, 0x100010);
    assert_int_equal(get64(0x100040), 0x100123);
    put64(0x180, UINT64_MAX - 0x100000); /* a place outside of the image */
    assert_int_equal(load_kernel(&l), 0);
    put64(0x1d8, UINT64_MAX); /* a table without end */
    assert_int_equal(load_kernel(&l), 0);
}

TEST(initrd_without_room)
{
    static uint8_t initrd[LOW];
    give(initrd, 1, "");
    elf64(0x200000, 0x3ff000, 0x3ff000);
    refused("no room for an initrd of 0x1000 bytes");
    elf64(0x200000, 0x3fe000, 0x3fe000);
    l.image_start = l.image_end = 0;
    assert_int_equal(load_kernel(&l), 0);
    elf64(0x200000, 0x100000, 0x100000);
    l.image_start = l.image_end = 0;
    l.modules[0].size = LOW - 0x100000;
    refused("no room for an initrd of 0x300000 bytes");
    l.modules[0].size = LOW;
    l.image_start = l.image_end = 0;
    refused("no room for an initrd of 0x400000 bytes");
    l.modules[0].size = UINT64_MAX;
    refused("initrd of 0xffffffffffffffff bytes; the VM has 0x400000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(flat_of_one_instruction),
        T(identity_paging),
        T(no_kernels),
        T(boot_sector),
        T(flat_too_big),
        T(elf_both_classes),
        T(elf_that_lies),
        T(multiboot1_addresses),
        T(multiboot1_that_lies),
        T(multiboot1_place),
        T(multiboot2_elf),
        T(multiboot2_addresses),
        T(multiboot2_that_lies),
        T(multiboot2_end_is_a_type),
        T(elf_that_moves),
        T(initrd_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
