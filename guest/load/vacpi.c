/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables of a VM: no firmware runs in it, so Hamlet writes what firmware would have left.
 * From: guest/life/create.c.   To: guest/load/vacpi_aml.c.   Contract: guest/load/vacpi.h.
 * Spec: ACPI "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table (FADT)", "Multiple
 * APIC Description Table (MADT)"; PCI Firmware "MCFG Table Description".
 */
#include "guest/load/vacpi.h"
#include "lib/string.h"
#include "guest/core/vm.h"

struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __attribute__((packed));
static_assert(sizeof(struct header) == 36, "ACPI: table header");

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
#define RSDP_FIRST 20 /* bytes that the first checksum is of */

struct gas { /* Generic Address Structure */
    uint8_t space, bits, offset, access;
    uint64_t address;
} __attribute__((packed));
#define GAS_BYTE_PORT(port) ((struct gas){1, 8, 0, 1, (port)})

struct fadt {
    struct header h;
    uint32_t facs, dsdt;
    uint8_t reserved1, profile;
    uint8_t legacy_ports[109 - 46];
    uint16_t boot_arch;
    uint8_t reserved2;
    uint32_t flags;
    struct gas reset;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct gas legacy_blocks[8];
    struct gas sleep_control, sleep_status;
    uint64_t hypervisor;
} __attribute__((packed));
LAYOUT(struct fadt, boot_arch, 109);
LAYOUT(struct fadt, reset, 116);
LAYOUT(struct fadt, x_dsdt, 140);
LAYOUT(struct fadt, sleep_control, 244);
static_assert(sizeof(struct fadt) == 276, "ACPI 6: FADT");
#define FADT_WBINVD           BIT(0)
#define FADT_PROC_C1          BIT(2)
#define FADT_NO_POWER_BUTTON  BIT(4) /* no fixed one */
#define FADT_NO_SLEEP_BUTTON  BIT(5)
#define FADT_RESET            BIT(10)
#define FADT_HARDWARE_REDUCED BIT(20)
#define BOOT_LEGACY_DEVICES   BIT(0)
#define BOOT_NO_VGA           BIT(2)

struct madt_apic {
    uint8_t type, length, uid, id;
    uint32_t flags;
};
struct madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi;
};
struct madt {
    struct header h;
    uint32_t address, flags;
    struct madt_ioapic io;
    struct madt_apic apics[VM_VCPU_MAX]; /* as many as there are vCPUs */
} __attribute__((packed));
#define MADT_APIC    0
#define MADT_IOAPIC  1
#define MADT_ENABLED BIT(0)

struct mcfg {
    struct header h;
    uint64_t reserved;
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved2;
} __attribute__((packed));
static_assert(sizeof(struct mcfg) == 60, "PCI Firmware: MCFG with one entry");

struct writer {
    uint8_t *to;
    size_t used;
    uint64_t tables[4];
    size_t count;
};

static uint8_t complement(const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + b[i]);
    return (uint8_t)-sum;
}

/* Complete the header, put the table behind the last one. Returns its guest-physical address. */
static uint64_t put(struct writer *w, void *table, size_t size, const char *signature,
                    uint8_t revision)
{
    struct header *h = table;
    uint64_t at = w->used;
    memcpy(h->signature, signature, 4);
    h->length = (uint32_t)size;
    h->revision = revision;
    memcpy(h->oem_id, "HAMLET", 6);
    memcpy(h->oem_table_id, "VIRTUAL ", 8);
    h->oem_revision = 1;
    memcpy(h->creator_id, "HMLT", 4);
    h->creator_revision = 1;
    h->checksum = 0;
    h->checksum = complement(table, size);
    if (table != w->to + at)
        memcpy(w->to + at, table, size);
    w->used = ALIGN_UP(w->used + size, 16);
    return VACPI_BASE + at;
}

/* Its AML is made where it stays. */
static uint64_t put_dsdt(struct writer *w)
{
    uint8_t *at = w->to + w->used;
    memset(at, 0, sizeof(struct header));
    size_t size =
        vacpi_aml(at + sizeof(struct header), VACPI_SIZE - w->used - sizeof(struct header));
    return put(w, at, sizeof(struct header) + size, "DSDT", 2);
}

static void put_fadt(struct writer *w, uint64_t dsdt)
{
    struct fadt f = {
        .boot_arch = BOOT_LEGACY_DEVICES | BOOT_NO_VGA,
        .flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
                 FADT_RESET | FADT_HARDWARE_REDUCED,
        .reset = GAS_BYTE_PORT(VACPI_RESET_PORT),
        .reset_value = VACPI_RESET_VALUE,
        .x_dsdt = dsdt,
        .sleep_control = GAS_BYTE_PORT(VACPI_SLEEP_PORT),
        .sleep_status = GAS_BYTE_PORT(VACPI_SLEEP_PORT + 1),
    };
    memcpy(&f.hypervisor, "Hamlet\0", 8);
    w->tables[w->count++] = put(w, &f, sizeof(f), "FACP", 6);
}

static void put_madt(struct writer *w, unsigned vcpus)
{
    struct madt m = {
        .address = VM_APIC_BASE,
        .io = {MADT_IOAPIC, sizeof(m.io), 0, 0, VM_IOAPIC_BASE, 0},
    };
    for (unsigned i = 0; i < vcpus; i++)
        m.apics[i] =
            (struct madt_apic){MADT_APIC, sizeof(m.apics[i]), (uint8_t)i, (uint8_t)i, MADT_ENABLED};
    size_t size = offsetof(struct madt, apics) + vcpus * sizeof(m.apics[0]);
    w->tables[w->count++] = put(w, &m, size, "APIC", 5);
}

static void put_mcfg(struct writer *w)
{
    struct mcfg m = {.base = VM_ECAM_BASE}; /* bus 0: Linux looks on every bus that is promised */
    w->tables[w->count++] = put(w, &m, sizeof(m), "MCFG", 1);
}

size_t vacpi_build(uint8_t *to, unsigned vcpus)
{
    struct writer w = {.to = to, .used = ALIGN_UP(sizeof(struct rsdp), 16)};
    struct rsdp r = {.revision = 2, .length = sizeof(r)};
    struct {
        struct header h;
        uint64_t tables[4];
    } __attribute__((packed)) xsdt = {.tables = {0}};
    uint64_t dsdt = put_dsdt(&w);
    put_fadt(&w, dsdt);
    put_madt(&w, vcpus);
    put_mcfg(&w);
    memcpy(xsdt.tables, w.tables, sizeof(w.tables));
    size_t size = sizeof(struct header) + w.count * sizeof(w.tables[0]);
    r.xsdt = put(&w, &xsdt, size, "XSDT", 1);
    memcpy(r.signature, "RSD PTR ", 8);
    memcpy(r.oem_id, "HAMLET", 6);
    r.checksum = complement(&r, RSDP_FIRST);
    r.extended_checksum = complement(&r, sizeof(r));
    memcpy(to, &r, sizeof(r));
    return w.used;
}
