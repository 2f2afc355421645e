/* SPDX-License-Identifier: MIT */
/*
 * The table in which kernels older than ACPI find the processors and where interrupts go.
 * From: guest/pc/legacy/legacy.c (legacy_tables).   To: lib/string.c.
 * Spec: Intel MultiProcessor Specification "MP Configuration Table".
 */
#include "guest/pc/legacy/chips.h"
#include "guest/load/vacpi.h"
#include "lib/string.h"

struct mp_pointer {
    char signature[4];
    uint32_t table;
    uint8_t length, revision, checksum, features[5]; /* length: in units of 16 bytes */
};
static_assert(sizeof(struct mp_pointer) == 16, "MP floating pointer structure");

struct mp_table {
    char signature[4];
    uint16_t length;
    uint8_t revision, checksum;
    char oem[8], product[12];
    uint32_t oem_table;
    uint16_t oem_size, count;
    uint32_t apic;
    uint32_t extended;
};
static_assert(sizeof(struct mp_table) == 44, "MP configuration table header");

struct mp_cpu {
    uint8_t type, id, version, flags;
    uint32_t signature, features, reserved[2];
};
#define CPU_ENABLED  1
#define CPU_BOOT     2
#define APIC_VERSION 0x14

struct mp_ioapic {
    uint8_t type, id, version, flags;
    uint32_t address;
};

/* Of type MP_IRQ and MP_LINT: from a bus to a pin. */
struct mp_irq {
    uint8_t type, kind, flags, reserved;
    uint8_t bus, from, to, pin;
};
#define KIND_NMI   1
#define KIND_EXT   3
#define PCI_LEVEL  0x0f /* flags: level-triggered, active low */
#define EVERY_APIC 0xff

enum { MP_CPU, MP_BUS, MP_IOAPIC, MP_IRQ, MP_LINT };
enum { BUS_PCI, BUS_ISA };
#define REVISION      4 /* 1.4 */
#define ISA_IRQS      16
#define ISA_CASCADE   2
#define TIMER_PIN     2
#define PCI_DEVICES   32
#define VERSION_82093 0x20

struct writer {
    uint8_t *to;
    struct mp_table *table;
};

static void put(struct writer *w, const void *entry, size_t size)
{
    memcpy(w->to, entry, size);
    w->to += size;
    w->table->count++;
}

static void put_irq(struct writer *w, struct mp_irq irq) { put(w, &irq, sizeof(irq)); }

static void put_interrupts(struct writer *w)
{
    for (uint8_t n = 0; n < ISA_IRQS; n++)
        if (n != ISA_CASCADE)
            put_irq(w, (struct mp_irq){MP_IRQ, 0, 0, 0, BUS_ISA, n, 0, n ? n : TIMER_PIN});
    for (unsigned device = 1; device < PCI_DEVICES; device++)
        put_irq(w, (struct mp_irq){MP_IRQ, 0, PCI_LEVEL, 0, BUS_PCI, (uint8_t)(device << 2), 0,
                                   (uint8_t)VACPI_PCI_PIN(device)});
    put_irq(w, (struct mp_irq){MP_LINT, KIND_EXT, 0, 0, BUS_ISA, 0, 0, 0});
    put_irq(w, (struct mp_irq){MP_LINT, KIND_NMI, 0, 0, BUS_ISA, 0, EVERY_APIC, 1});
}

static uint8_t negative_sum(const void *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((const uint8_t *)bytes)[i];
    return (uint8_t)-sum;
}

void mptable_build(uint8_t *to, uint64_t at, unsigned vcpus)
{
    struct mp_pointer p = {.signature = "_MP_", .length = 1, .revision = REVISION};
    struct mp_ioapic io = {MP_IOAPIC, 0, VERSION_82093, 1, (uint32_t)VM_IOAPIC_BASE};
    struct writer w = {.to = to + sizeof(p) + sizeof(*w.table), .table = (void *)(to + sizeof(p))};
    *w.table = (struct mp_table){.signature = "PCMP",
                                 .revision = REVISION,
                                 .oem = "HAMLET  ",
                                 .product = "VIRTUAL     ",
                                 .apic = (uint32_t)VM_APIC_BASE};
    for (unsigned i = 0; i < vcpus; i++) {
        struct mp_cpu cpu = {.id = (uint8_t)i, .version = APIC_VERSION, .flags = CPU_ENABLED};
        cpu.flags |= i == 0 ? CPU_BOOT : 0;
        put(&w, &cpu, sizeof(cpu));
    }
    put(&w, "\1\0PCI   ", 8);
    put(&w, "\1\1ISA   ", 8);
    put(&w, &io, sizeof(io));
    put_interrupts(&w);
    w.table->length = (uint16_t)(w.to - (uint8_t *)w.table);
    w.table->checksum = negative_sum(w.table, w.table->length);
    p.table = (uint32_t)(at + sizeof(p));
    p.checksum = negative_sum(&p, sizeof(p));
    memcpy(to, &p, sizeof(p));
}
