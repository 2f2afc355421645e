/* SPDX-License-Identifier: MIT */
/*
 * The extended page tables of a VM: which guest-physical memory its vCPUs reach, and
 * with which rights.
 * From: guest/core/memory.c (vm_map, vm_unmap), monitor/ (a walk in words).   To: vmx/ept.c.
 * Spec: SDM "The Extended Page Table Mechanism (EPT)".
 */
#pragma once
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/types.h"

struct ept;
#define EPT_PERM_READ  BIT(0, "R", "reads are allowed")
#define EPT_PERM_WRITE BIT(1, "W", "writes are allowed")
#define EPT_PERM_EXEC  BIT(2, "X", "fetches are allowed")
#define EPT_PERM_ALL   (EPT_PERM_READ | EPT_PERM_WRITE | EPT_PERM_EXEC)
enum ept_type { EPT_UC = 0, EPT_WB = 6 };

MUST_CHECK struct ept *ept_create(void); /* NULL: no memory */
void ept_destroy(struct ept *ept);       /* the tables, not what they map */
/* Map [at, at + size) to [to, ...), multiples of 4 KiB, largest pages that fit. -EEXIST: something
 * is mapped there; -ENOMEM; -EINVAL: beyond 48 bits. New mappings need no flush. */
MUST_CHECK int ept_map(struct ept *ept, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                       enum ept_type type);
/* When this returns, no CPU reaches the range any more: each has invalidated, and CPUs in the guest
 * have exited. Large pages are split where the range cuts them. Holes are allowed. */
void ept_unmap(struct ept *ept, gpa_t at, uint64_t size);
/* Walk the live table. False: not mapped. */
bool ept_translate(const struct ept *ept, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *type);
/* Call visit for each run of pages, in order of gpa, until it returns false. A run is as long as
 * the memory goes on, with the same rights and type: 64 GiB can be one. */
void ept_visit(const struct ept *ept,
               bool (*visit)(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                             enum ept_type type),
               void *ctx);
/* The bytes of the run from `at` on, at most `most`; multiples of 4 KiB. 0: `at` is not mapped. */
uint64_t ept_run(const struct ept *ept, gpa_t at, uint64_t most, hpa_t *to, unsigned *perm);
/* The entries of a walk, from level 4 down to the level where it ends; returns their number. */
unsigned ept_walk(const struct ept *ept, gpa_t at, uint64_t entries[4]);
