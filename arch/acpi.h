/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables: found from the RSDP, checked (length, checksum), handed out read-only. A module with
 * the command line "acpi" replaces the firmware's table of the same signature.
 * Everything here parses what the firmware wrote: hostile until checked.
 * Spec: ACPI "ACPI System Description Tables"; PCI Firmware "MCFG"; what is in DMAR: vtd/dmar.c.
 */
#pragma once
#include "arch/boot_info.h"
#include "lib/acpi_tables.h"
#include "lib/errno.h"

/* Walk RSDP -> XSDT or RSDT. Bad tables are logged by name and left out; no RSDP: -ENOENT (logged). */
int acpi_init(const struct boot_info *info);
/* The checked table of that signature, NULL if none. Its bytes [0, length) may be read. */
const struct acpi_header *acpi_find(const char signature[4]);
/* Was a table of that signature there, but refused (truncated, bad checksum)? */
bool acpi_was_refused(const char signature[4]);

/* True: length >= minimum, fits in `available`, bytes sum to 0. Pure. */
bool acpi_table_ok(const void *table, size_t available, size_t minimum);

/* All bytes, added up. */
uint8_t acpi_sum(const void *bytes, size_t size);

/* MADT "Multiple APIC Description Table": enabled CPUs and I/O APICs. Pure; returns how many there
 * are, writes at most max. */
struct madt_ioapic {
    uint8_t id;
    hpa_t base;
    uint32_t gsi_base;
};
size_t madt_cpus(const struct acpi_header *madt, uint32_t *apic_ids, size_t max);
size_t madt_ioapics(const struct acpi_header *madt, struct madt_ioapic *out, size_t max);

/* MCFG: the ECAM windows. Pure, as above. */
struct mcfg_window {
    hpa_t base; /* of bus 0, whether or not first_bus is 0 */
    uint16_t segment;
    uint8_t first_bus, last_bus;
};
size_t mcfg_windows(const struct acpi_header *mcfg, struct mcfg_window *out, size_t max);

/* SLP_TYPa and SLP_TYPb of S5, found by its name in the DSDT's bytes. False: not there. Pure. */
bool acpi_s5_types(const struct acpi_header *dsdt, uint8_t *typ_a, uint8_t *typ_b);

/* End of the run: S5 by the FADT's PM1 control block, or reset; returns if the firmware gives no way. */
void acpi_power_off(void);
void acpi_reset(void);
/* I/O port of the 24- or 32-bit ACPI timer (3.579545 MHz), 0 if none. */
uint16_t acpi_pm_timer(void);
