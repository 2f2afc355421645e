/* SPDX-License-Identifier: MIT */
/*
 * Kernel files, whatever they say about themselves. Nothing is read beyond the file, nothing is
 * written outside of the guest's memory (both by the address sanitizer), nothing of the kernel lies
 * in the reserved area, and a file that is refused is refused in words.
 * Input: the file; bit 0 of its last byte asks for an initrd. The mutator writes and repairs the
 * headers that few bytes at random would hit.
 * From: make fuzz.   To: guest/load/load.c.
 */
// length: 2300
// sources: guest/load/load.c guest/load/image.c guest/load/flat.c guest/load/elf.c
// sources: guest/load/multiboot.c guest/load/info.c guest/load/linux.c guest/load/sections.c
#include "tests/fuzz/fuzz.h"
#include "guest/load/load.h"
#include "lib/elf.h"
#include "tests/unit/stubs.h"

#define LOW  (LOAD_KERNEL + 16 * PAGE_SIZE) /* little: loaders clear up to as much */
#define HIGH (64u << 10)

/* --- Files ------------------------------------------------------------------------------------ */

static void put(uint8_t *data, size_t size, size_t at, const void *bytes, size_t count)
{
    if (at <= size && count <= size - at)
        memcpy(data + at, bytes, count);
}

static void put32(uint8_t *data, size_t size, size_t at, uint32_t v)
{
    put(data, size, at, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *data, size_t size, size_t at)
{
    uint32_t v = 0;
    if (at <= size && sizeof(v) <= size - at)
        memcpy(&v, data + at, sizeof(v));
    return v;
}

/* An address or a size that has a meaning to some loader. */
static uint32_t number(uint32_t *r)
{
    static const uint32_t some[] = {
        0,       1,          8,          0x1000,        LOAD_KERNEL, LOAD_KERNEL + 0x1000,
        LOW - 1, LOW,        LOAD_AREA,  LOAD_AREA - 1, LOAD_INFO,   LOAD_AREA_END - 1,
        0x7c00,  UINT32_MAX, 0x80000000, 0x200,         0x40,        0x7fffffff,
    };
    uint32_t v = some[fuzz_random(r) % ARRAY_COUNT(some)];
    return fuzz_random(r) % 3 ? v : v + fuzz_random(r) % 0x2000 - 0x1000;
}

static void elf(uint8_t *data, size_t size, uint32_t *r)
{
    bool is_64 = fuzz_random(r) & 1;
    size_t header = is_64 ? sizeof(struct elf64_header) : sizeof(struct elf32_header);
    size_t segment = is_64 ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment);
    struct elf_ident ident = {.class = is_64 ? ELF_CLASS64 : ELF_CLASS32,
                              .data = ELF_LITTLE,
                              .type = ELF_EXEC,
                              .machine = is_64 ? ELF_X86_64 : ELF_386};
    unsigned count = 1 + fuzz_random(r) % 3;
    memcpy(ident.magic, ELF_MAGIC, sizeof(ident.magic));
    struct elf64_header h64 = {.ident = ident,
                               .entry = number(r),
                               .phoff = header,
                               .phentsize = (uint16_t)segment,
                               .phnum = (uint16_t)count};
    struct elf32_header h32 = {.ident = ident,
                               .entry = (uint32_t)h64.entry,
                               .phoff = (uint32_t)header,
                               .phentsize = (uint16_t)segment,
                               .phnum = (uint16_t)count};
    put(data, size, 0, is_64 ? (void *)&h64 : (void *)&h32, header);
    for (unsigned i = 0; i < count; i++) {
        uint32_t at = number(r), length = fuzz_random(r) % 64;
        struct elf64_segment s64 = {.type = ELF_SEGMENT_LOAD,
                                    .offset = number(r) % (size + 1),
                                    .vaddr = number(r),
                                    .paddr = at,
                                    .filesz = length,
                                    .memsz = length + number(r) % 0x2000};
        struct elf32_segment s32 = {.type = ELF_SEGMENT_LOAD,
                                    .offset = (uint32_t)s64.offset,
                                    .vaddr = (uint32_t)s64.vaddr,
                                    .paddr = at,
                                    .filesz = length,
                                    .memsz = (uint32_t)s64.memsz};
        put(data, size, header + i * segment, is_64 ? (void *)&s64 : (void *)&s32, segment);
    }
}

static void multiboot1(uint8_t *data, size_t size, uint32_t *r)
{
    size_t at = fuzz_random(r) % (size / 4 + 1) * 4;
    uint32_t flags = fuzz_random(r) & 3 ? (uint32_t)MB1_FLAG_ADDRESS : fuzz_random(r) & 0x1ffff;
    uint32_t load = number(r);
    struct mb1_header h = {MB1_HEADER_MAGIC,
                           flags,
                           -(MB1_HEADER_MAGIC + flags),
                           {load + (uint32_t)at, load, number(r), number(r)},
                           number(r)};
    put(data, size, at, &h, sizeof(h));
}

static void multiboot2(uint8_t *data, size_t size, uint32_t *r)
{
    size_t at = fuzz_random(r) % (size / 8 + 1) * 8, end = at + sizeof(struct mb2_header);
    uint32_t load = number(r);
    for (unsigned tags = fuzz_random(r) % 5; tags; tags--) {
        struct mb_placement p = {load + (uint32_t)at, load, number(r), number(r)};
        struct mb2_header_tag t = {(uint16_t)(fuzz_random(r) % 12), fuzz_random(r) & 1,
                                   sizeof(t) + sizeof(p)};
        put(data, size, end, &t, sizeof(t));
        put(data, size, end + sizeof(t), &p, sizeof(p));
        end += t.size;
    }
    static const struct mb2_header_tag last = {MB2_HEADER_END, 0, sizeof(last)};
    put(data, size, end, &last, sizeof(last));
    uint32_t length = (uint32_t)(end + sizeof(last) - at);
    struct mb2_header h = {MB2_HEADER_MAGIC, MB2_ARCH_I386, length,
                           -(MB2_HEADER_MAGIC + MB2_ARCH_I386 + length)};
    put(data, size, at, &h, sizeof(h));
}

/* The fields of guest/load/linux.c by their offsets in the file, as the boot protocol has them. */
static void linux_kernel(uint8_t *data, size_t size, uint32_t *r)
{
    static const uint16_t versions[] = {0x0205, 0x0206, 0x0209, 0x020a, 0x020c, 0x020f};
    data[0x1f1 < size ? 0x1f1 : 0] = (uint8_t)(fuzz_random(r) % 4);
    put(data, size, 0x1fe, "\x55\xaa", 2);
    put(data, size, 0x202, "HdrS", 4);
    put(data, size, 0x206, &versions[fuzz_random(r) % ARRAY_COUNT(versions)], 2);
    put(data, size, 0x211, "\1", 1);                             /* loadflags */
    put32(data, size, 0x214, number(r));                         /* code32_start */
    put32(data, size, 0x22c, number(r));                         /* initrd_addr_max */
    put(data, size, 0x236, fuzz_random(r) & 1 ? "\1" : "\0", 2); /* xloadflags */
    put32(data, size, 0x238, number(r));                         /* cmdline_size */
    put32(data, size, 0x258, number(r));                         /* pref_address */
    put32(data, size, 0x25c, 0);
    put32(data, size, 0x260, number(r)); /* init_size */
}

/* The checksums of headers are sums of what stands before them. */
static void repair(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 12 <= MIN(size, (size_t)512); at += 4)
        if (get32(data, size, at) == MB1_HEADER_MAGIC)
            put32(data, size, at + 8, -(MB1_HEADER_MAGIC + get32(data, size, at + 4)));
        else if (get32(data, size, at) == MB2_HEADER_MAGIC)
            put32(data, size, at + 12,
                  -(MB2_HEADER_MAGIC + get32(data, size, at + 4) + get32(data, size, at + 8)));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static void (*const formats[])(uint8_t *, size_t, uint32_t *) = {elf, multiboot1, multiboot2,
                                                                     linux_kernel};
    uint32_t r = seed;
    if (fuzz_random(&r) % 4 == 0) {
        size_t wanted = fuzz_random(&r) % 2 ? 2048 : 192;
        wanted = MIN(wanted, max);
        if (wanted > size)
            memset(data + size, (uint8_t)fuzz_random(&r), wanted - size);
        size = MAX(size, wanted);
        formats[fuzz_random(&r) % ARRAY_COUNT(formats)](data, size, &r);
    } else if (size >= 4 && fuzz_random(&r) % 3 == 0) { /* one field of some header */
        put32(data, size, fuzz_random(&r) % (MIN(size, (size_t)0x280) / 4) * 4, number(&r));
    } else {
        size = LLVMFuzzerMutate(data, size, max);
    }
    if (fuzz_random(&r) % 8)
        repair(data, size);
    return size;
}

/* --- The claims ------------------------------------------------------------------------------- */

/* What loaders of this program's files write of their own area. */
#define AREA_USED (LOAD_INFO + 6 * PAGE_SIZE)

/* Beside that, a loader writes the kernel's segments, none of them in the reserved area, and the
 * initrd. */
static bool may_be_written(const struct load *l, uint64_t at)
{
    if (at >= LOAD_AREA && at < LOAD_AREA_END)
        return at < AREA_USED;
    return (at >= l->image_start && at < l->image_end) ||
           (l->top && at >= l->top); /* modules, and sections that are in no segment */
}

static void check(const struct load *l, uint32_t r)
{
    must(l->start.format != NULL && l->image_start <= l->image_end && l->image_end <= LOW);
    must(l->start.mode == VCPU_LONG64 || l->start.mode == VCPU_PROTECTED32 ||
         l->start.mode == VCPU_REAL);
    const struct load_module *m = l->modules;
    must(l->top <= LOW && (l->top >= l->image_end || l->image_start >= l->top));
    if (l->module_count)
        must(m->at >= l->top && m->at >= LOAD_AREA_END && m->at + m->size <= LOW &&
             !memcmp(l->ram + m->at, m->bytes, m->size));
    for (unsigned i = 0; i < 32; i++) { /* samples: all of it would take too long */
        uint64_t at = fuzz_random(&r) % LOW;
        must(l->ram[at] == 0 || may_be_written(l, at));
    }
    must(l->ram[AREA_USED] == 0 && l->ram[LOAD_AREA_END - 1] == 0);
}

/* As at first: what a loader has written, and no more, is cleared. */
static void clear(struct load *l)
{
    memset(l->ram + l->image_start, 0, l->image_end - l->image_start);
    memset(l->ram + LOAD_TABLES, 0, AREA_USED - LOAD_TABLES);
    if (l->top)
        memset(l->ram + l->top, 0, LOW - l->top);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t initrd[100] = "initrd";
    static uint8_t *ram; /* a block of its own: the sanitizer sees its ends */
    if (!ram)
        ram = calloc(1, LOW);
    uint8_t *file = malloc(size ? size : 1);
    struct load l = {.vm = "fuzz",
                     .file = file,
                     .size = size,
                     .cmdline = "a=b",
                     .ram = ram,
                     .low = LOW,
                     .high = size & 1 ? HIGH : 0};
    stub_log_clear();
    memcpy(file, data, size);
    if (size && (data[size - 1] & 1)) {
        l.modules[l.module_count++] = (struct load_module){initrd, sizeof(initrd), "a b", 0};
    }
    int err = load_kernel(&l);
    must(err == 0 || (err == -EINVAL && strstr(stub_log, "vm=fuzz kernel: ")));
    if (err == 0)
        check(&l, (uint32_t)size);
    clear(&l);
    free(file);
    return 0;
}
