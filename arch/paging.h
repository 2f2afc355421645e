/* SPDX-License-Identifier: MIT */
/*
 * Hamlet's own address space: all RAM at its own address, no page both writable and executable,
 * page 0 not there. Device memory is mapped uncached on request.
 * Spec: SDM "4-Level Paging and 5-Level Paging", "Page Attribute Table (PAT)".
 */
#pragma once
#include "arch/boot_info.h"
#include "arch/errno.h"

MUST_CHECK int paging_init(const struct boot_info *info);
/* Load the tables and the protection bits (CR0.WP, EFER.NXE, PAT) on this CPU. */
void paging_load(void);

/* Map [base, base + size) uncached and return its address (= base). NULL: no memory for tables.
 * Mapping the same range again is allowed. */
void *mmio_map(hpa_t base, uint64_t size);
/* Take the range out again, so that Hamlet cannot touch it (RAM given to a VM stays mapped). */
void mmio_unmap(hpa_t base, uint64_t size);
