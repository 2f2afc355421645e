/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is told by its boot loader, Hamlet: command line, memory, initrd.
 * From: guest/load/load.c.
 * Spec: Multiboot "Boot information format"; Multiboot2 "Boot information format".
 */
#include "guest/load/load.h"
#include "lib/string.h"

#define LOADER_NAME   "Hamlet"
#define INITRD_NAME   "initrd"

#define TYPE_USABLE   1
#define TYPE_RESERVED 2

/* Things are laid down one after the other; all of them together are far smaller than the area. */
struct cursor {
    uint8_t *ram;
    uint64_t at; /* guest-physical */
};

static uint32_t put(struct cursor *c, const void *bytes, size_t size, size_t align)
{
    c->at = ALIGN_UP(c->at, align);
    uint64_t at = c->at;
    memcpy(c->ram + at, bytes, size);
    c->at += size;
    return (uint32_t)at;
}

static uint32_t put_string(struct cursor *c, const char *s) { return put(c, s, strlen(s) + 1, 1); }

/* KiB of memory from 0 and from 1 MiB on, both up to the first hole. */
static uint32_t kib_lower(void) { return LOAD_AREA / 1024; }
static uint32_t kib_upper(const struct load *l)
{
    return (uint32_t)((l->low - LOAD_AREA_END) / 1024);
}

/* --- Multiboot ---------------------------------------------------------------------------------- */

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
};
LAYOUT(struct mb1_info, mmap_length, 44);
LAYOUT(struct mb1_info, boot_loader_name, 64);
#define MB1_INFO_MEM     BIT(0)
#define MB1_INFO_CMDLINE BIT(2)
#define MB1_INFO_MODS    BIT(3)
#define MB1_INFO_MMAP    BIT(6)
#define MB1_INFO_LOADER  BIT(9)

struct mb1_module {
    uint32_t start, end, string, reserved;
};
struct mb1_mmap {
    uint32_t size; /* of what follows */
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));
static_assert(sizeof(struct mb1_mmap) == 24, "Multiboot: memory map entry");

static void put_map1(struct cursor *c, const struct load *l, struct mb1_info *info)
{
    struct load_range ranges[LOAD_RANGE_MAX];
    size_t count = load_map(l, ranges);
    info->mmap_length = (uint32_t)(count * sizeof(struct mb1_mmap));
    info->mmap_addr = (uint32_t)(c->at = ALIGN_UP(c->at, 4));
    for (size_t i = 0; i < count; i++) {
        struct mb1_mmap e = {sizeof(e) - 4, ranges[i].base, ranges[i].size,
                             ranges[i].usable ? TYPE_USABLE : TYPE_RESERVED};
        put(c, &e, sizeof(e), 4);
    }
}

void load_info1(struct load *l)
{
    struct cursor c = {l->ram, LOAD_INFO + sizeof(struct mb1_info)};
    struct mb1_info info = {
        .flags = MB1_INFO_MEM | MB1_INFO_CMDLINE | MB1_INFO_MODS | MB1_INFO_MMAP | MB1_INFO_LOADER,
        .mem_lower = kib_lower(),
        .mem_upper = kib_upper(l),
    };
    info.cmdline = put_string(&c, l->cmdline);
    info.boot_loader_name = put_string(&c, LOADER_NAME);
    put_map1(&c, l, &info);
    if (l->initrd) {
        struct mb1_module m = {.start = (uint32_t)l->initrd_at,
                               .end = (uint32_t)(l->initrd_at + l->initrd_size)};
        m.string = put_string(&c, INITRD_NAME);
        info.mods_count = 1;
        info.mods_addr = put(&c, &m, sizeof(m), 4);
    }
    memcpy(l->ram + LOAD_INFO, &info, sizeof(info));
}

/* --- Multiboot2 --------------------------------------------------------------------------------- */

enum mb2_tag_type {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_LOADER = 2,
    MB2_MODULE = 3,
    MB2_BASIC_MEM = 4,
    MB2_MMAP = 6,
};
struct mb2_tag {
    uint32_t type, size;
};
struct mb2_mmap_entry {
    uint64_t base, length;
    uint32_t type, reserved;
};
static_assert(sizeof(struct mb2_mmap_entry) == 24, "Multiboot2: memory map entry");

/* One tag: its fixed words, then a string or entries; the next starts on an 8-byte border. */
static void put_tag(struct cursor *c, uint32_t type, const void *head, size_t head_size,
                    const void *tail, size_t tail_size)
{
    struct mb2_tag tag = {type, (uint32_t)(sizeof(tag) + head_size + tail_size)};
    put(c, &tag, sizeof(tag), 8);
    put(c, head, head_size, 1);
    put(c, tail, tail_size, 1);
}

static void put_map2(struct cursor *c, const struct load *l)
{
    struct load_range ranges[LOAD_RANGE_MAX];
    struct mb2_mmap_entry entries[LOAD_RANGE_MAX];
    size_t count = load_map(l, ranges);
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct mb2_mmap_entry){ranges[i].base, ranges[i].size,
                                             ranges[i].usable ? TYPE_USABLE : TYPE_RESERVED, 0};
    uint32_t head[2] = {sizeof(entries[0]), 0}; /* entry size and version */
    put_tag(c, MB2_MMAP, head, sizeof(head), entries, count * sizeof(entries[0]));
}

void load_info2(struct load *l)
{
    struct cursor c = {l->ram, LOAD_INFO + 8};
    uint32_t memory[2] = {kib_lower(), kib_upper(l)};
    put_tag(&c, MB2_CMDLINE, "", 0, l->cmdline, strlen(l->cmdline) + 1);
    put_tag(&c, MB2_LOADER, "", 0, LOADER_NAME, sizeof(LOADER_NAME));
    put_tag(&c, MB2_BASIC_MEM, memory, sizeof(memory), "", 0);
    put_map2(&c, l);
    if (l->initrd) {
        uint32_t where[2] = {(uint32_t)l->initrd_at, (uint32_t)(l->initrd_at + l->initrd_size)};
        put_tag(&c, MB2_MODULE, where, sizeof(where), INITRD_NAME, sizeof(INITRD_NAME));
    }
    put_tag(&c, MB2_END, "", 0, "", 0);
    uint32_t head[2] = {(uint32_t)(c.at - LOAD_INFO), 0}; /* total size, reserved */
    memcpy(l->ram + LOAD_INFO, head, sizeof(head));
}
