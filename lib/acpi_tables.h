/* SPDX-License-Identifier: MIT */
/*
 * Layouts of the ACPI tables: arch/ reads those of the firmware, and guest/ writes those of a VM.
 * From: arch/acpi.c, arch/acpi_parse.c, arch/acpi_serial.c, guest/load/vacpi.c.
 * Spec: ACPI "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table (FADT)",
 * "Multiple APIC Description Table (MADT)"; PCI Firmware "MCFG Table Description".
 */
#pragma once
#include "lib/bits.h"

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum; /* all bytes of a table sum to 0 */
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __attribute__((packed));
static_assert(sizeof(struct acpi_header) == 36, "ACPI: table header");

struct acpi_gas { /* "Generic Address Structure" */
    uint8_t space, width, offset, access;
    uint64_t address;
} __attribute__((packed));
static_assert(sizeof(struct acpi_gas) == 12, "ACPI: Generic Address Structure");
#define GAS_SPACE_MEMORY 0
#define GAS_SPACE_IO     1
#define GAS_SPACE_PCI    2 /* address: device 47:32, function 31:16, offset 15:0, on bus 0 */
#define GAS_ACCESS_BYTE  1

struct acpi_rsdp {
    char signature[8]; /* "RSD PTR " */
    uint8_t checksum;  /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision; /* 0: the structure ends behind rsdt */
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
LAYOUT(struct acpi_rsdp, xsdt, 24);
static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI: RSDP");
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
#define MADT_NO_LAPIC    0xff /* ids of no CPU: all CPUs, or an entry that is not used */
#define MADT_NO_X2APIC   UINT32_MAX

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

struct acpi_hpet { /* IA-PC HPET "The ACPI 2.0 HPET Description Table (HPET)" */
    struct acpi_header header;
    uint32_t block_id;
    struct acpi_gas registers;
    uint8_t number;
    uint16_t minimum_tick;
    uint8_t protection;
} __attribute__((packed));
LAYOUT(struct acpi_hpet, registers, 40);
static_assert(sizeof(struct acpi_hpet) == 56, "IA-PC HPET: table");
#define HPET_ALIGN 8

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

/* The FADT up to RESET_VALUE, as of ACPI 2.0. That of ACPI 1.0 ends at offset 116. */
struct acpi_fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved0, profile;
    uint16_t sci;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_timer;
    uint8_t reserved1[29];
    uint16_t boot_arch;
    uint8_t reserved2;
    uint32_t flags;
    struct acpi_gas reset;
    uint8_t reset_value;
} __attribute__((packed));
LAYOUT(struct acpi_fadt, smi_cmd, 48);
LAYOUT(struct acpi_fadt, pm1a_cnt, 64);
LAYOUT(struct acpi_fadt, pm_timer, 76);
LAYOUT(struct acpi_fadt, boot_arch, 109);
LAYOUT(struct acpi_fadt, flags, 112);
LAYOUT(struct acpi_fadt, reset_value, 128);
#define FADT_MINIMUM          116
#define BOOT_LEGACY_DEVICES   BIT(0) /* boot_arch */
#define BOOT_NO_VGA           BIT(2)
#define FADT_WBINVD           BIT(0) /* flags */
#define FADT_PROC_C1          BIT(2)
#define FADT_NO_POWER_BUTTON  BIT(4) /* no fixed one */
#define FADT_NO_SLEEP_BUTTON  BIT(5)
#define FADT_RESET_REG        BIT(10) /* RESET_REG_SUP */
#define FADT_HARDWARE_REDUCED BIT(20)

struct acpi_fadt6 { /* all of it, as of ACPI 6 */
    struct acpi_fadt first;
    uint16_t arm_boot_arch;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_timer;
    struct acpi_gas x_gpe0, x_gpe1;
    struct acpi_gas sleep_control, sleep_status;
    uint64_t hypervisor;
} __attribute__((packed));
LAYOUT(struct acpi_fadt6, x_dsdt, 140);
LAYOUT(struct acpi_fadt6, x_pm1a_cnt, 172);
LAYOUT(struct acpi_fadt6, x_pm_timer, 208);
LAYOUT(struct acpi_fadt6, sleep_control, 244);
static_assert(sizeof(struct acpi_fadt6) == 276, "ACPI 6: FADT");

/* "Sleep Control and Status Registers" */
#define SLEEP_CONTROL_TYP    BITS(4, 2)
#define SLEEP_CONTROL_EN     BIT(5)

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

/* Microsoft "Serial Port Console Redirection Table" */
struct acpi_spcr {
    struct acpi_header header;
    uint8_t type, reserved[3];
    struct acpi_gas base;
    uint8_t interrupts, irq;
    uint32_t gsi;
    uint8_t baud; /* 0: as it is */
} __attribute__((packed));
LAYOUT(struct acpi_spcr, base, 40);
LAYOUT(struct acpi_spcr, baud, 58);
enum serial_type { SERIAL_16550 = 0, SERIAL_16450 = 1, SERIAL_16550_GAS = 0x12 };

/* Microsoft "Debug Port Table 2" */
struct acpi_dbg2 {
    struct acpi_header header;
    uint32_t offset, count; /* of the devices */
} __attribute__((packed));
struct dbg2_device {
    uint8_t revision;
    uint16_t length;
    uint8_t address_count;
    uint16_t name_length, name_offset, oem_length, oem_offset;
    uint16_t port, type, reserved;
    uint16_t address_offset, size_offset;
} __attribute__((packed));
static_assert(sizeof(struct dbg2_device) == 22, "DBG2: device information");
#define DBG2_SERIAL 0x8000
