/* SPDX-License-Identifier: MIT */
/*
 * The contents of MADT, MCFG, HPET, FADT and of the package \_S5 in the DSDT. Pure: each function
 * reads only the bytes of its table, so host tests and fuzzers can run this file.
 * From: arch/acpi.c, arch/cpu.c, arch/ioapic.c, pci/config.c.   To: lib/acpi_tables.h (layouts).
 * Spec: ACPI "Multiple APIC Description Table (MADT)", "DefPackage Encoding"; PCI Firmware "MCFG
 * Table Description".
 */
#include "arch/acpi.h"
#include "lib/bits.h"
#include "lib/string.h"

bool acpi_table_ok(const void *table, size_t available, size_t minimum)
{
    const struct acpi_header *h = table;
    minimum = MAX(minimum, sizeof(*h));
    if (available < minimum || h->length < minimum || h->length > available)
        return false;
    return acpi_sum(table, h->length) == 0;
}

uint8_t acpi_sum(const void *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((const uint8_t *)bytes)[i];
    return sum;
}

/* The next entry from *at on that has this type and at least `size` bytes; NULL: there is none. */
static const void *madt_next(const struct acpi_header *madt, size_t *at, uint8_t type, size_t size)
{
    while (*at + sizeof(struct madt_entry) <= madt->length) {
        const struct madt_entry *e = (const void *)((const char *)madt + *at);
        if (e->length < sizeof(*e) || e->length > madt->length - *at)
            return NULL; /* the place of the next entry is not known */
        *at += e->length;
        if (e->type == type && e->length >= size)
            return e;
    }
    return NULL;
}

/* Add `id`, unless it is among the first `max` already: some firmware lists a CPU in both forms. */
static size_t cpu_add(uint32_t id, uint32_t *apic_ids, size_t count, size_t max)
{
    for (size_t i = 0; i < count && i < max; i++)
        if (apic_ids[i] == id)
            return count;
    if (count < max)
        apic_ids[count] = id;
    return count + 1;
}

size_t acpi_madt_cpus(const struct acpi_header *madt, uint32_t *apic_ids, size_t max)
{
    size_t count = 0, at = sizeof(struct acpi_madt);
    const struct madt_lapic *l;
    while ((l = madt_next(madt, &at, MADT_LAPIC, sizeof(*l))) != NULL)
        if ((l->flags & MADT_CPU_ENABLED) && l->apic_id != MADT_NO_LAPIC)
            count = cpu_add(l->apic_id, apic_ids, count, max);
    const struct madt_x2apic *x;
    at = sizeof(struct acpi_madt);
    while ((x = madt_next(madt, &at, MADT_X2APIC, sizeof(*x))) != NULL)
        if ((x->flags & MADT_CPU_ENABLED) && x->x2apic_id != MADT_NO_X2APIC)
            count = cpu_add(x->x2apic_id, apic_ids, count, max);
    return count;
}

size_t acpi_madt_ioapics(const struct acpi_header *madt, struct madt_ioapic *out, size_t max)
{
    size_t count = 0, at = sizeof(struct acpi_madt);
    const struct madt_ioapic_entry *e;
    while ((e = madt_next(madt, &at, MADT_IOAPIC, sizeof(*e))) != NULL) {
        if (count < max)
            out[count] = (struct madt_ioapic){e->id, hpa(e->address), e->gsi_base};
        count++;
    }
    return count;
}

size_t acpi_mcfg_windows(const struct acpi_header *mcfg, struct mcfg_window *out, size_t max)
{
    size_t count = 0;
    const char *end = (const char *)mcfg + mcfg->length;
    const char *at = (const char *)mcfg + sizeof(struct acpi_mcfg);
    for (; at < end && (size_t)(end - at) >= sizeof(struct mcfg_entry);
         at += sizeof(struct mcfg_entry)) {
        const struct mcfg_entry *e = (const void *)at;
        if (e->base == 0 || e->first_bus > e->last_bus)
            continue;
        if (count < max)
            out[count] = (struct mcfg_window){hpa(e->base), e->segment, e->first_bus, e->last_bus};
        count++;
    }
    return count;
}

hpa_t acpi_hpet_base(const struct acpi_header *hpet)
{
    const struct acpi_hpet *t = (const struct acpi_hpet *)hpet;
    bool good = hpet->length >= sizeof(*t) && t->registers.space == GAS_SPACE_MEMORY &&
                IS_ALIGNED(t->registers.address, HPET_ALIGN);
    return hpa(good ? t->registers.address : 0);
}

/* The wide form `x`, or the narrow one: a port. */
static struct acpi_gas wide_or(struct acpi_gas x, uint32_t port)
{
    if (x.address != 0 && (x.space == GAS_SPACE_IO || x.space == GAS_SPACE_MEMORY))
        return x;
    return (struct acpi_gas){.space = GAS_SPACE_IO, .address = port};
}

bool acpi_fixed_parse(const struct acpi_header *fadt, struct acpi_fixed *out)
{
    struct acpi_fadt6 f;
    if (fadt->length < FADT_MINIMUM)
        return false;
    memset(&f, 0, sizeof(f)); /* an older table ends earlier */
    memcpy(&f, fadt, MIN(fadt->length, sizeof(f)));
    *out = (struct acpi_fixed){
        .dsdt = f.x_dsdt ? f.x_dsdt : f.first.dsdt,
        .pm1a_cnt = wide_or(f.x_pm1a_cnt, f.first.pm1a_cnt),
        .pm1b_cnt = wide_or(f.x_pm1b_cnt, f.first.pm1b_cnt),
        .pm_timer = wide_or(f.x_pm_timer, f.first.pm_timer),
        .smi_cmd = (uint16_t)f.first.smi_cmd,
        .acpi_enable = f.first.acpi_enable,
    };
    if (f.first.flags & FADT_HARDWARE_REDUCED)
        out->sleep_control = f.sleep_control;
    if (f.first.flags & FADT_RESET_REG) {
        out->reset = f.first.reset;
        out->reset_value = f.first.reset_value;
    }
    return true;
}

/* Read a small integer of AML: 0, 1 or a byte. Returns the byte behind it; NULL: it is none. */
static const uint8_t *aml_small_integer(const uint8_t *p, const uint8_t *end, uint8_t *out)
{
    if (p < end && (*p == AML_ZERO || *p == AML_ONE)) {
        *out = *p;
        return p + 1;
    }
    if (p + 1 >= end || *p != AML_BYTE)
        return NULL;
    *out = p[1];
    return p + 2;
}

/* Behind "_S5_" stand PackageOp, the package's length (bits 7:6 of its first byte say how many
 * bytes follow), the number of elements, SLP_TYPa and SLP_TYPb. */
static bool s5_package(const uint8_t *p, const uint8_t *end, uint8_t *typ_a, uint8_t *typ_b)
{
    if (end - p < 4 || p[0] != AML_PACKAGE)
        return false;
    size_t length_bytes = 1 + (size_t)FIELD_GET(AML_PKG_LENGTH_COUNT, p[1]);
    p += 1 + length_bytes + 1;
    p = aml_small_integer(p, end, typ_a);
    return p && aml_small_integer(p, end, typ_b);
}

bool acpi_s5_types(const struct acpi_header *dsdt, uint8_t *typ_a, uint8_t *typ_b)
{
    const uint8_t *p = (const uint8_t *)(dsdt + 1), *end = (const uint8_t *)dsdt + dsdt->length;
    for (; end - p >= 5; p++) {
        const uint8_t *name = p + (p[1] == AML_ROOT ? 2 : 1);
        if (p[0] == AML_NAME && end - name >= 4 && memcmp(name, "_S5_", 4) == 0 &&
            s5_package(name + 4, end, typ_a, typ_b))
            return true;
    }
    return false;
}
