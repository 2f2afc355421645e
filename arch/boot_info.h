/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us, in our own words. boot/multiboot2.c fills it; nobody else needs to
 * know multiboot2. Everything in it points into memory that page_init() has withheld.
 */
#pragma once
#include "lib/types.h"

#define BOOT_RANGE_MAX  128
#define BOOT_MODULE_MAX 32

struct boot_range {
    hpa_t base;
    uint64_t size;
    bool usable; /* false: reserved, ACPI, MMIO, broken */
};

struct boot_module {
    const uint8_t *data;
    uint64_t size;
    const char *cmdline; /* what stands after the file's name on GRUB's line; "" if nothing */
};

struct boot_info {
    const char *cmdline; /* the hypervisor's own */
    struct boot_range ranges[BOOT_RANGE_MAX];
    size_t range_count;
    struct boot_module modules[BOOT_MODULE_MAX];
    size_t module_count;
    const void *rsdp; /* copy of the RSDP that GRUB found; NULL if none */
    size_t rsdp_size;
    /* Symbols of this image as GRUB loaded them, for backtraces; NULL if none. */
    const void *symtab;
    size_t symtab_size;
    const char *strtab;
    size_t strtab_size;
    /* Where the multiboot2 information itself lies. */
    hpa_t info_base;
    uint64_t info_size;
};
