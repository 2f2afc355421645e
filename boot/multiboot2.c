/* SPDX-License-Identifier: MIT */
/*
 * From the tags of Multiboot2 to struct boot_info: one function per tag, one table. Hamlet trusts
 * the loader, but a tag with a wrong size must not lead beyond the information.
 * From: boot/main.c.   To: arch/boot_info.h (the result).
 * Spec: Multiboot2 "Boot information format". Hamlet needs no tag that the table lacks.
 */
#include "boot/multiboot2.h"
#include "lib/elf.h"
#include "lib/string.h"
#define LOG "boot"
#include "arch/log.h"

/* A text at `offset` in the tag; "" if the tag ends before the text does. */
static const char *text_in(const struct mb2_tag *tag, size_t offset)
{
    const char *text = (const char *)tag + offset;
    for (size_t i = offset; i < tag->size; i++)
        if (text[i - offset] == '\0')
            return text;
    return "";
}

static void take_cmdline(const struct mb2_tag *tag, struct boot_info *out)
{
    out->cmdline = text_in(tag, sizeof(*tag));
}

static void take_module(const struct mb2_tag *tag, struct boot_info *out)
{
    const struct mb2_module *m = (const struct mb2_module *)tag;
    if (tag->size < sizeof(*m) || m->end < m->start) {
        log_error("module left out: its tag is broken");
        return;
    }
    if (out->module_count == BOOT_MODULE_MAX) {
        log_error("module left out: there are more than %d", BOOT_MODULE_MAX);
        return;
    }
    out->modules[out->module_count++] = (struct boot_module){
        .data = (const uint8_t *)(uintptr_t)m->start,
        .size = m->end - m->start,
        .cmdline = text_in(tag, sizeof(*m)),
    };
}

static void take_mmap(const struct mb2_tag *tag, struct boot_info *out)
{
    const struct mb2_mmap *map = (const struct mb2_mmap *)tag;
    if (tag->size < sizeof(*map) || map->entry_size < sizeof(struct mb2_mmap_entry) ||
        !IS_ALIGNED(map->entry_size, 8)) {
        log_error("memory map ignored: its tag is broken");
        return;
    }
    size_t count = (tag->size - sizeof(*map)) / map->entry_size;
    for (size_t i = 0; i < count; i++) {
        const struct mb2_mmap_entry *e =
            (const void *)((const char *)(map + 1) + i * map->entry_size);
        if (e->size == 0 || e->base + e->size < e->base)
            continue;
        if (out->range_count == BOOT_RANGE_MAX) {
            log_error("memory map cut off: more than %d ranges", BOOT_RANGE_MAX);
            return;
        }
        out->ranges[out->range_count++] =
            (struct boot_range){hpa(e->base), e->size, e->type == MEMORY_USABLE};
    }
}

/* The section headers begin at byte 20 of the tag, so they are not aligned: copy, do not point. */
static struct elf64_section section_at(const struct mb2_elf *elf, uint32_t n)
{
    struct elf64_section s;
    memcpy(&s, (const char *)(elf + 1) + n * sizeof(s), sizeof(s));
    return s;
}

/* GRUB loads also the sections that no segment covers, and writes their place into `address`. */
static void take_elf(const struct mb2_tag *tag, struct boot_info *out)
{
    const struct mb2_elf *elf = (const struct mb2_elf *)tag;
    if (tag->size < sizeof(*elf) || elf->entry_size != sizeof(struct elf64_section) ||
        elf->count > (tag->size - sizeof(*elf)) / sizeof(struct elf64_section))
        return; /* backtraces have no names */
    for (uint32_t i = 0; i < elf->count; i++) {
        struct elf64_section symbols = section_at(elf, i);
        if (symbols.type != ELF_SECTION_SYMTAB || symbols.link >= elf->count)
            continue;
        struct elf64_section names = section_at(elf, symbols.link);
        out->symtab = (const void *)(uintptr_t)symbols.address;
        out->symtab_size = symbols.size;
        out->strtab = (const char *)(uintptr_t)names.address;
        out->strtab_size = names.size;
    }
}

/* The larger RSDP wins: that of ACPI 2.0, which names the 64-bit XSDT. */
static void take_rsdp(const struct mb2_tag *tag, struct boot_info *out)
{
    size_t size = tag->size - sizeof(*tag);
    if (size <= out->rsdp_size)
        return;
    out->rsdp = tag + 1;
    out->rsdp_size = size;
}

/* Of a palette Hamlet knows one form: entry 15 of 256 is white, as the firmware sets them. */
static void take_screen(const struct mb2_tag *tag, struct boot_info *out)
{
    const struct mb_screen *s = (const void *)(tag + 1);
    if (tag->size < sizeof(*tag) + sizeof(*s) || s->type > MB_SCREEN_TEXT)
        return;
    out->screen = (struct boot_screen){
        .base = hpa(s->address),
        .pitch = s->pitch,
        .width = s->width,
        .height = s->height,
        .bits = s->bits,
        .text = s->type == MB_SCREEN_TEXT,
    };
}

static void (*const take[])(const struct mb2_tag *tag, struct boot_info *out) = {
    [MB2_TAG_CMDLINE] = take_cmdline, [MB2_TAG_MODULE] = take_module,
    [MB2_TAG_MMAP] = take_mmap,       [MB2_TAG_ELF] = take_elf,
    [MB2_TAG_RSDP_OLD] = take_rsdp,   [MB2_TAG_RSDP_NEW] = take_rsdp,
    [MB2_TAG_SCREEN] = take_screen,
};

int multiboot2_parse(uint32_t magic, const struct mb2_info *info, struct boot_info *out)
{
    *out = (struct boot_info){.cmdline = ""};
    if (magic != MULTIBOOT2_MAGIC)
        return FAIL(EINVAL, "not started by a multiboot2 loader (magic=0x%x)", magic);
    if (info->total_size < sizeof(*info))
        return FAIL(EINVAL, "multiboot2 information of %u bytes has no tags", info->total_size);
    out->info_base = ptr_hpa(info);
    out->info_size = info->total_size;
    const char *end = (const char *)info + info->total_size;
    const char *at = (const char *)(info + 1);
    while ((size_t)(end - at) >= sizeof(struct mb2_tag)) {
        const struct mb2_tag *tag = (const void *)at;
        if (tag->type == MB2_TAG_END)
            return 0;
        if (tag->size < sizeof(*tag) || tag->size > (size_t)(end - at))
            return FAIL(EINVAL, "multiboot2 tag %u runs over the end", tag->type);
        if (tag->type < ARRAY_COUNT(take) && take[tag->type])
            take[tag->type](tag, out);
        at += MIN(ALIGN_UP(tag->size, 8), (uint64_t)(end - at));
    }
    return 0;
}
