/* SPDX-License-Identifier: MIT */
/*
 * Kernels of each format into a small guest memory, and files that are none or that lie.
 */
// sources: guest/load/load.c guest/load/image.c guest/load/flat.c guest/load/elf.c
// sources: guest/load/multiboot.c guest/load/info.c guest/load/linux.c
#include "tests/unit/load_fixture.h"

/* An ELF file with one segment: 0x20 bytes from 0x100, 0x40 in memory, at `paddr`,
 * called `vaddr`. */
static void elf64(uint64_t vaddr, uint64_t paddr, uint64_t entry)
{
    memcpy(file, "\177ELF\2\1\1", 7);
    put16(16, 2);
    put16(18, 62);
    put64(24, entry);
    put64(32, 64);
    put16(54, 56);
    put16(56, 1);
    put32(64, 1);
    put64(64 + 8, 0x100);
    put64(64 + 16, vaddr);
    put64(64 + 24, paddr);
    put64(64 + 32, 0x20);
    put64(64 + 40, 0x40);
    memset(file + 0x100, 0xab, 0x20);
    l.size = 0x120;
}

static void elf32(uint32_t paddr, uint32_t entry)
{
    memcpy(file, "\177ELF\1\1\1", 7);
    put16(16, 2);
    put16(18, 3);
    put32(24, entry);
    put32(28, 52);
    put16(42, 32);
    put16(44, 1);
    put32(52, 1);
    put32(52 + 4, 0x100);
    put32(52 + 8, paddr);
    put32(52 + 12, paddr);
    put32(52 + 16, 0x20);
    put32(52 + 20, 0x40);
    memset(file + 0x100, 0xab, 0x20);
    l.size = 0x120;
}

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
    refused("is no kernel: a gzip file: unpack it first");
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
    put16(16, 3);
    refused("an ELF file of type 3, not an executable for fixed addresses");
    put16(16, 2);
    put16(18, 183);
    refused("an ELF file for another machine (183)");
    put16(18, 62);
    assert_int_equal(load_kernel(&l), 0);
}

static void multiboot1_header(size_t at, uint32_t flags)
{
    put32(at, 0x1badb002);
    put32(at + 4, flags);
    put32(at + 8, -(0x1badb002 + flags));
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
    multiboot1_header(0, 4);
    l.size = 0x400;
    refused("a multiboot header with demands that Hamlet cannot meet: flags 0x4");
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

/* Tags are written from at + 16 on by the caller, `size` bytes of them. */
static void multiboot2_header(size_t at, uint32_t size)
{
    put32(at, 0xe85250d6);
    put32(at + 4, 0);
    put32(at + 8, 16 + size);
    put32(at + 12, -(0xe85250d6 + 16 + size));
}

static void tag(size_t at, uint16_t type, uint16_t flags, uint32_t size)
{
    put16(at, type);
    put16(at + 2, flags);
    put32(at + 4, size);
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
    tag(0x10, 6, 0, 8);
    tag(0x18, 6, 0, 8);
    refused("a multiboot2 header whose tags do not end");
    tag(0x10, 6, 0, 7);
    refused("a multiboot2 header whose tags do not end");
    tag(0x10, 6, 0, 0xfffffff9);
    refused("a multiboot2 header whose tags do not end");
    tag(0x10, 2, 0, 16);
    refused("a multiboot2 header with an address tag that is too short");
    tag(0x10, 3, 0, 8);
    refused("a multiboot2 header with an entry tag that is too short");
    tag(0x10, 5, 0, 16);
    refused("a multiboot2 header with a demand that Hamlet cannot meet: tag 5");
    tag(0x10, 5, 1, 8);
    tag(0x18, 0, 0, 8);
    refused("a multiboot header without addresses in a file that is not ELF");
}

/* --- What the kernel gets -------------------------------------------------------------------- */

TEST(information_1)
{
    static const uint8_t initrd[] = "the initrd";
    elf32(0x300000, 0x300004);
    l.size = 0x400;
    multiboot1_header(0x200, 3);
    l.initrd = initrd;
    l.initrd_size = sizeof(initrd);
    l.high = 1 << 21;
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(get32(LOAD_INFO),
                     0x24d); /* memory, command line, modules, map, loader's name */
    assert_int_equal(get32(LOAD_INFO + 4), 576);
    assert_int_equal(get32(LOAD_INFO + 8), 3 * 1024);
    assert_string_equal((char *)ram + get32(LOAD_INFO + 16), "one two");
    assert_int_equal(get32(LOAD_INFO + 20), 1);
    uint32_t module = get32(LOAD_INFO + 24);
    assert_int_equal(get32(module), LOW - 0x1000);
    assert_int_equal(get32(module + 4), LOW - 0x1000 + sizeof(initrd));
    assert_memory_equal(ram + get32(module), initrd, sizeof(initrd));
    assert_string_equal((char *)ram + get32(module + 8), "initrd");
    uint32_t length = get32(LOAD_INFO + 44), map = get32(LOAD_INFO + 48);
    assert_int_equal(length, 7 * 24);
    assert_int_equal(get32(map), 20);
    assert_int_equal(get64(map + 4), 0);
    assert_int_equal(get64(map + 12), 0x90000);
    assert_int_equal(get32(map + 20), 1);
    assert_int_equal(get32(map + 24 + 20), 2);
    assert_int_equal(get64(map + 6 * 24 + 4), UINT64_C(1) << 32);
    assert_int_equal(get64(map + 6 * 24 + 12), 1 << 21);
    assert_string_equal((char *)ram + get32(LOAD_INFO + 64), "Hamlet");
}

/* The tag of this type, or 0. */
static uint64_t find_tag(uint32_t type)
{
    uint64_t at = LOAD_INFO + 8, end = LOAD_INFO + get32(LOAD_INFO);
    while (at < end && get32(at) != type && get32(at) != 0)
        at += (get32(at + 4) + 7) & ~UINT64_C(7);
    assert_true(at < end);
    return get32(at) == type ? at : 0;
}

TEST(information_2)
{
    static const uint8_t initrd[5000] = {1, 2, 3};
    elf64(0x200000, 0x200000, 0x200000);
    assert_int_equal(load_kernel(&l), 0);
    assert_int_equal(find_tag(3), 0);
    l.initrd = initrd;
    l.initrd_size = sizeof(initrd);
    assert_int_equal(load_kernel(&l), 0);
    assert_string_equal((char *)ram + find_tag(1) + 8, "one two");
    assert_string_equal((char *)ram + find_tag(2) + 8, "Hamlet");
    assert_int_equal(get32(find_tag(4) + 8), 576);
    assert_int_equal(get32(find_tag(4) + 12), 3 * 1024);
    uint64_t map = find_tag(6);
    assert_int_equal(get32(map + 4), 16 + 6 * 24);
    assert_int_equal(get32(map + 8), 24);
    assert_int_equal(get64(map + 16 + 2 * 24), 0x100000);
    assert_int_equal(get64(map + 16 + 2 * 24 + 8), LOW - 0x100000);
    uint64_t module = find_tag(3);
    assert_int_equal(get32(module + 8), LOW - 0x2000);
    assert_int_equal(get32(module + 12), LOW - 0x2000 + 5000);
    assert_memory_equal(ram + LOW - 0x2000, initrd, 5000);
    assert_int_equal(find_tag(99), 0);
}

TEST(initrd_without_room)
{
    static uint8_t initrd[LOW];
    l.initrd = initrd;
    elf64(0x200000, 0x3ff000, 0x3ff000);
    l.initrd_size = 1;
    refused("no room for an initrd of 0x1 bytes");
    elf64(0x200000, 0x3fe000, 0x3fe000);
    l.image_start = l.image_end = 0;
    assert_int_equal(load_kernel(&l), 0);
    elf64(0x200000, 0x100000, 0x100000);
    l.image_start = l.image_end = 0;
    l.initrd_size = LOW - 0x100000;
    refused("no room for an initrd of 0x300000 bytes");
    l.initrd_size = LOW;
    l.image_start = l.image_end = 0;
    refused("no room for an initrd of 0x400000 bytes");
    l.initrd_size = UINT64_MAX;
    refused("initrd of 0xffffffffffffffff bytes; the VM has 0x400000");
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
    assert_true(LOAD_INFO + get32(LOAD_INFO) < 0xa0000);
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
        T(information_1),
        T(information_2),
        T(initrd_without_room),
        T(information_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
