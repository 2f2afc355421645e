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
 *   0x00000  free for the guest, the stack grows down from LOAD_AREA
 *   0x90000  LOAD_AREA: page tables, boot information         reserved in the memory map
 *   0xa0000  where a PC has its ROMs; 0xe0000: ACPI tables;   reserved
 *            0xffff0: code that resets the VM (guest/life/kernel.c)
 *   1 MiB    kernel ...  initrd at the end of low memory
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
#define LOAD_AREA_END UINT64_C(0x100000)
#define LOAD_KERNEL   UINT64_C(0x100000) /* a flat one */

struct load {
    /* set by the caller */
    const char *vm; /* name, for messages */
    const uint8_t *file;
    uint64_t size;
    const uint8_t *initrd; /* NULL: none */
    uint64_t initrd_size;
    const char *cmdline;
    uint8_t *ram;                  /* the guest's, zeroed; low part at 0, the rest at 4 GiB */
    uint64_t low, high;            /* bytes of each */
    uint64_t rsdp;                 /* guest-physical, of the VM's ACPI tables; 0: none */
    const struct vm_ram *reserved; /* VM_RESERVED_COUNT regions of its devices; NULL: none */

    /* set by the loader */
    uint64_t image_start, image_end; /* guest-physical: all that the kernel occupies */
    uint64_t initrd_at;
    uint64_t initrd_max; /* the last byte of the initrd may be here at most; 0: no limit */

    struct vm_start start;
};

/* Load l->file. -EINVAL, after one log line that names VM and reason: the file is no kernel, or
 * this VM cannot hold it. On failure guest memory may have been written in part. */
MUST_CHECK int load_kernel(struct load *l);

/* --- One loader per format -------------------------------------------------------------------- */

#define LOAD_FAIL(l, fmt, ...) FAIL(EINVAL, "vm=%s kernel: " fmt, (l)->vm, ##__VA_ARGS__)

MUST_CHECK int load_flat(struct load *l);
bool load_is_elf(const struct load *l);
/* Segments to their physical addresses; *entry is the physical address of the entry point. */
MUST_CHECK int load_elf_segments(struct load *l, uint64_t *entry, bool *is_64);
MUST_CHECK int load_elf(struct load *l);
/* 0: there is no such header; 1: loaded; -EINVAL. */
MUST_CHECK int load_linux(struct load *l);
MUST_CHECK int load_multiboot1(struct load *l);
MUST_CHECK int load_multiboot2(struct load *l);

/* Boot information at LOAD_INFO; l->initrd_at is set. */
void load_info1(struct load *l);
void load_info2(struct load *l);
void load_linux_info(struct load *l);

/* --- image.c: the common part of all loaders -------------------------------------------------- */

/* [at, at + memory_size) of low memory: the bytes, the rest zero. -EINVAL: not in memory, or
 * in the reserved part of the first MiB. */
MUST_CHECK int load_put(struct load *l, uint64_t at, const uint8_t *bytes, uint64_t file_size,
                        uint64_t memory_size);
/* The initrd, if there is one, to the end of low memory, out of the kernel's way. */
MUST_CHECK int load_initrd(struct load *l);

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
