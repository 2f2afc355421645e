/* SPDX-License-Identifier: MIT */
/*
 * Kernels with a multiboot header, of the first and of the second specification.
 * From: guest/load/load.c.   To: guest/load/elf.c (those without addresses of their own), load_info.c.
 * Spec: Multiboot "OS image format"; Multiboot2 "OS image format", "Machine state".
 * Not handled: a wish for a video mode or a framebuffer that the kernel cannot do without.
 */
#include "guest/load/load.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

#define MB1_HEADER_MAGIC 0x1badb002
#define MB1_SEARCH       8192
#define MB1_FLAG_VIDEO   BIT(2)
#define MB1_FLAG_KNOWN   BITS(2, 0) /* of those that must be understood, 15:0 */
#define MB1_FLAG_ADDRESS BIT(16)

struct mb1_header {
    uint32_t magic, flags, checksum;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; /* flag 16 */
};
static_assert(sizeof(struct mb1_header) == 32, "Multiboot: header without video fields");

#define MB2_HEADER_MAGIC 0xe85250d6
#define MB2_SEARCH       32768
#define MB2_ARCH_I386    0

struct mb2_header {
    uint32_t magic, architecture, length, checksum;
};
struct mb2_header_tag {
    uint16_t type, flags;
    uint32_t size;
};
#define MB2_TAG_OPTIONAL BIT(0) /* flags */
enum mb2_header_tag_type {
    MB2_HEADER_END = 0,
    MB2_HEADER_REQUEST = 1,
    MB2_HEADER_ADDRESS = 2,
    MB2_HEADER_ENTRY = 3,
    MB2_HEADER_CONSOLE = 4,
    MB2_HEADER_FRAMEBUFFER = 5,
    MB2_HEADER_ALIGN = 6,
    MB2_HEADER_EFI_BS = 7,
    MB2_HEADER_EFI32 = 8,
    MB2_HEADER_EFI64 = 9,
    MB2_HEADER_RELOCATABLE = 10,
};

/* The address fields of either header; load_end 0: to the end of the file, bss_end 0: none. */
struct placement {
    uint64_t header_at; /* offset in the file */
    uint32_t header_addr, load_addr, load_end, bss_end;
};

static int put_placed(struct load *l, const struct placement *p)
{
    uint64_t before = (uint64_t)p->header_addr - p->load_addr;
    if (p->load_addr > p->header_addr || before > p->header_at)
        return LOAD_FAIL(l, "a multiboot header with a load address before the file's start");
    uint64_t start = p->header_at - before, size = l->size - start;
    if (p->load_end) {
        if (p->load_end < p->load_addr || p->load_end - p->load_addr > size)
            return LOAD_FAIL(l, "a multiboot header with a load address beyond the file's end");
        size = p->load_end - p->load_addr;
    }
    uint64_t memory = size;
    if (p->bss_end) {
        if (p->bss_end < p->load_addr + size)
            return LOAD_FAIL(l, "a multiboot header whose bss ends before its data");
        memory = p->bss_end - p->load_addr;
    }
    return load_put(l, p->load_addr, l->file + start, size, memory);
}

/* By its addresses, or else as an ELF file. */
static int put_image(struct load *l, const struct placement *p, uint64_t *entry)
{
    bool is_64;
    if (p)
        return put_placed(l, p);
    if (!load_is_elf(l))
        return LOAD_FAIL(l, "a multiboot header without addresses in a file that is not ELF");
    return load_elf_segments(l, entry, &is_64);
}

static void start(struct load *l, const char *format, uint64_t entry, uint32_t magic)
{
    l->format = format;
    l->mode = VCPU_PROTECTED32;
    l->rip = entry;
    l->rsp = LOAD_AREA;
    l->rax = magic;
    l->rbx = LOAD_INFO;
}

/* --- The first specification -------------------------------------------------------------------- */

static bool find1(const struct load *l, struct mb1_header *h, uint64_t *at)
{
    uint64_t end = MIN(l->size, (uint64_t)MB1_SEARCH);
    for (*at = 0; *at + 12 <= end; *at += 4) {
        memset(h, 0, sizeof(*h));
        memcpy(h, l->file + *at, MIN(sizeof(*h), l->size - *at));
        if (h->magic == MB1_HEADER_MAGIC && h->magic + h->flags + h->checksum == 0)
            return true;
    }
    return false;
}

int load_multiboot1(struct load *l)
{
    struct mb1_header h;
    uint64_t at, entry = 0;
    if (!find1(l, &h, &at))
        return 0;
    if ((h.flags & BITS(15, 0) & ~MB1_FLAG_KNOWN) || (h.flags & MB1_FLAG_VIDEO))
        return LOAD_FAIL(l, "a multiboot header with demands that Hamlet cannot meet: flags 0x%x",
                         h.flags);
    struct placement p = {at, h.header_addr, h.load_addr, h.load_end_addr, h.bss_end_addr};
    bool placed = h.flags & MB1_FLAG_ADDRESS;
    if (placed && at + sizeof(h) > l->size)
        return LOAD_FAIL(l, "a multiboot header that is cut off");
    int err = put_image(l, placed ? &p : NULL, &entry);
    if (err)
        return err;
    start(l, "multiboot1", placed ? h.entry_addr : entry, MULTIBOOT1_MAGIC);
    return 1;
}

/* --- The second specification ------------------------------------------------------------------- */

static bool find2(const struct load *l, struct mb2_header *h, uint64_t *at)
{
    uint64_t end = MIN(l->size, (uint64_t)MB2_SEARCH);
    for (*at = 0; *at + sizeof(*h) <= end; *at += 8) {
        memcpy(h, l->file + *at, sizeof(*h));
        if (h->magic == MB2_HEADER_MAGIC && h->architecture == MB2_ARCH_I386 &&
            h->magic + h->architecture + h->length + h->checksum == 0)
            return true;
    }
    return false;
}

/* What the tags of a header ask for. */
struct wishes {
    bool placed, has_entry;
    struct placement place;
    uint32_t entry;
};

static uint32_t word(const uint8_t *tag, unsigned n)
{
    uint32_t v;
    memcpy(&v, tag + n * 4, sizeof(v));
    return v;
}

static int read_tag(const struct load *l, const struct mb2_header_tag *tag, const uint8_t *at,
                    struct wishes *w)
{
    switch (tag->type) {
    case MB2_HEADER_ADDRESS:
        if (tag->size < 24)
            return LOAD_FAIL(l, "a multiboot2 header with an address tag that is too short");
        w->placed = true;
        w->place.header_addr = word(at, 2);
        w->place.load_addr = word(at, 3);
        w->place.load_end = word(at, 4);
        w->place.bss_end = word(at, 5);
        return 0;
    case MB2_HEADER_ENTRY:
        if (tag->size < 12)
            return LOAD_FAIL(l, "a multiboot2 header with an entry tag that is too short");
        w->has_entry = true;
        w->entry = word(at, 2);
        return 0;
    case MB2_HEADER_REQUEST:     /* the tags of load_info.c are what there is */
    case MB2_HEADER_CONSOLE:     /* the console is the serial one */
    case MB2_HEADER_ALIGN:       /* the initrd is always on a page border */
    case MB2_HEADER_EFI_BS:      /* no EFI here: these three do not apply */
    case MB2_HEADER_EFI32:       //
    case MB2_HEADER_EFI64:       //
    case MB2_HEADER_RELOCATABLE: /* it is loaded where it prefers to be */
        return 0;
    default:
        if (tag->flags & MB2_TAG_OPTIONAL)
            return 0;
        return LOAD_FAIL(l, "a multiboot2 header with a demand that Hamlet cannot meet: tag %u",
                         tag->type);
    }
}

static int read_tags(const struct load *l, uint64_t at, uint64_t end, struct wishes *w)
{
    struct mb2_header_tag tag;
    while (end - at >= sizeof(tag)) {
        memcpy(&tag, l->file + at, sizeof(tag));
        if (tag.type == MB2_HEADER_END)
            return 0;
        if (tag.size < sizeof(tag) || tag.size > end - at)
            break;
        int err = read_tag(l, &tag, l->file + at, w);
        if (err)
            return err;
        at += MIN(ALIGN_UP((uint64_t)tag.size, 8), end - at);
    }
    return LOAD_FAIL(l, "a multiboot2 header whose tags do not end");
}

int load_multiboot2(struct load *l)
{
    struct mb2_header h;
    struct wishes w = {.placed = false};
    uint64_t at, entry = 0;
    if (!find2(l, &h, &at))
        return 0;
    if (h.length < sizeof(h) || h.length > l->size - at)
        return LOAD_FAIL(l, "a multiboot2 header that is cut off");
    int err = read_tags(l, at + sizeof(h), at + h.length, &w);
    w.place.header_at = at;
    if (!err)
        err = put_image(l, w.placed ? &w.place : NULL, &entry);
    if (err)
        return err;
    if (w.placed && !w.has_entry)
        return LOAD_FAIL(l, "a multiboot2 header with addresses but without an entry");
    start(l, "multiboot2", w.has_entry ? w.entry : entry, MULTIBOOT2_MAGIC);
    return 1;
}
