/* SPDX-License-Identifier: MIT */
/*
 * ELF programs of both classes: the segments go where their physical addresses say.
 * From: guest/load/load.c (load_elf), guest/load/multiboot.c (kernels in ELF files).
 * To: guest/load/image.c (load_put).
 * Spec: ELF "ELF Header", "Program Header".   Not handled: relocation (ET_DYN).
 */
#include "guest/load/load.h"
#include "lib/elf.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

#define SEGMENT_MAX 64

/* The fields of both classes of header, in the wider form. */
struct elf {
    bool is_64;
    uint64_t entry, phoff;
    unsigned phentsize, phnum;
};

bool load_is_elf(const struct load *l)
{
    return l->size >= strlen(ELF_MAGIC) && !memcmp(l->file, ELF_MAGIC, strlen(ELF_MAGIC));
}

/* The file may have any alignment, so headers are copied out of it. */
static int read_header(const struct load *l, struct elf *elf)
{
    struct elf32_header h32;
    struct elf64_header h64;
    if (l->size < sizeof(h32))
        return LOAD_FAIL(l, "an ELF file that is cut off");
    memcpy(&h32, l->file, sizeof(h32));
    elf->is_64 = h32.ident.class == ELF_CLASS64;
    if (h32.ident.data != ELF_LITTLE || (!elf->is_64 && h32.ident.class != ELF_CLASS32) ||
        h32.ident.machine != (elf->is_64 ? ELF_X86_64 : ELF_386))
        return LOAD_FAIL(l, "an ELF file for another machine (%u)", h32.ident.machine);
    if (h32.ident.type != ELF_EXEC)
        return LOAD_FAIL(l, "an ELF file of type %u, not an executable for fixed addresses",
                         h32.ident.type);
    if (!elf->is_64) {
        *elf = (struct elf){false, h32.entry, h32.phoff, h32.phentsize, h32.phnum};
        return 0;
    }
    if (l->size < sizeof(h64))
        return LOAD_FAIL(l, "an ELF file that is cut off");
    memcpy(&h64, l->file, sizeof(h64));
    *elf = (struct elf){true, h64.entry, h64.phoff, h64.phentsize, h64.phnum};
    return 0;
}

/* INVARIANT for read_segment(): the whole program header table is inside of the file. */
static int check_table(const struct load *l, const struct elf *elf)
{
    size_t entry = elf->is_64 ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment);
    if (elf->phnum == 0 || elf->phnum > SEGMENT_MAX)
        return LOAD_FAIL(l, "an ELF file with %u segments, 1 to %u are possible", elf->phnum,
                         SEGMENT_MAX);
    if (elf->phentsize < entry || elf->phoff > l->size ||
        (uint64_t)elf->phnum * elf->phentsize > l->size - elf->phoff)
        return LOAD_FAIL(l, "an ELF file whose program headers are beyond its end");
    return 0;
}

static struct elf64_segment read_segment(const struct load *l, const struct elf *elf, unsigned n)
{
    const uint8_t *at = l->file + elf->phoff + (uint64_t)n * elf->phentsize;
    struct elf64_segment s64;
    struct elf32_segment s;
    if (elf->is_64) {
        memcpy(&s64, at, sizeof(s64));
        return s64;
    }
    memcpy(&s, at, sizeof(s));
    return (struct elf64_segment){s.type,  s.flags,  s.offset, s.vaddr,
                                  s.paddr, s.filesz, s.memsz,  s.align};
}

int load_elf_segments(struct load *l, uint64_t *entry, bool *is_64)
{
    struct elf elf = {0};
    int err = read_header(l, &elf);
    if (!err)
        err = check_table(l, &elf);
    *is_64 = elf.is_64;
    *entry = elf.entry;
    for (unsigned n = 0; !err && n < elf.phnum; n++) {
        struct elf64_segment s = read_segment(l, &elf, n);
        if (s.type != ELF_SEGMENT_LOAD)
            continue;
        if (s.offset > l->size || s.filesz > l->size - s.offset || s.filesz > s.memsz)
            return LOAD_FAIL(l, "an ELF file with a segment beyond its end");
        err = load_put(l, s.paddr, l->file + s.offset, s.filesz, s.memsz);
        /* A kernel of the upper half gives the virtual address of its entry. It has no paging yet,
         * so it starts at the physical address. */
        if (elf.entry >= s.vaddr && elf.entry - s.vaddr < s.memsz)
            *entry = elf.entry - s.vaddr + s.paddr;
    }
    return err;
}

int load_elf(struct load *l)
{
    uint64_t entry;
    bool is_64;
    int err = load_elf_segments(l, &entry, &is_64);
    if (err)
        return err;
    if (is_64)
        load_start_long(l, "ELF64", entry);
    else
        load_start_multiboot(l, "ELF32", entry, MULTIBOOT2_MAGIC);
    return 0;
}
