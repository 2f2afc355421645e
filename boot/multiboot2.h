/* SPDX-License-Identifier: MIT */
/*
 * The multiboot2 information, turned into struct boot_info. The only header that knows the format.
 * From: boot/main.c.   To: boot/multiboot2.c.
 * Spec: Multiboot2 "Boot information format".
 */
#pragma once
#include "lib/bits.h"
#include "arch/boot_info.h"
#include "lib/errno.h"

#define MULTIBOOT2_MAGIC 0x36d76289 /* in EAX at entry */

struct mb2_info {
    uint32_t total_size; /* of everything, this header included */
    uint32_t reserved;
};

enum mb2_tag_type {
    MB2_TAG_END = 0,
    MB2_TAG_CMDLINE = 1,
    MB2_TAG_MODULE = 3,
    MB2_TAG_MMAP = 6,
    MB2_TAG_ELF = 9,
    MB2_TAG_RSDP_OLD = 14,
    MB2_TAG_RSDP_NEW = 15,
};

/* Tags follow each other on 8-byte borders. */
struct mb2_tag {
    uint32_t type;
    uint32_t size; /* of this tag, without the padding behind it */
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
    uint32_t type; /* 1: usable; everything else is not */
    uint32_t reserved;
};
#define MB2_MEMORY_USABLE 1
static_assert(sizeof(struct mb2_mmap_entry) == 24, "Multiboot2: memory map entry");

struct mb2_elf {
    struct mb2_tag tag;
    uint32_t count, entry_size, name_section;
};
LAYOUT(struct mb2_elf, name_section, 16);

/* Read all tags of `info` into *out. -EINVAL (logged): not started by multiboot2, or a tag that runs
 * over its end. What does not fit into *out is logged and left out. Pure. */
MUST_CHECK int multiboot2_parse(uint32_t magic, const struct mb2_info *info, struct boot_info *out);
