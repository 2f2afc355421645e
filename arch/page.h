/* SPDX-License-Identifier: MIT */
/*
 * Physical memory in pages of 4 KiB: one bit per page, first fit. Slow and simple: pages are taken
 * when a VM is created, not while VMs run. The memory of GRUB, the firmware, the image and the
 * modules is never free, so it is never given out.
 * To: arch/page.c.
 */
#pragma once
#include "arch/boot_info.h"
#include "lib/errno.h"

/* Before page_init(): keep [base, base + size) for page_claim(). */
void page_keep(hpa_t base, uint64_t size);
/* Take over the usable ranges of `info`, without the first MiB, the image, the boot information and
 * the modules. -ENOMEM: no room for the bitmaps. */
MUST_CHECK int page_init(const struct boot_info *info);
/* Copy the modules and symbols that begin in page 0 to other pages: paging_init() unmaps page 0.
 * By UEFI, GRUB uses all low memory, from address 0 on. -ENOMEM (logged). */
MUST_CHECK int page_clear_0(struct boot_info *info);
/* A page of RAM below 640 KiB, and not page 0, that holds nothing of the boot loader's: the page
 * that a STARTUP IPI names. Address 0: there is none. */
hpa_t page_for_startup(void);

/* A page of zeros; NULL: none is free. */
void *page_alloc(void);
/* `count` pages of zeros in one piece, aligned to `align` bytes (a power of two, >= PAGE_SIZE);
 * NULL: there is no such piece. */
void *pages_alloc(size_t count, uint64_t align);
/* Zero [base, base + size) of the kept memory and give it to the caller, until page_unclaim().
 * -EBUSY: another caller has it, or something that the boot loader placed lies there. -EINVAL: a
 * part of the range is not kept, or no RAM. */
MUST_CHECK int page_claim(hpa_t base, uint64_t size);
void page_unclaim(void);
/* Give back pages of page_alloc() or pages_alloc(). A page that is free already: panic. */
void page_free(void *page);
void pages_free(void *first, size_t count);

size_t page_free_count(void);

/* True: some byte of [base, base + size) is RAM, by the boot loader's map. */
bool page_is_ram(hpa_t base, uint64_t size);
/* The same of what this map names, and that is no RAM. */
bool page_is_reserved(hpa_t base, uint64_t size);
/* The end of the highest RAM below an address, by the same map; that address at most. */
hpa_t page_ram_end(hpa_t below);

/* Mark RAM when a VM gets it. All other RAM belongs to Hamlet and the firmware, and no EPT or
 * second-stage table may reach it: guest/life/check.c proves that. */
void page_mark_guest(hpa_t base, uint64_t size, bool guest);
bool page_is_guest(hpa_t base, uint64_t size); /* all of it */
