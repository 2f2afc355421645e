/* SPDX-License-Identifier: MIT */
/*
 * Boot information: command line, memory map, modules, tables, as a Multiboot or PVH kernel gets
 * them.
 * From: guest/load/multiboot.c (load_info1), elf.c (load_info_pvh), load.c (load_info2).
 * To: lib/multiboot.h (the formats), guest/load/sections.c (load_sections).
 * Spec: Multiboot "Boot information format"; Multiboot2 "Boot information format"; Xen "x86/HVM
 * direct boot ABI".
 */
#include "guest/load/load.h"
#include "lib/acpi_tables.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

#define LOADER_NAME  "Hamlet"
#define SECTIONS_MAX 0x4000 /* bytes of section headers: more are left out */

/* Where the next record goes. All records together are smaller than the area: no bound is
 * checked. */
struct cursor {
    uint8_t *ram;
    uint64_t at;    /* guest-physical */
    uint64_t given; /* Multiboot2: types of the tags so far, bits */
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

/* The screen of a PC in text mode 3. */
static const struct mb_screen screen = {0xb8000, 160, 80, 25, 16, MB_SCREEN_TEXT, 0};

static size_t sections_size(const struct load *l)
{
    size_t size = (size_t)l->sections.count * l->sections.entry_size;
    return size <= SECTIONS_MAX ? size : 0;
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

static void put_modules1(struct cursor *c, const struct load *l, struct mb1_info *info)
{
    struct mb1_module modules[LOAD_MODULE_MAX];
    for (size_t i = 0; i < l->module_count; i++) {
        const struct load_module *m = &l->modules[i];
        modules[i] = (struct mb1_module){(uint32_t)m->at, (uint32_t)(m->at + m->size),
                                         put_string(c, m->string), 0};
    }
    info->mods_count = (uint32_t)l->module_count;
    info->mods_addr = put(c, modules, l->module_count * sizeof(modules[0]), 4);
}

static void put_sections1(struct cursor *c, struct load *l, struct mb1_info *info)
{
    size_t size = sections_size(l);
    if (size == 0)
        return;
    info->flags |= (uint32_t)MB1_INFO_ELF;
    info->syms[0] = l->sections.count;
    info->syms[1] = l->sections.entry_size;
    info->syms[2] = put(c, "", 0, 8);
    info->syms[3] = l->sections.names;
    load_sections(l, c->ram + c->at);
    c->at += size;
}

int load_info1(struct load *l)
{
    struct cursor c = {l->ram, LOAD_INFO + sizeof(struct mb1_info), 0};
    struct mb1_info info = {
        .flags = MB1_INFO_MEM | MB1_INFO_CMDLINE | MB1_INFO_MODS | MB1_INFO_MMAP | MB1_INFO_LOADER |
                 MB1_INFO_SCREEN,
        .mem_lower = kib_lower(),
        .mem_upper = kib_upper(l),
        .screen = screen,
    };
    info.cmdline = put_string(&c, l->cmdline);
    info.boot_loader_name = put_string(&c, LOADER_NAME);
    put_map1(&c, l, &info);
    put_modules1(&c, l, &info);
    put_sections1(&c, l, &info);
    memcpy(l->ram + LOAD_INFO, &info, sizeof(info));
    return 0;
}

/* --- Multiboot2 ------------------------------------------------------------------------------- */

/* One tag: its fixed part, in which this function sets the size, then a string or entries. */
static void put_tag(struct cursor *c, struct mb2_tag *tag, size_t fixed_size, const void *tail,
                    size_t tail_size)
{
    tag->size = (uint32_t)(fixed_size + tail_size);
    c->given |= BIT(tag->type);
    put(c, tag, fixed_size, 8);
    put(c, tail, tail_size, 1);
}

static void put_bytes_tag(struct cursor *c, uint32_t type, const void *bytes, size_t size)
{
    struct mb2_tag tag = {.type = type};
    put_tag(c, &tag, sizeof(tag), bytes, size);
}

static void put_string_tag(struct cursor *c, uint32_t type, const char *s)
{
    put_bytes_tag(c, type, s, strlen(s) + 1);
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

static void put_modules2(struct cursor *c, const struct load *l)
{
    c->given |= BIT(MB2_TAG_MODULE); /* a kernel that asks for modules gets all that there are */
    for (const struct load_module *f = l->modules; f < l->modules + l->module_count; f++) {
        struct mb2_module m = {.tag.type = MB2_TAG_MODULE,
                               .start = (uint32_t)f->at,
                               .end = (uint32_t)(f->at + f->size)};
        put_tag(c, &m.tag, sizeof(m), f->string, strlen(f->string) + 1);
    }
}

/* A kernel without sections that asks for them gets a tag without entries. */
static void put_sections2(struct cursor *c, struct load *l)
{
    size_t size = sections_size(l);
    struct mb2_elf elf = {{.type = MB2_TAG_ELF}, 0, l->sections.entry_size, l->sections.names};
    if (size == 0 && !(l->wanted & BIT(MB2_TAG_ELF)))
        return;
    elf.count = size ? l->sections.count : 0;
    put_tag(c, &elf.tag, sizeof(elf), l->file + l->sections.offset, size);
    if (size)
        load_sections(l, c->ram + c->at - size);
}

/* The old form of the tag holds the part of the RSDP that ACPI 1.0 knows. */
static void put_rsdp(struct cursor *c, const struct load *l)
{
    if (!l->rsdp)
        return;
    put_bytes_tag(c, MB2_TAG_RSDP_OLD, l->ram + l->rsdp, ACPI_RSDP_OLD_SIZE);
    put_bytes_tag(c, MB2_TAG_RSDP_NEW, l->ram + l->rsdp, sizeof(struct acpi_rsdp));
}

/* Information that no VM has. */
static const char *const absent[] = {
    [MB2_TAG_BOOT_DEVICE] = "a BIOS boot device",
    [MB2_TAG_VBE] = "VBE",
    [MB2_TAG_ELF] = "ELF sections",
    [MB2_TAG_APM] = "APM",
    [MB2_TAG_EFI32] = "an EFI system table",
    [MB2_TAG_EFI64] = "an EFI system table",
    [MB2_TAG_SMBIOS] = "SMBIOS tables",
    [MB2_TAG_NETWORK] = "a DHCP answer",
    [MB2_TAG_EFI_MMAP] = "an EFI memory map",
    [MB2_TAG_EFI_BS] = "EFI boot services",
    [MB2_TAG_EFI32_HANDLE] = "an EFI handle",
    [MB2_TAG_EFI64_HANDLE] = "an EFI handle",
};

int load_info2(struct load *l)
{
    struct cursor c = {l->ram, LOAD_INFO + sizeof(struct mb2_info), 0};
    struct mb2_basic_mem memory = {{.type = MB2_TAG_BASIC_MEM}, kib_lower(), kib_upper(l)};
    struct mb2_load_base base = {{.type = MB2_TAG_LOAD_BASE}, (uint32_t)l->image_start};
    put_string_tag(&c, MB2_TAG_CMDLINE, l->cmdline);
    put_string_tag(&c, MB2_TAG_LOADER, LOADER_NAME);
    put_tag(&c, &memory.tag, sizeof(memory), "", 0);
    put_map2(&c, l);
    put_modules2(&c, l);
    put_bytes_tag(&c, MB2_TAG_SCREEN, &screen, sizeof(screen));
    put_sections2(&c, l);
    put_rsdp(&c, l);
    put_tag(&c, &base.tag, sizeof(base), "", 0);
    put_bytes_tag(&c, MB2_TAG_END, "", 0);
    struct mb2_info info = {.total_size = (uint32_t)(c.at - LOAD_INFO)};
    memcpy(l->ram + LOAD_INFO, &info, sizeof(info));
    uint64_t missing = l->wanted & ~c.given;
    if (!missing)
        return 0;
    unsigned type = (unsigned)__builtin_ctzll(missing);
    return LOAD_FAIL(l, "requires what a VM does not have: %s (multiboot2 tag %u)",
                     type < ARRAY_COUNT(absent) && absent[type] ? absent[type] : "RSDP", type);
}

/* --- PVH -------------------------------------------------------------------------------------- */

struct pvh_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, cmdline, rsdp, map;
    uint32_t map_count, reserved;
};
#define PVH_MAGIC 0x336ec578

struct pvh_module {
    uint64_t at, size, string, reserved;
};

int load_info_pvh(struct load *l)
{
    struct cursor c = {l->ram, LOAD_INFO + sizeof(struct pvh_info), 0};
    struct pvh_info info = {.magic = PVH_MAGIC, .version = 1, .rsdp = l->rsdp};
    struct pvh_module modules[LOAD_MODULE_MAX];
    struct load_range ranges[LOAD_RANGE_MAX];
    for (size_t i = 0; i < l->module_count; i++)
        modules[i] = (struct pvh_module){l->modules[i].at, l->modules[i].size,
                                         put_string(&c, l->modules[i].string), 0};
    info.module_count = (uint32_t)l->module_count;
    info.modules = put(&c, modules, l->module_count * sizeof(modules[0]), 8);
    info.cmdline = put_string(&c, l->cmdline);
    info.map_count = (uint32_t)load_map(l, ranges);
    info.map = put(&c, "", 0, 8);
    for (size_t i = 0; i < info.map_count; i++) {
        struct mb2_mmap_entry e = {ranges[i].base, ranges[i].size, ranges[i].type, 0};
        put(&c, &e, sizeof(e), 8);
    }
    memcpy(l->ram + LOAD_INFO, &info, sizeof(info));
    return 0;
}
