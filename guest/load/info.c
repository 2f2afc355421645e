/* SPDX-License-Identifier: MIT */
/*
 * Boot information: command line, memory map and initrd, as a Multiboot kernel gets them.
 * From: guest/load/load.c (load_info1, load_info2).   To: lib/multiboot.h (the formats).
 * Spec: Multiboot "Boot information format"; Multiboot2 "Boot information format".
 */
#include "guest/load/load.h"
#include "lib/string.h"

#define LOADER_NAME "Hamlet"
#define INITRD_NAME "initrd"

/* Where the next record goes. All records together are smaller than the area: no bound is
 * checked. */
struct cursor {
    uint8_t *ram;
    uint64_t at; /* guest-physical */
};

/* Returns the guest-physical address of the record. */
static uint32_t put(struct cursor *c, const void *bytes, size_t size, size_t align)
{
    uint64_t at = ALIGN_UP(c->at, align);
    memcpy(c->ram + at, bytes, size);
    c->at = at + size;
    return (uint32_t)at;
}

static uint32_t put_string(struct cursor *c, const char *s) { return put(c, s, strlen(s) + 1, 1); }

/* KiB of memory from 0 on and from 1 MiB on, each up to the first hole. */
static uint32_t kib_lower(void) { return LOAD_AREA / 1024; }
static uint32_t kib_upper(const struct load *l)
{
    return (uint32_t)((l->low - LOAD_AREA_END) / 1024);
}

/* --- Multiboot -------------------------------------------------------------------------------- */

static void put_map1(struct cursor *c, const struct load *l, struct mb1_info *info)
{
    struct load_range ranges[LOAD_RANGE_MAX];
    size_t count = load_map(l, ranges);
    info->mmap_length = (uint32_t)(count * sizeof(struct mb1_mmap_entry));
    info->mmap_addr = put(c, "", 0, 4);
    for (size_t i = 0; i < count; i++) {
        struct mb1_mmap_entry e = {sizeof(e) - sizeof(e.entry_size), ranges[i].base, ranges[i].size,
                                   ranges[i].type};
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

/* --- Multiboot2 ------------------------------------------------------------------------------- */

/* One tag: its fixed part, in which this function sets the size, then a string or entries. */
static void put_tag(struct cursor *c, struct mb2_tag *tag, size_t fixed_size, const void *tail,
                    size_t tail_size)
{
    tag->size = (uint32_t)(fixed_size + tail_size);
    put(c, tag, fixed_size, 8);
    put(c, tail, tail_size, 1);
}

static void put_string_tag(struct cursor *c, uint32_t type, const char *s)
{
    struct mb2_tag tag = {.type = type};
    put_tag(c, &tag, sizeof(tag), s, strlen(s) + 1);
}

static void put_map2(struct cursor *c, const struct load *l)
{
    struct load_range ranges[LOAD_RANGE_MAX];
    struct mb2_mmap_entry entries[LOAD_RANGE_MAX];
    struct mb2_mmap map = {.tag.type = MB2_TAG_MMAP, .entry_size = sizeof(entries[0])};
    size_t count = load_map(l, ranges);
    for (size_t i = 0; i < count; i++)
        entries[i] =
            (struct mb2_mmap_entry){ranges[i].base, ranges[i].size, ranges[i].type, .reserved = 0};
    put_tag(c, &map.tag, sizeof(map), entries, count * sizeof(entries[0]));
}

void load_info2(struct load *l)
{
    struct cursor c = {l->ram, LOAD_INFO + sizeof(struct mb2_info)};
    struct mb2_basic_mem memory = {{.type = MB2_TAG_BASIC_MEM}, kib_lower(), kib_upper(l)};
    put_string_tag(&c, MB2_TAG_CMDLINE, l->cmdline);
    put_string_tag(&c, MB2_TAG_LOADER, LOADER_NAME);
    put_tag(&c, &memory.tag, sizeof(memory), "", 0);
    put_map2(&c, l);
    if (l->initrd) {
        struct mb2_module m = {.tag.type = MB2_TAG_MODULE,
                               .start = (uint32_t)l->initrd_at,
                               .end = (uint32_t)(l->initrd_at + l->initrd_size)};
        put_tag(&c, &m.tag, sizeof(m), INITRD_NAME, sizeof(INITRD_NAME));
    }
    struct mb2_tag end = {.type = MB2_TAG_END};
    put_tag(&c, &end, sizeof(end), "", 0);
    struct mb2_info info = {.total_size = (uint32_t)(c.at - LOAD_INFO)};
    memcpy(l->ram + LOAD_INFO, &info, sizeof(info));
}
