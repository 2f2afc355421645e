/* SPDX-License-Identifier: MIT */
/*
 * Kernels with a multiboot header, of the first and of the second specification.
 * From: guest/load/load.c.
 * To: guest/load/elf.c (kernels whose header has no addresses), guest/load/image.c (load_put).
 * Spec: Multiboot "OS image format"; Multiboot2 "OS image format", "Machine state".
 * Not handled: video modes. A kernel that asks for one starts in text mode, as after GRUB.
 */
#include "guest/load/load.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

/* `at` is the offset of the header in the file. The header knows its own address and the load
 * address; their difference is the distance back to the first byte to load. */
static int put_placed(struct load *l, const struct mb_placement *p, uint64_t at)
{
    uint64_t before = (uint64_t)p->header - p->load;
    if (p->load > p->header || before > at)
        return LOAD_FAIL(l, "a multiboot header with a load address before the file's start");
    uint64_t start = at - before, size = l->size - start;
    if (p->load_end) {
        if (p->load_end < p->load || p->load_end - p->load > size)
            return LOAD_FAIL(l, "a multiboot header with a load address beyond the file's end");
        size = p->load_end - p->load;
    }
    uint64_t memory = size;
    if (p->bss_end) {
        if (p->bss_end < p->load + size)
            return LOAD_FAIL(l, "a multiboot header whose bss ends before its data");
        memory = p->bss_end - p->load;
    }
    return load_put(l, p->load, l->file + start, size, memory);
}

static int put_elf(struct load *l, uint64_t *entry)
{
    struct load_elf elf;
    if (!load_is_elf(l))
        return LOAD_FAIL(l, "a multiboot header without addresses in a file that is not ELF");
    int err = load_elf_segments(l, &elf);
    *entry = elf.entry;
    return err;
}

static void tell_text_mode(const struct load *l)
{
    log_info("vm=%s kernel: asks for a video mode; it starts in text mode, 80x25", l->vm);
}

/* --- The first specification ------------------------------------------------------------------ */

static bool find1(const struct load *l, struct mb1_header *h, uint64_t *at)
{
    uint64_t end = MIN(l->size, (uint64_t)MB1_HEADER_MAX);
    const uint32_t magic = MB1_HEADER_MAGIC;
    for (*at = 0; *at + MB1_HEADER_MIN <= end; *at += MB1_HEADER_ALIGN) {
        if (memcmp(l->file + *at, &magic, sizeof(magic)) != 0)
            continue;
        memset(h, 0, sizeof(*h));
        memcpy(h, l->file + *at, MIN(sizeof(*h), l->size - *at));
        if (h->magic + h->flags + h->checksum == 0)
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
    if (h.flags & BITS(15, 0) & ~MB1_FLAG_KNOWN)
        return LOAD_FAIL(l, "a multiboot header with demands that Hamlet cannot meet: flags 0x%x",
                         h.flags);
    if (h.flags & MB1_FLAG_VIDEO)
        tell_text_mode(l);
    bool placed = h.flags & MB1_FLAG_ADDRESS;
    if (placed && at + sizeof(h) > l->size)
        return LOAD_FAIL(l, "a multiboot header that is cut off");
    int err = placed ? put_placed(l, &h.placement, at) : put_elf(l, &entry);
    if (err)
        return err;
    load_start_multiboot(l, "multiboot1", placed ? h.entry : entry, MULTIBOOT1_MAGIC);
    l->inform = load_info1;
    return 1;
}

/* --- The second specification ----------------------------------------------------------------- */

static bool find2(const struct load *l, struct mb2_header *h, uint64_t *at)
{
    uint64_t end = MIN(l->size, (uint64_t)MB2_HEADER_MAX);
    const uint32_t magic = MB2_HEADER_MAGIC;
    for (*at = 0; *at + sizeof(*h) <= end; *at += MB2_HEADER_ALIGN) {
        if (memcmp(l->file + *at, &magic, sizeof(magic)) != 0)
            continue;
        memcpy(h, l->file + *at, sizeof(*h));
        if (h->architecture == MB2_ARCH_I386 &&
            h->magic + h->architecture + h->length + h->checksum == 0)
            return true;
    }
    return false;
}

/* The demands of a header's tags. */
struct wishes {
    bool placed, has_entry;
    struct mb_placement placement;
    uint32_t entry;
};

/* l->wanted gets the types that the kernel cannot do without. load_info2() knows which it gives. */
static int read_request(struct load *l, const uint8_t *types, size_t size)
{
    uint32_t type;
    for (size_t at = 0; at + sizeof(type) <= size; at += sizeof(type)) {
        memcpy(&type, types + at, sizeof(type));
        if (type > MB2_TAG_LOAD_BASE)
            return LOAD_FAIL(l, "requires information of an unknown kind: tag %u", type);
        l->wanted |= BIT(type);
    }
    return 0;
}

static int read_tag(struct load *l, const struct mb2_header_tag *tag, const uint8_t *at,
                    struct wishes *w)
{
    const uint8_t *body = at + sizeof(*tag);
    size_t size = tag->size - sizeof(*tag);
    switch (tag->type) {
    case MB2_HEADER_ADDRESS:
        if (size < sizeof(w->placement))
            return LOAD_FAIL(l, "a multiboot2 header with an address tag that is too short");
        memcpy(&w->placement, body, sizeof(w->placement));
        w->placed = true;
        return 0;
    case MB2_HEADER_ENTRY:
        if (size < sizeof(w->entry))
            return LOAD_FAIL(l, "a multiboot2 header with an entry tag that is too short");
        memcpy(&w->entry, body, sizeof(w->entry));
        w->has_entry = true;
        return 0;
    case MB2_HEADER_REQUEST:
        return tag->flags & MB2_HEADER_OPTIONAL ? 0 : read_request(l, body, size);
    case MB2_HEADER_FRAMEBUFFER:
        tell_text_mode(l);
        return 0;
    case MB2_HEADER_CONSOLE:      /* there is a text screen */
    case MB2_HEADER_MODULE_ALIGN: /* the initrd is always on a page border */
    case MB2_HEADER_RELOCATABLE:  /* the preferred address is always free */
    /* a VM has no EFI */
    case MB2_HEADER_EFI_BS:
    case MB2_HEADER_EFI32:
    case MB2_HEADER_EFI64:
        return 0;
    default:
        if (tag->flags & MB2_HEADER_OPTIONAL)
            return 0;
        return LOAD_FAIL(l, "a multiboot2 header with a demand that Hamlet cannot meet: tag %u",
                         tag->type);
    }
}

/* The tag of type 0 is the end, whatever its size and the header's length say: the headers of many
 * kernels are two bytes short there, and GRUB starts them. */
static int read_tags(struct load *l, uint64_t at, struct wishes *w)
{
    struct mb2_header_tag tag;
    while (l->size - at >= sizeof(tag.type)) {
        memset(&tag, 0, sizeof(tag));
        memcpy(&tag, l->file + at, MIN(sizeof(tag), l->size - at));
        if (tag.type == MB2_HEADER_END)
            return 0;
        if (tag.size < sizeof(tag) || tag.size > l->size - at)
            break;
        int err = read_tag(l, &tag, l->file + at, w);
        if (err)
            return err;
        at += MIN(ALIGN_UP((uint64_t)tag.size, 8), l->size - at);
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
    int err = read_tags(l, at + sizeof(h), &w);
    if (!err)
        err = w.placed ? put_placed(l, &w.placement, at) : put_elf(l, &entry);
    if (err)
        return err;
    if (w.placed && !w.has_entry)
        return LOAD_FAIL(l, "a multiboot2 header with addresses but without an entry");
    load_start_multiboot(l, "multiboot2", w.has_entry ? w.entry : entry, MULTIBOOT2_MAGIC);
    return 1;
}
