/* SPDX-License-Identifier: MIT */
/*
 * The section headers of an ELF kernel: a debugger inside of the kernel finds its symbols by them.
 * From: guest/load/info.c (load_sections).   To: guest/load/image.c (load_top).
 * Spec: Multiboot "Boot information format"; Multiboot2 "Boot information format".
 */
#include "guest/load/load.h"
#include "lib/elf.h"
#include "lib/string.h"

/* Load a section that no segment holds. Its address; 0: it is in a segment, empty, or without
 * room. */
static uint64_t put_section(struct load *l, uint64_t address, uint32_t type, uint64_t offset,
                            uint64_t size)
{
    if (address || size == 0 || type == 0 || type == ELF_SECTION_NOBITS || offset > l->size ||
        size > l->size - offset)
        return address;
    uint64_t at = load_top(l, size);
    if (at)
        memcpy(l->ram + at, l->file + offset, size);
    return at;
}

void load_sections(struct load *l, uint8_t *to)
{
    const struct load_sections *s = &l->sections;
    memcpy(to, l->file + s->offset, (size_t)s->count * s->entry_size);
    for (unsigned n = 0; n < s->count; n++, to += s->entry_size) {
        struct elf64_section wide;
        struct elf32_section h;
        if (s->entry_size == sizeof(wide)) {
            memcpy(&wide, to, sizeof(wide));
            wide.address = put_section(l, wide.address, wide.type, wide.offset, wide.size);
            memcpy(to, &wide, sizeof(wide));
        } else {
            memcpy(&h, to, sizeof(h));
            h.address = (uint32_t)put_section(l, h.address, h.type, h.offset, h.size);
            memcpy(to, &h, sizeof(h));
        }
    }
}
