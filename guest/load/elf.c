/* SPDX-License-Identifier: MIT */
/*
 * ELF programs of both classes: the segments go where their physical addresses say.
 * From: guest/load/load.c (load_elf), guest/load/multiboot.c (kernels in ELF files).
 * To: guest/load/image.c (load_put).
 * Spec: ELF "ELF Header", "Program Header", its notes and its dynamic section; Xen "x86/HVM direct
 * boot ABI".
 * Not handled: relocations of 32-bit kernels, or by symbol.
 */
#include "guest/load/load.h"
#include "lib/elf.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

#define SEGMENT_MAX 64
#define ALIGN_MAX   SIZE_2M

/* The fields of both classes of header, in the wider form. */
struct elf {
    bool is_64, moves; /* moves: ET_DYN, its addresses count from where it is loaded */
    uint64_t entry, phoff, shoff;
    unsigned phentsize, phnum, shentsize, shnum, shstrndx;
    uint64_t bias; /* what is added to its addresses */
};

bool load_is_elf(const struct load *l)
{
    return l->size >= strlen(ELF_MAGIC) && !memcmp(l->file, ELF_MAGIC, strlen(ELF_MAGIC));
}

/* The file may have any alignment, so headers are copied out of it. */
static int read_header(const struct load *l, struct elf *elf)
{
    struct elf32_header h;
    struct elf64_header w;
    if (l->size < sizeof(h))
        return LOAD_FAIL(l, "an ELF file that is cut off");
    memcpy(&h, l->file, sizeof(h));
    bool is_64 = h.ident.class == ELF_CLASS64, moves = h.ident.type == ELF_DYN;
    if (h.ident.data != ELF_LITTLE || (!is_64 && h.ident.class != ELF_CLASS32) ||
        h.ident.machine != (is_64 ? ELF_X86_64 : ELF_386))
        return LOAD_FAIL(l, "an ELF file for another machine (%u)", h.ident.machine);
    if (h.ident.type != ELF_EXEC && !moves)
        return LOAD_FAIL(l, "an ELF file of type %u, not an executable", h.ident.type);
    *elf = (struct elf){is_64,   moves,       h.entry, h.phoff,    h.shoff, h.phentsize,
                        h.phnum, h.shentsize, h.shnum, h.shstrndx, 0};
    if (!is_64)
        return 0;
    if (l->size < sizeof(w))
        return LOAD_FAIL(l, "an ELF file that is cut off");
    memcpy(&w, l->file, sizeof(w));
    *elf = (struct elf){is_64,   moves,       w.entry, w.phoff,    w.shoff, w.phentsize,
                        w.phnum, w.shentsize, w.shnum, w.shstrndx, 0};
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

/* Of each segment that this file looks into, the bytes are inside of the kernel's file. */
static int read_segment(const struct load *l, const struct elf *elf, unsigned n,
                        struct elf64_segment *out)
{
    const uint8_t *at = l->file + elf->phoff + (uint64_t)n * elf->phentsize;
    struct elf32_segment s;
    memcpy(&s, at, sizeof(s));
    if (elf->is_64)
        memcpy(out, at, sizeof(*out));
    else
        *out = (struct elf64_segment){s.type,  s.flags,  s.offset, s.vaddr,
                                      s.paddr, s.filesz, s.memsz,  s.align};
    bool used = out->type >= ELF_SEGMENT_LOAD && out->type <= ELF_SEGMENT_NOTE;
    if (used &&
        (out->offset > l->size || out->filesz > l->size - out->offset || out->filesz > out->memsz))
        return LOAD_FAIL(l, "an ELF file with a segment beyond its end");
    return 0;
}

/* --- Notes ------------------------------------------------------------------------------------ */

/* The entry of a PVH kernel, in a note of Xen's. */
static uint64_t find_pvh(const uint8_t *at, uint64_t size)
{
    struct elf_note note;
    uint32_t entry;
    while (size >= sizeof(note)) {
        memcpy(&note, at, sizeof(note));
        uint64_t name = ALIGN_UP((uint64_t)note.name_size, 4);
        uint64_t whole = sizeof(note) + name + ALIGN_UP((uint64_t)note.size, 4);
        if (whole > size)
            break;
        if (note.type == ELF_NOTE_PVH && note.name_size == sizeof("Xen") &&
            !memcmp(at + sizeof(note), "Xen", sizeof("Xen")) && note.size >= sizeof(entry)) {
            memcpy(&entry, at + sizeof(note) + name, sizeof(entry));
            return entry;
        }
        at += whole;
        size -= whole;
    }
    return 0;
}

/* --- A kernel that moves ---------------------------------------------------------------------- */

/* It stays where its addresses say, if that is above the first MiB; else it goes to the first
 * place there that its alignment allows. */
static int choose_bias(const struct load *l, struct elf *elf)
{
    uint64_t lowest = UINT64_MAX, align = PAGE_SIZE;
    for (unsigned n = 0; n < elf->phnum; n++) {
        struct elf64_segment s;
        if (read_segment(l, elf, n, &s))
            return -EINVAL;
        if (s.type != ELF_SEGMENT_LOAD)
            continue;
        lowest = MIN(lowest, s.paddr);
        if (s.align <= ALIGN_MAX && (s.align & (s.align - 1)) == 0)
            align = MAX(align, s.align);
    }
    elf->bias = elf->moves && lowest < LOAD_AREA_END ? ALIGN_UP(LOAD_KERNEL, align) : 0;
    return 0;
}

/* Is [at, at + size) in the kernel's image? */
static bool in_image(const struct load *l, uint64_t at, uint64_t size)
{
    return at >= l->image_start && at < l->image_end && size <= l->image_end - at;
}

/* Relocations that only add the bias: what a program without an imported symbol has. The addend
 * stands in the table, so a kernel that does it once more does no harm. */
static void relocate(struct load *l, const struct elf *elf, const uint8_t *at, uint64_t size)
{
    uint64_t table = 0, table_size = 0;
    for (struct elf64_dynamic d; size >= sizeof(d); at += sizeof(d), size -= sizeof(d)) {
        memcpy(&d, at, sizeof(d));
        if (d.tag == ELF_DYNAMIC_RELA)
            table = d.value + elf->bias;
        if (d.tag == ELF_DYNAMIC_RELA_SIZE)
            table_size = d.value;
    }
    if (!in_image(l, table, table_size))
        return;
    for (struct elf64_rela r; table_size >= sizeof(r);
         table += sizeof(r), table_size -= sizeof(r)) {
        memcpy(&r, l->ram + table, sizeof(r));
        uint64_t place = r.offset + elf->bias, value = r.addend + elf->bias;
        if (LO32(r.info) == ELF_RELATIVE && in_image(l, place, sizeof(value)))
            memcpy(l->ram + place, &value, sizeof(value));
    }
}

/* --- All segments ----------------------------------------------------------------------------- */

static int put_segments(struct load *l, const struct elf *elf, struct load_elf *out)
{
    struct elf64_segment s, dynamic = {.type = 0};
    int err = 0;
    for (unsigned n = 0; !err && n < elf->phnum; n++) {
        err = read_segment(l, elf, n, &s);
        if (!err && s.type == ELF_SEGMENT_NOTE && !out->entry_pvh)
            out->entry_pvh = find_pvh(l->file + s.offset, s.filesz);
        if (s.type == ELF_SEGMENT_DYNAMIC)
            dynamic = s;
        if (err || s.type != ELF_SEGMENT_LOAD)
            continue;
        err = load_put(l, s.paddr + elf->bias, l->file + s.offset, s.filesz, s.memsz);
        /* A kernel of the upper half gives the virtual address of its entry. It has no paging yet,
         * so it starts at the physical address. */
        if (elf->entry >= s.vaddr && elf->entry - s.vaddr < s.memsz)
            out->entry = elf->entry - s.vaddr + s.paddr + elf->bias;
    }
    if (!err && elf->moves && elf->is_64 && dynamic.type)
        relocate(l, elf, l->file + dynamic.offset, dynamic.filesz);
    return err;
}

int load_elf_segments(struct load *l, struct load_elf *out)
{
    struct elf elf = {0};
    int err = read_header(l, &elf);
    if (!err)
        err = check_table(l, &elf);
    if (!err)
        err = choose_bias(l, &elf);
    *out = (struct load_elf){elf.is_64, elf.entry, 0};
    if (err)
        return err;
    bool known =
        elf.shentsize == (elf.is_64 ? sizeof(struct elf64_section) : sizeof(struct elf32_section));
    if (known && elf.shoff <= l->size && (uint64_t)elf.shnum * elf.shentsize <= l->size - elf.shoff)
        l->sections = (struct load_sections){elf.shoff, elf.shnum, elf.shentsize, elf.shstrndx};
    return put_segments(l, &elf, out);
}

int load_elf(struct load *l)
{
    struct load_elf elf;
    int err = load_elf_segments(l, &elf);
    if (err)
        return err;
    if (elf.entry_pvh) {
        load_start_multiboot(l, "PVH", elf.entry_pvh, 0);
        l->inform = load_info_pvh;
    } else if (elf.is_64) {
        load_start_long(l, "ELF64", elf.entry);
    } else {
        load_start_multiboot(l, "ELF32", elf.entry, MULTIBOOT2_MAGIC);
    }
    return 0;
}
