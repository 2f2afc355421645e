/* SPDX-License-Identifier: MIT */
/*
 * Linux, in the file format that distributions ship (bzImage). The loader reads the setup header of
 * the file and skips the rest of its real-mode part. The kernel starts at its 64-bit entry, or at
 * its 32-bit entry if it has no other. It gets all its information in one page, the "zero page" at
 * LOAD_INFO. The command line is in the page behind.
 * From: guest/load/load.c (load_linux).   To: guest/load/image.c (load_put).
 * Spec: Linux "The Linux/x86 Boot Protocol", "Zero Page".
 * Not handled: kernels older than protocol 2.06 (of the year 2007).
 */
#include "guest/load/load.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

#define SETUP_MAGIC      0x53726448 /* "HdrS" */
#define BOOT_FLAG        0xaa55
#define VERSION_MIN      0x0206
#define SECTOR           512
#define SETUP_BASE       0x200 /* from here kernel_version counts */
#define SETUP_SECTS_OLD  4     /* what 0 means */
#define ENTRY64_OFFSET   0x200
#define LOADED_HIGH      BIT(0) /* loadflags */
#define XLF_KERNEL_64    BIT(0) /* xloadflags */
#define LOADER_UNDEFINED 0xff

struct setup_header { /* from 0x1f1 in the file and in the zero page */
    uint8_t setup_sects;
    uint16_t root_flags;
    uint32_t syssize;
    uint16_t ram_size, vid_mode, root_dev, boot_flag;
    uint8_t jump[2];
    uint32_t header;
    uint16_t version;
    uint32_t realmode_swtch;
    uint16_t start_sys_seg, kernel_version;
    uint8_t type_of_loader, loadflags;
    uint16_t setup_move_size;
    uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
    uint16_t heap_end_ptr;
    uint8_t ext_loader_ver, ext_loader_type;
    uint32_t cmd_line_ptr, initrd_addr_max, kernel_alignment;
    uint8_t relocatable_kernel, min_alignment;
    uint16_t xloadflags;
    uint32_t cmdline_size, hardware_subarch;
    uint64_t hardware_subarch_data;
    uint32_t payload_offset, payload_length;
    uint64_t setup_data, pref_address;
    uint32_t init_size, handover_offset, kernel_info_offset;
} __attribute__((packed));
#define HEADER_AT 0x1f1
static_assert(HEADER_AT + offsetof(struct setup_header, header) == 0x202, "boot protocol");
static_assert(HEADER_AT + offsetof(struct setup_header, xloadflags) == 0x236, "boot protocol");
static_assert(HEADER_AT + offsetof(struct setup_header, init_size) == 0x260, "boot protocol");

struct e820_entry {
    uint64_t base, size;
    uint32_t type;
} __attribute__((packed));

struct zero_page {
    uint8_t screen_info[0x70];
    uint64_t acpi_rsdp_addr;
    uint8_t unused1[0x1e8 - 0x78];
    uint8_t e820_entries;
    uint8_t unused2[HEADER_AT - 0x1e9];
    struct setup_header setup;
    uint8_t unused3[0x2d0 - 0x26c];
    struct e820_entry e820[128];
} __attribute__((packed));
LAYOUT(struct zero_page, setup, HEADER_AT);
LAYOUT(struct zero_page, e820, 0x2d0);

#define CMDLINE_AT (LOAD_INFO + PAGE_SIZE)

static bool find(const struct load *l, struct setup_header *h)
{
    if (l->size < HEADER_AT + sizeof(*h))
        return false;
    memcpy(h, l->file + HEADER_AT, sizeof(*h));
    return h->boot_flag == BOOT_FLAG && h->header == SETUP_MAGIC;
}

/* The kernel unpacks itself in the init_size bytes from its address on, so they are reserved for
 * it. Before protocol 2.10 the header has neither field. */
static int put_kernel(struct load *l, const struct setup_header *h, uint64_t *at)
{
    uint64_t skip = ((uint64_t)(h->setup_sects ? h->setup_sects : SETUP_SECTS_OLD) + 1) * SECTOR;
    if (!(h->loadflags & LOADED_HIGH))
        return LOAD_FAIL(l, "a Linux that wants to be loaded below 1 MiB (zImage)");
    if (skip >= l->size)
        return LOAD_FAIL(l, "a Linux that is cut off");
    bool says_where = h->version >= 0x020a;
    uint64_t size = l->size - skip;
    *at = says_where ? h->pref_address : h->code32_start;
    if (*at < LOAD_AREA_END)
        return LOAD_FAIL(l, "starts at 0x%lx: it has only the entry in real mode, for a BIOS", *at);
    return load_put(l, *at, l->file + skip, size,
                    says_where ? MAX(size, (uint64_t)h->init_size) : size);
}

/* Other programs have this format too, such as memtest86+: the version of a Linux is a number. */
static bool is_linux(const struct load *l, const struct setup_header *h)
{
    uint64_t at = SETUP_BASE + h->kernel_version;
    return h->kernel_version == 0 || at >= l->size || (l->file[at] >= '0' && l->file[at] <= '9');
}

int load_linux(struct load *l)
{
    struct setup_header h;
    uint64_t at = 0;
    if (!find(l, &h))
        return 0;
    if (h.version < VERSION_MIN)
        return LOAD_FAIL(l, "a Linux of boot protocol %u.%02u; 2.06 is the least", h.version >> 8,
                         h.version & 0xff);
    if (strlen(l->cmdline) > h.cmdline_size)
        return LOAD_FAIL(l, "takes a command line of at most %u characters", h.cmdline_size);
    int err = put_kernel(l, &h, &at);
    if (err)
        return err;
    bool is_64 = h.version >= 0x020c && (h.xloadflags & XLF_KERNEL_64);
    if (is_64)
        load_start_long(l, "linux-64", at + ENTRY64_OFFSET);
    else
        load_start_multiboot(l, "linux-32", at, 0);
    /* both entries: RSI is the zero page, and no register has Multiboot information */
    if (!is_linux(l, &h))
        l->start.format = "bzImage";
    l->start.rbx = l->start.rdi = 0;
    l->start.rsi = LOAD_INFO;
    l->initrd_max = h.initrd_addr_max;
    l->inform = load_info_linux;
    return 1;
}

int load_info_linux(struct load *l)
{
    struct zero_page *z = (struct zero_page *)(l->ram + LOAD_INFO);
    static_assert(sizeof(*z) <= PAGE_SIZE, "one page");
    memset(z, 0, PAGE_SIZE);
    memcpy(&z->setup, l->file + HEADER_AT, sizeof(z->setup));
    memcpy(l->ram + CMDLINE_AT, l->cmdline, strlen(l->cmdline) + 1);
    z->setup.type_of_loader = LOADER_UNDEFINED;
    z->setup.cmd_line_ptr = CMDLINE_AT;
    if (l->module_count) {
        const struct load_module *last = &l->modules[l->module_count - 1];
        z->setup.ramdisk_image = (uint32_t)l->modules[0].at;
        z->setup.ramdisk_size = (uint32_t)(last->at + last->size - l->modules[0].at);
    }
    z->acpi_rsdp_addr = l->rsdp;
    struct load_range ranges[LOAD_RANGE_MAX];
    z->e820_entries = (uint8_t)load_map(l, ranges);
    for (size_t i = 0; i < z->e820_entries; i++)
        z->e820[i] = (struct e820_entry){ranges[i].base, ranges[i].size, ranges[i].type};
    return 0;
}
