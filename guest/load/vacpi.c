/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables of a VM: no firmware runs in a VM, so Hamlet writes the tables that firmware leaves.
 * From: guest/life/kernel.c (vacpi_build).   To: guest/load/dsdt.asl (the devices).
 * Spec: ACPI "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table (FADT)",
 * "Multiple APIC Description Table (MADT)"; PCI Firmware "MCFG Table Description".
 */
#include "guest/load/vacpi.h"
#include "arch/acpi.h"
#include "guest/core/vm.h"
#include "lib/string.h"

static const uint8_t dsdt_aml[] = {
#include "guest/load/dsdt.inc" /* by iasl: a whole table, its header included */
};

struct madt {
    struct acpi_madt first;
    struct madt_ioapic_entry ioapic;
    struct madt_lapic lapics[VM_VCPU_MAX]; /* as many as there are vCPUs */
} __attribute__((packed));

struct mcfg {
    struct acpi_mcfg first;
    struct mcfg_entry segment;
} __attribute__((packed));

struct xsdt {
    struct acpi_header header;
    uint64_t tables[3];
} __attribute__((packed));

struct writer {
    uint8_t *to;
    size_t used;
};

/* Append the table and complete its header. Returns the table's guest-physical address. */
static uint64_t put_table(struct writer *w, const void *table, size_t size, const char *signature,
                          uint8_t revision)
{
    struct acpi_header *h = (void *)(w->to + w->used);
    memcpy(h, table, size);
    *h = (struct acpi_header){
        .length = (uint32_t)size,
        .revision = revision,
        .oem_id = "HAMLET",
        .oem_table_id = "VIRTUAL ",
        .oem_revision = 1,
        .creator_id = "HMLT",
        .creator_revision = 1,
    };
    memcpy(h->signature, signature, sizeof(h->signature));
    h->checksum = (uint8_t)-acpi_sum(h, size);
    uint64_t at = VACPI_BASE + w->used;
    w->used = ALIGN_UP(w->used + size, 16);
    return at;
}

static struct acpi_gas byte_port(uint16_t port)
{
    return (struct acpi_gas){GAS_SPACE_IO, 8, 0, GAS_ACCESS_BYTE, port};
}

static uint64_t put_fadt(struct writer *w, uint64_t dsdt)
{
    struct acpi_fadt6 f = {
        .first.boot_arch = BOOT_LEGACY_DEVICES | BOOT_NO_VGA,
        .first.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
                       FADT_RESET_REG | FADT_HARDWARE_REDUCED,
        .first.reset = byte_port(VACPI_RESET_PORT),
        .first.reset_value = VACPI_RESET_VALUE,
        .x_dsdt = dsdt,
        .sleep_control = byte_port(VACPI_SLEEP_PORT),
        .sleep_status = byte_port(VACPI_SLEEP_PORT + 1),
    };
    memcpy(&f.hypervisor, "Hamlet\0", sizeof(f.hypervisor));
    return put_table(w, &f, sizeof(f), "FACP", 6);
}

static uint64_t put_madt(struct writer *w, unsigned vcpus)
{
    struct madt m = {
        .first.lapic_address = VM_APIC_BASE,
        .ioapic = {{MADT_IOAPIC, sizeof(m.ioapic)}, .address = VM_IOAPIC_BASE},
    };
    for (unsigned i = 0; i < vcpus; i++)
        m.lapics[i] = (struct madt_lapic){
            {MADT_LAPIC, sizeof(m.lapics[i])}, (uint8_t)i, (uint8_t)i, MADT_CPU_ENABLED};
    return put_table(w, &m, offsetof(struct madt, lapics) + vcpus * sizeof(m.lapics[0]), "APIC", 5);
}

/* The window for 64-bit BARs lies above the VM's RAM. Its first and last address stand side by side
 * in the one descriptor that has them. */
static uint64_t put_dsdt(struct writer *w, uint64_t mmio64_base)
{
    static uint8_t aml[sizeof(dsdt_aml)];
    const uint64_t old[2] = {VM_MMIO64_BASE, VM_MMIO64_BASE + VM_MMIO64_SIZE - 1};
    const uint64_t new[2] = {mmio64_base, mmio64_base + VM_MMIO64_SIZE - 1};
    memcpy(aml, dsdt_aml, sizeof(aml));
    for (uint8_t *at = aml; at <= aml + sizeof(aml) - sizeof(old); at++)
        if (memcmp(at, old, sizeof(old)) == 0)
            memcpy(at, new, sizeof(new));
    return put_table(w, aml, sizeof(aml), "DSDT", 2);
}

size_t vacpi_build(uint8_t *to, unsigned vcpus, uint64_t mmio64_base)
{
    struct writer w = {.to = to, .used = ALIGN_UP(sizeof(struct acpi_rsdp), 16)};
    uint64_t dsdt = put_dsdt(&w, mmio64_base);
    struct mcfg mcfg = {.segment.base = VM_ECAM_BASE}; /* bus 0 only: Linux scans every one */
    struct xsdt xsdt = {.tables = {0}};
    xsdt.tables[0] = put_fadt(&w, dsdt);
    xsdt.tables[1] = put_madt(&w, vcpus);
    xsdt.tables[2] = put_table(&w, &mcfg, sizeof(mcfg), "MCFG", 1);
    struct acpi_rsdp r = {
        .signature = "RSD PTR ",
        .oem_id = "HAMLET",
        .revision = 2,
        .length = sizeof(r),
        .xsdt = put_table(&w, &xsdt, sizeof(xsdt), "XSDT", 1),
    };
    r.checksum = (uint8_t)-acpi_sum(&r, ACPI_RSDP_OLD_SIZE);
    r.extended_checksum = (uint8_t)-acpi_sum(&r, sizeof(r));
    memcpy(to, &r, sizeof(r));
    return w.used;
}
