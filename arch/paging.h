/* SPDX-License-Identifier: MIT */
/*
 * Hamlet's own address space: all RAM at its own address, no page both writable and executable,
 * page 0 not mapped. Device memory is mapped uncached, on request.
 * To: arch/paging.c.
 * Spec: SDM "4-Level Paging and 5-Level Paging", "Page Attribute Table (PAT)".
 */
#pragma once
#include "lib/bits.h"
#include "arch/boot_info.h"
#include "lib/errno.h"

/* SDM "Formats of CR3 and Paging-Structure Entries": alike at all levels of all paging modes. */
// clang-format off
#define PTE_P       BIT(0, "P", "present")
#define PTE_RW      BIT(1, "W", "writes are allowed")
#define PTE_US      BIT(2, "U", "user mode may use it")
#define PTE_PWT     BIT(3, "PWT", "page-level write-through")
#define PTE_PCD     BIT(4, "PCD", "page-level cache disable")
#define PTE_A       BIT(5, "A", "accessed")
#define PTE_D       BIT(6, "D", "dirty (a leaf)")
#define PTE_PS      BIT(7, "PS", "a large page (or PAT, in a leaf of 4 KiB)")
#define PTE_G       BIT(8, "G", "global (a leaf)")
#define PTE_NX      BIT(63, "XD", "no instruction fetches")
// clang-format on

/* Build and load the tables for the RAM of `info`. -ENODEV: the CPU has no execute-disable bit.
 * -ENOMEM: no page for a table. */
MUST_CHECK int paging_init(const struct boot_info *info);
/* Load the tables and the protection bits (CR0.WP, EFER.NXE) on this CPU, and let machine checks
 * come as #MC: without CR4.MCE they reset the machine. The PAT is that of reset, but for WC in
 * place of WT. Hamlet selects memory types by PCD and PWT, and a VM exit loads the host's PAT
 * again. */
void paging_load(void);

/* Map [base, base + size) uncached and return its address (= base). NULL: no memory for tables, or
 * an address of 2^47 or more.
 * Mapping the same range again is allowed. */
void *mmio_map(hpa_t base, uint64_t size);
/* Unmap the range, so that Hamlet cannot access it. RAM of a VM stays mapped. */
void mmio_unmap(hpa_t base, uint64_t size);
/* Map a table of the firmware (ACPI), read-only and cached. NULL: no memory for page tables. */
const void *firmware_map(hpa_t base, uint64_t size);

/* Walk the live tables: the size of the page at p (0: not mapped), and its rights. */
uint64_t paging_rights(const void *p, bool *writable, bool *executable);
