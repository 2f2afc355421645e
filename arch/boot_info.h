/* SPDX-License-Identifier: MIT */
/*
 * The information of the boot loader, in a form that does not depend on Multiboot2. All pointers
 * lead into memory that page_init() keeps from the allocator.
 * From: boot/multiboot2.c (fills it), arch/ and guest/life/ (read it).
 */
#pragma once
#include "lib/types.h"

#define BOOT_RANGE_MAX  512
#define BOOT_MODULE_MAX 32

struct boot_range {
    hpa_t base;
    uint64_t size;
    bool usable; /* false: reserved, ACPI, MMIO, broken */
};

struct boot_module {
    const uint8_t *data;
    uint64_t size;
    const char *cmdline; /* the text behind the file's name on GRUB's line; "": none */
};

/* The screen as the loader leaves it. */
struct boot_screen {
    hpa_t base;             /* 0: none */
    uint32_t pitch;         /* bytes of a row */
    uint32_t width, height; /* characters or pixels */
    uint8_t bits;           /* of a pixel */
    bool text;              /* a character and its colours in 2 bytes */
};

struct boot_info {
    const char *cmdline; /* the hypervisor's own */
    struct boot_range ranges[BOOT_RANGE_MAX];
    size_t range_count;
    struct boot_module modules[BOOT_MODULE_MAX];
    size_t module_count;
    const void *rsdp; /* copy of the RSDP that GRUB found; NULL if none */
    size_t rsdp_size;
    struct boot_screen screen;
    /* Symbols of this image as GRUB loaded them, for backtraces; sizes 0: none. By UEFI GRUB loads
     * them, and modules, into low memory, where even address 0 is a place: see page_clear_0(). */
    const void *symtab;
    size_t symtab_size;
    const char *strtab;
    size_t strtab_size;
    /* Where the Multiboot2 information lies. */
    hpa_t info_base;
    uint64_t info_size;
};
