/* SPDX-License-Identifier: MIT */
/*
 * The formats of Multiboot and Multiboot2. Hamlet is on both sides: GRUB loads Hamlet as a
 * Multiboot2 kernel, and Hamlet loads the kernels of its VMs as GRUB would.
 * From: boot/multiboot2.c (reads the information), guest/load/info.c (writes it),
 * guest/load/multiboot.c (reads a kernel's header).
 * Spec: Multiboot "OS image format", "Boot information format"; Multiboot2 "OS image format", "Boot
 * information format".
 */
#pragma once
#include "lib/bits.h"

#define MULTIBOOT1_MAGIC 0x2badb002 /* in EAX at the kernel's entry */
#define MULTIBOOT2_MAGIC 0x36d76289

/* Types of memory, the same in both and in the E820 map of Linux. No other type is usable. */
#define MEMORY_USABLE    1
#define MEMORY_RESERVED  2

/* Where to load a kernel that is not ELF; in both headers. Each end is the first byte behind. */
struct mb_placement {
    uint32_t header; /* of the header itself: gives the others their offsets in the file */
    uint32_t load;
    uint32_t load_end; /* 0: all of the file */
    uint32_t bss_end;  /* 0: there is no bss */
};

/* The screen that the kernel finds; in both kinds of information. */
struct mb_screen {
    uint64_t address;
    uint32_t pitch, width, height; /* pitch: bytes of a row; the others in characters or pixels */
    uint8_t bits, type;            /* bits of a character or a pixel */
    uint16_t reserved;
} __attribute__((packed));
static_assert(sizeof(struct mb_screen) == 24, "Multiboot2: framebuffer tag, without its head");
#define MB_SCREEN_TEXT   2 /* type */

/* --- Multiboot: header in the kernel's file --------------------------------------------------- */

#define MB1_HEADER_MAGIC 0x1badb002
#define MB1_HEADER_MIN   12   /* without the addresses */
#define MB1_HEADER_MAX   8192 /* it lies within so many bytes of the file's start ... */
#define MB1_HEADER_ALIGN 4    /* ... on such a border */

struct mb1_header {
    uint32_t magic, flags, checksum;
    struct mb_placement placement; /* this and entry: if MB1_FLAG_ADDRESS */
    uint32_t entry;
};
static_assert(sizeof(struct mb1_header) == 32, "Multiboot: header without video fields");
#define MB1_FLAG_VIDEO   BIT(2)
#define MB1_FLAG_KNOWN   BITS(2, 0) /* of those that must be understood, 15:0 */
#define MB1_FLAG_ADDRESS BIT(16)

/* --- Multiboot: information ------------------------------------------------------------------- */

struct mb1_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr, config_table;
    uint32_t boot_loader_name;
    uint32_t apm_table;
    uint32_t vbe[4];
    struct mb_screen screen;
    uint32_t colors;
} __attribute__((packed));
LAYOUT(struct mb1_info, mmap_length, 44);
LAYOUT(struct mb1_info, boot_loader_name, 64);
LAYOUT(struct mb1_info, screen, 88);
#define MB1_INFO_MEM     BIT(0)
#define MB1_INFO_CMDLINE BIT(2)
#define MB1_INFO_MODS    BIT(3)
#define MB1_INFO_ELF     BIT(5) /* syms: count, entry size, address, section of names */
#define MB1_INFO_MMAP    BIT(6)
#define MB1_INFO_LOADER  BIT(9)
#define MB1_INFO_SCREEN  BIT(12)

struct mb1_module {
    uint32_t start, end, string, reserved;
};

struct mb1_mmap_entry {
    uint32_t entry_size; /* of what follows */
    uint64_t base, size;
    uint32_t type;
} __attribute__((packed));
static_assert(sizeof(struct mb1_mmap_entry) == 24, "Multiboot: memory map entry");

/* --- Multiboot2: header in the kernel's file -------------------------------------------------- */

#define MB2_HEADER_MAGIC 0xe85250d6
#define MB2_HEADER_MAX   32768
#define MB2_HEADER_ALIGN 8

struct mb2_header {
    uint32_t magic, architecture, length, checksum;
};
#define MB2_ARCH_I386 0

enum mb2_header_tag_type {
    MB2_HEADER_END = 0,
    MB2_HEADER_REQUEST = 1,
    MB2_HEADER_ADDRESS = 2,
    MB2_HEADER_ENTRY = 3,
    MB2_HEADER_CONSOLE = 4,
    MB2_HEADER_FRAMEBUFFER = 5,
    MB2_HEADER_MODULE_ALIGN = 6,
    MB2_HEADER_EFI_BS = 7,
    MB2_HEADER_EFI32 = 8,
    MB2_HEADER_EFI64 = 9,
    MB2_HEADER_RELOCATABLE = 10,
};

struct mb2_header_tag {
    uint16_t type, flags;
    uint32_t size;
};
#define MB2_HEADER_OPTIONAL BIT(0) /* flags */
/* MB2_HEADER_ADDRESS has a struct mb_placement behind this, MB2_HEADER_ENTRY a 32-bit address. */

/* --- Multiboot2: information ------------------------------------------------------------------ */

struct mb2_info {
    uint32_t total_size; /* of everything, this header included */
    uint32_t reserved;
};

enum mb2_tag_type {
    MB2_TAG_END = 0,
    MB2_TAG_CMDLINE = 1,
    MB2_TAG_LOADER = 2,
    MB2_TAG_MODULE = 3,
    MB2_TAG_BASIC_MEM = 4,
    MB2_TAG_BOOT_DEVICE = 5,
    MB2_TAG_MMAP = 6,
    MB2_TAG_VBE = 7,
    MB2_TAG_SCREEN = 8,
    MB2_TAG_ELF = 9,
    MB2_TAG_APM = 10,
    MB2_TAG_EFI32 = 11,
    MB2_TAG_EFI64 = 12,
    MB2_TAG_SMBIOS = 13,
    MB2_TAG_RSDP_OLD = 14,
    MB2_TAG_RSDP_NEW = 15,
    MB2_TAG_NETWORK = 16,
    MB2_TAG_EFI_MMAP = 17,
    MB2_TAG_EFI_BS = 18,
    MB2_TAG_EFI32_HANDLE = 19,
    MB2_TAG_EFI64_HANDLE = 20,
    MB2_TAG_LOAD_BASE = 21,
};

/* Tags follow each other on 8-byte borders. */
struct mb2_tag {
    uint32_t type;
    uint32_t size; /* of this tag, without the padding behind it */
};

struct mb2_basic_mem {
    struct mb2_tag tag;
    uint32_t mem_lower, mem_upper; /* KiB */
};

struct mb2_module {
    struct mb2_tag tag;
    uint32_t start, end; /* physical; end is the first byte behind */
    char cmdline[];
};
LAYOUT(struct mb2_module, cmdline, 16);

struct mb2_mmap {
    struct mb2_tag tag;
    uint32_t entry_size, entry_version;
};

struct mb2_mmap_entry {
    uint64_t base, size;
    uint32_t type, reserved;
};
static_assert(sizeof(struct mb2_mmap_entry) == 24, "Multiboot2: memory map entry");

struct mb2_load_base {
    struct mb2_tag tag;
    uint32_t base;
};

struct mb2_elf {
    struct mb2_tag tag;
    uint32_t count, entry_size, name_section;
};
LAYOUT(struct mb2_elf, name_section, 16);
