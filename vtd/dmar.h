/* SPDX-License-Identifier: MIT */
/*
 * The firmware's DMAR table: the units, which devices each of them serves, and which memory some
 * devices expect to keep. Pure: bytes in, structures out.
 * From: vtd/init.c, scope.c.   To: vtd/dmar.c.
 * Spec: VT-d "BIOS Considerations".
 */
#pragma once
#include "lib/acpi_tables.h"
#include "lib/errno.h"
#include "lib/types.h"

/* A server has ten units per socket. What does not fit is an error and never left out silently. */
#define DMAR_UNIT_MAX  64
#define DMAR_RMRR_MAX  512
#define DMAR_SCOPE_MAX 2048
#define DMAR_PATH_MAX  8

enum dmar_scope_type {
    DMAR_SCOPE_ENDPOINT = 1,
    DMAR_SCOPE_BRIDGE = 2, /* the bridge and everything behind it */
    DMAR_SCOPE_IOAPIC = 3,
    DMAR_SCOPE_HPET = 4,
    DMAR_SCOPE_ACPI = 5,
};

/* VT-d "Device Scope Structure": a walk from a bus through bridges to a function. */
struct dmar_scope {
    uint8_t type, enumeration_id, start_bus, path_length;
    uint8_t path[DMAR_PATH_MAX]; /* device 7:3, function 2:0 */
};

/* A run of struct dmar.scopes. */
struct dmar_scopes {
    uint16_t first, count;
    bool whole; /* false: behind these stood one that cannot be read */
};

/* VT-d "DMA Remapping Hardware Unit Definition Structure". */
struct dmar_unit {
    hpa_t base;    /* 0: the table gives no place where they could be, so the unit is not used */
    uint64_t size; /* bytes of the register page set */
    uint16_t segment;
    bool include_all; /* INCLUDE_PCI_ALL: each function that no other unit names */
    struct dmar_scopes scopes;
};

/* VT-d "Reserved Memory Region Reporting Structure". */
struct dmar_rmrr {
    hpa_t base, limit; /* first and last byte, base on a page border; limit = base - 1: empty */
    uint16_t segment;
    struct dmar_scopes scopes;
};

struct dmar {
    uint8_t address_width; /* of host-physical addresses, in bits */
    bool interrupt_remapping;
    unsigned unit_count, rmrr_count, scope_count, skipped_count;
    struct dmar_unit units[DMAR_UNIT_MAX];
    struct dmar_rmrr rmrrs[DMAR_RMRR_MAX];
    struct dmar_scope scopes[DMAR_SCOPE_MAX];
};

/* Parse the table, of which [0, length) may be read. -EINVAL: where the units are is not known, as
 * a length makes no sense; -ENOSPC: more than fits (both logged). What else makes no sense is
 * logged, and kept for the devices that it names. Structures that add nothing here (ATSR, RHSA,
 * ANDD, SATC, SIDP) and unknown ones are counted and skipped. */
MUST_CHECK int dmar_parse(const struct acpi_header *table, struct dmar *out);

/* X2APIC_OPT_OUT, which counts only with INTR_REMAP. */
bool dmar_asks_for_xapic(const struct acpi_header *table);

/* The function that a scope names. `secondary_bus` returns the bus behind a bridge (0: none).
 * False: no such path. VT-d "Device Scope Structure". */
bool dmar_scope_resolve(const struct dmar_scope *scope, uint8_t (*secondary_bus)(bdf_t bridge),
                        bdf_t *out);
