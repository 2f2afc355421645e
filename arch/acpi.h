/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables: found from the RSDP, checked (length, checksum), mapped read-only. A module with the
 * command line "acpi" replaces the firmware's table of the same signature.
 * The firmware wrote these bytes: they are hostile until checked.
 * To: arch/acpi.c, arch/acpi_parse.c. Not here: the table DMAR (vtd/dmar.c).
 * Spec: ACPI "ACPI System Description Tables"; PCI Firmware "MCFG Table Description".
 */
#pragma once
#include "arch/boot_info.h"
#include "lib/acpi_tables.h"
#include "lib/errno.h"

/* Walk RSDP -> XSDT or RSDT. A bad table is logged by name and left out. -ENOENT (logged): there is
 * no good RSDP or root table. */
int acpi_init(const struct boot_info *info);
/* The checked table of that signature; NULL: there is none. Its bytes [0, length) may be read. */
const struct acpi_header *acpi_find(const char signature[4]);
/* True: there was a table of that signature, and it was refused (truncated, bad checksum). */
bool acpi_was_refused(const char signature[4]);

/* True: length >= minimum, fits in `available`, bytes sum to 0. Pure. */
bool acpi_table_ok(const void *table, size_t available, size_t minimum);

/* The sum of all bytes, modulo 256. */
uint8_t acpi_sum(const void *bytes, size_t size);

/* ACPI "Multiple APIC Description Table (MADT)": enabled CPUs, each id once, and I/O APICs. Both
 * write at most `max` and return how many there are. Pure. */
struct madt_ioapic {
    uint8_t id;
    hpa_t base;
    uint32_t gsi_base;
};
size_t acpi_madt_cpus(const struct acpi_header *madt, uint32_t *apic_ids, size_t max);
size_t acpi_madt_ioapics(const struct acpi_header *madt, struct madt_ioapic *out, size_t max);

/* PCI Firmware "MCFG Table Description": the windows of ECAM, in the same way. Pure. */
struct mcfg_window {
    hpa_t base; /* where bus 0 would be, even if first_bus is not 0 */
    uint16_t segment;
    uint8_t first_bus, last_bus;
};
size_t acpi_mcfg_windows(const struct acpi_header *mcfg, struct mcfg_window *out, size_t max);

/* IA-PC HPET "The ACPI 2.0 HPET Description Table (HPET)": its registers. 0: none that we can read.
 * Pure. */
hpa_t acpi_hpet_base(const struct acpi_header *hpet);

/* SLP_TYPa and SLP_TYPb of S5, by a search for its name in the DSDT. False: not found. Pure. */
bool acpi_s5_types(const struct acpi_header *dsdt, uint8_t *typ_a, uint8_t *typ_b);

/* ACPI "Fixed ACPI Description Table (FADT)": what Hamlet uses of it. A register with address 0 is
 * not there. */
struct acpi_fixed {
    uint64_t dsdt;
    struct acpi_gas pm1a_cnt, pm1b_cnt, pm_timer;
    struct acpi_gas sleep_control; /* in place of PM1 control, on hardware-reduced machines */
    struct acpi_gas reset;
    uint8_t reset_value, acpi_enable;
    uint16_t smi_cmd;
};
/* Each register and the DSDT stand there in two forms: the wide one counts, where it is filled.
 * False: a table too short for any. Pure. */
bool acpi_fixed_parse(const struct acpi_header *fadt, struct acpi_fixed *out);

/* End the run: state S5, or reset, by the registers of the FADT. Both return if that fails. */
void acpi_power_off(void);
void acpi_reset(void);
/* The HPET's registers; 0: there is none. */
hpa_t acpi_hpet(void);
/* Does the chipset have power management, or its reset, at one of these ports? */
bool acpi_has_port(uint64_t first, uint64_t count);
/* The I/O port of the 24- or 32-bit ACPI timer (3.579545 MHz); 0: there is none. */
uint16_t acpi_pm_timer(void);
