/* SPDX-License-Identifier: MIT */
/*
 * Kernels into guest memory. Pure: bytes in, bytes and a start state out, so that host tests and
 * the fuzzer run this code. A kernel file is as hostile as its guest.
 *
 * Formats are recognised by content, in this order:
 *   Linux        "HdrS" at 0x202                64-bit or 32-bit, RSI = its "zero page"
 *   multiboot2   header in the first 32 KiB     32-bit, EAX = its magic, EBX = its information
 *   multiboot1   header in the first 8 KiB      32-bit, likewise
 *   ELF          7f 45 4c 46                    64-bit: as flat; 32-bit: as multiboot2
 *   boot sector  55 AA at 0x1fe                 real mode at 0x7c00, its segments 0
 *   flat         any other file of at least one byte, unless it is known to be something else or is
 *                only text: at 1 MiB, 64-bit mode, RDI = multiboot2 information
 * In 64-bit mode the low 4 GiB are mapped where they are, RSP is the top of some hundred KiB.
 *
 *   0x00000  what a BIOS leaves (firmware.c), then free for the guest, up to the stack, which grows
 *            down from LOAD_AREA
 *   0x90000  LOAD_AREA: page tables, boot information         reserved in the memory map
 *   0xa0000  LOAD_HOLE: where a PC has its screen             not in the map, as on a PC
 *   0xf0000  LOAD_ROM: ACPI tables, code of firmware.c        reserved
 *   1 MiB    kernel ...  modules and section headers at the end of low memory
 *
 * From: guest/life/kernel.c.   To: guest/load/load.c.
 * Spec: "Multiboot Specification", "Multiboot2 Specification", ELF "Program Header".
 */
#pragma once
#include "guest/core/vm.h"
#include "lib/multiboot.h"

#define LOAD_AREA     UINT64_C(0x90000)
#define LOAD_TABLES   LOAD_AREA         /* PML4, PDPT, four page directories */
#define LOAD_INFO     UINT64_C(0x98000) /* boot information */
#define LOAD_EBDA     UINT64_C(0x9fc00) /* a KiB that a BIOS keeps for itself */
#define LOAD_HOLE     UINT64_C(0xa0000)
#define LOAD_ROM      UINT64_C(0xf0000)
#define LOAD_AREA_END UINT64_C(0x100000)
#define LOAD_KERNEL   UINT64_C(0x100000) /* a flat one */

/* The section headers in the kernel's file. count 0: there are none to give. */
struct load_sections {
    uint64_t offset;
    unsigned count, entry_size, names;
};

/* A file beside the kernel: the initrd of a Linux, a module of a Multiboot kernel. */
struct load_module {
    const uint8_t *bytes;
    uint64_t size;
    const char *string;
    uint64_t at; /* guest-physical, set by load_modules() */
};
#define LOAD_MODULE_MAX 8

struct load {
    /* set by the caller */
    const char *vm; /* name, for messages */
    const uint8_t *file;
    uint64_t size;
    struct load_module modules[LOAD_MODULE_MAX];
    size_t module_count;
    const char *cmdline;
    uint8_t *ram;                  /* the guest's, zeroed; low part at 0, the rest at 4 GiB */
    uint64_t low, high;            /* bytes of each */
    uint64_t rsdp;                 /* guest-physical, of the VM's ACPI tables; 0: none */
    const struct vm_ram *reserved; /* VM_RESERVED_COUNT regions of its devices; NULL: none */

    /* set by the loader */
    uint64_t image_start, image_end; /* guest-physical: all that the kernel occupies */
    uint64_t initrd_max; /* the last byte of a module may be here at most; 0: no limit */
    uint64_t top;        /* from here on low memory has modules and sections */
    uint64_t wanted;     /* Multiboot2: types of the tags that the kernel cannot do without, bits */
    struct load_sections sections;
    int (*inform)(struct load *l); /* writes the boot information that the format has */

    struct vm_start start;
};

/* Load l->file. -EINVAL, after one log line that names VM and reason: the file is no kernel, or
 * this VM cannot hold it. On failure guest memory may have been written in part. */
MUST_CHECK int load_kernel(struct load *l);

/* What a BIOS leaves in the first MiB of `ram`: interrupt vectors, its data area, code. */
void load_firmware(uint8_t *ram);
/* The code behind an interrupt vector writes to this port: the guest called a BIOS. Vector n starts
 * with LOAD_BIOS_SEGMENT + n in CS. */
#define LOAD_BIOS_PORT         0xf8
#define LOAD_BIOS_SEGMENT      0xf000

/* --- One loader per format -------------------------------------------------------------------- */

#define LOAD_FAIL(l, fmt, ...) FAIL(EINVAL, "vm=%s kernel: " fmt, (l)->vm, ##__VA_ARGS__)

struct load_elf {
    bool is_64;
    uint64_t entry;
    uint64_t entry_pvh; /* 0: it has none */
};

MUST_CHECK int load_flat(struct load *l);
bool load_is_elf(const struct load *l);
/* Segments to their physical addresses; *entry is the physical address of the entry point. */
MUST_CHECK int load_elf_segments(struct load *l, struct load_elf *elf);
MUST_CHECK int load_elf(struct load *l);
/* 0: there is no such header; 1: loaded; -EINVAL. */
MUST_CHECK int load_linux(struct load *l);
MUST_CHECK int load_multiboot1(struct load *l);
MUST_CHECK int load_multiboot2(struct load *l);

/* Boot information at LOAD_INFO; the modules are in their places. -EINVAL: load_info2() cannot give
 * a tag that the kernel requires. */
MUST_CHECK int load_info1(struct load *l);
MUST_CHECK int load_info2(struct load *l);
MUST_CHECK int load_info_pvh(struct load *l);
MUST_CHECK int load_info_linux(struct load *l);
/* Copy the section headers to `to`; sections that are in no segment, such as symbols, are loaded at
 * the end of low memory, and their headers say where. */
void load_sections(struct load *l, uint8_t *to);

/* --- image.c: the common part of all loaders -------------------------------------------------- */

/* [at, at + memory_size) of low memory: the bytes, the rest zero. -EINVAL: not in memory, or
 * in the reserved part of the first MiB. */
MUST_CHECK int load_put(struct load *l, uint64_t at, const uint8_t *bytes, uint64_t file_size,
                        uint64_t memory_size);
/* Modules to the end of low memory, out of the kernel's way, each on a page border. */
MUST_CHECK int load_modules(struct load *l);
/* So many bytes below all that is at the end of low memory already; 0: no room. */
uint64_t load_top(struct load *l, uint64_t size);

/* Set l->start: 64-bit mode, with page tables written to LOAD_TABLES; or 32-bit mode, in the
 * machine state of Multiboot with its magic number. `format` is for messages. */
void load_start_long(struct load *l, const char *format, uint64_t entry);
void load_start_multiboot(struct load *l, const char *format, uint64_t entry, uint32_t magic);

struct load_range {
    uint64_t base, size;
    uint32_t type; /* MEMORY_USABLE, MEMORY_RESERVED */
};
#define LOAD_RANGE_MAX (7 + VM_RESERVED_COUNT)
/* The guest's memory map: the PC's in order, then what is reserved for its devices. Returns how
 * many. */
size_t load_map(const struct load *l, struct load_range out[LOAD_RANGE_MAX]);
