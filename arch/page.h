/* SPDX-License-Identifier: MIT */
/*
 * Physical memory in pages of 4 KiB: one bit per page, first fit. Slow and simple; pages are taken
 * when VMs are made, not while they run.
 * What GRUB, the firmware, the image and the modules use was never free, so it is never handed out.
 */
#pragma once
#include "arch/boot_info.h"
#include "lib/errno.h"

/* Before page_init(): nobody gets a page of [base, base + size) but by page_claim(). */
void page_keep(hpa_t base, uint64_t size);
/* Take over the usable ranges of `info`, less the first MiB, the image, the boot information and the modules. */
MUST_CHECK int page_init(const struct boot_info *info);

/* A zeroed page, or NULL. */
void *page_alloc(void);
/* `count` zeroed pages in one piece, aligned to `align` bytes (power of two, >= PAGE_SIZE), or NULL. */
void *pages_alloc(size_t count, uint64_t align);
/* [base, base + size) of what was kept, zeroed, for one caller at a time; page_unclaim() keeps it again.
 * -EBUSY: it is taken, or something that the boot loader brought lies there; -EINVAL: not kept, or no RAM. */
MUST_CHECK int page_claim(hpa_t base, uint64_t size);
void page_unclaim(void);
/* Give back what page_alloc or pages_alloc gave. Freeing a free page is our bug: panic. */
void page_free(void *page);
void pages_free(void *first, size_t count);

size_t page_free_count(void);

/* Is any byte of [base, base + size) RAM according to the boot loader's map? */
bool page_is_ram(hpa_t base, uint64_t size);

/* Guest RAM is marked when it is given to a VM; everything else in RAM belongs to Hamlet and the
 * firmware, and no EPT or second-stage table may reach it (guest/life/check.c proves it). */
void page_mark_guest(hpa_t base, uint64_t size, bool guest);
bool page_is_guest(hpa_t page);
