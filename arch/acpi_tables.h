/* SPDX-License-Identifier: MIT */
/*
 * Layouts of the ACPI tables that arch/ reads, and the pure helpers behind acpi.c.
 * From: arch/acpi.c, arch/acpi_parse.c, their tests.
 * Spec: ACPI "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table (FADT)", "Multiple
 * APIC Description Table (MADT)"; PCI Firmware "MCFG Table Description".
 */
#pragma once
#include "arch/acpi.h"
#include "lib/bits.h"

struct acpi_rsdp {
    char signature[8]; /* "RSD PTR " */
    uint8_t checksum;  /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision; /* 0: ends behind rsdt */
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
LAYOUT(struct acpi_rsdp, xsdt, 24);
#define ACPI_RSDP_OLD_SIZE 20

struct acpi_madt {
    struct acpi_header header;
    uint32_t lapic_address, flags;
} __attribute__((packed));
static_assert(sizeof(struct acpi_madt) == 44, "ACPI: MADT");

struct madt_entry {
    uint8_t type, length;
};
enum madt_type { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_X2APIC = 9 };
#define MADT_CPU_ENABLED BIT(0)

struct madt_lapic {
    struct madt_entry entry;
    uint8_t uid, apic_id;
    uint32_t flags;
} __attribute__((packed));
static_assert(sizeof(struct madt_lapic) == 8, "ACPI: Processor Local APIC");

struct madt_ioapic_entry {
    struct madt_entry entry;
    uint8_t id, reserved;
    uint32_t address, gsi_base;
} __attribute__((packed));
static_assert(sizeof(struct madt_ioapic_entry) == 12, "ACPI: I/O APIC");

struct madt_x2apic {
    struct madt_entry entry;
    uint16_t reserved;
    uint32_t x2apic_id, flags, uid;
} __attribute__((packed));
static_assert(sizeof(struct madt_x2apic) == 16, "ACPI: Processor Local x2APIC");

struct acpi_mcfg {
    struct acpi_header header;
    uint64_t reserved;
} __attribute__((packed));

struct mcfg_entry {
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved;
} __attribute__((packed));
static_assert(sizeof(struct mcfg_entry) == 16, "PCI Firmware: MCFG allocation");

/* The FADT up to RESET_VALUE; the first version ends at offset 116. */
struct acpi_fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved0, profile;
    uint16_t sci;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_timer;
    uint8_t reserved1[32];
    uint32_t flags;
    uint8_t reset_space, reset_width, reset_offset, reset_access;
    uint64_t reset_address;
    uint8_t reset_value;
} __attribute__((packed));
LAYOUT(struct acpi_fadt, smi_cmd, 48);
LAYOUT(struct acpi_fadt, pm1a_cnt, 64);
LAYOUT(struct acpi_fadt, pm_timer, 76);
LAYOUT(struct acpi_fadt, flags, 112);
LAYOUT(struct acpi_fadt, reset_value, 128);
#define FADT_MINIMUM         116
#define FADT_RESET_REG       BIT(10) /* flags: RESET_REG_SUP */
#define FADT_SPACE_IO        1

#define PM1_CNT_SCI_EN       BIT(0)
#define PM1_CNT_SLP_TYP      BITS(12, 10)
#define PM1_CNT_SLP_EN       BIT(13)

/* ACPI "AML Byte Stream Byte Values" */
#define AML_ZERO             0x00
#define AML_ONE              0x01
#define AML_NAME             0x08
#define AML_BYTE             0x0a
#define AML_PACKAGE          0x12
#define AML_ROOT             '\\'
#define AML_PKG_LENGTH_COUNT BITS(7, 6)

bool acpi_sum_is_zero(const void *bytes, size_t size);

/* SLP_TYPa and SLP_TYPb of S5, found by its name in the DSDT's bytes. False: not there. */
bool acpi_s5_types(const struct acpi_header *dsdt, uint8_t *typ_a, uint8_t *typ_b);
