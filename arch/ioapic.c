/* SPDX-License-Identifier: MIT */
/*
 * I/O APICs: an index register, a data window, and per pin 64 bits in two halves.
 * From: boot/main.c, guest/assign/intx.c (pins of assigned devices).
 * To: arch/acpi.c, arch/acpi_parse.c (MADT), arch/paging.c.
 * Spec: 82093AA "IOREGSEL", "IOWIN", "Redirection Table".
 */
#include "arch/ioapic.h"
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/io.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/spinlock.h"
#define LOG "ioapic"
#include "arch/log.h"

#define IOAPIC_MAX        32

/* IOAPIC_VERSION */
#define VERSION           BITS(7, 0)
#define VERSION_MAX_ENTRY BITS(23, 16)

static struct ioapic ioapics[IOAPIC_MAX];
static size_t count;
/* From the write of the index to the access to the window. */
static struct spinlock lock = {.name = "I/O APIC"};

static uint32_t ioapic_read(const struct ioapic *io, uint32_t reg)
{
    mmio_write32(io->regs + IOREGSEL, reg);
    return mmio_read32(io->regs + IOWIN);
}

static void ioapic_write(const struct ioapic *io, uint32_t reg, uint32_t v)
{
    mmio_write32(io->regs + IOREGSEL, reg);
    mmio_write32(io->regs + IOWIN, v);
}

static void ioapic_add(const struct madt_ioapic *m)
{
    struct ioapic *io = &ioapics[count];
    uint8_t *regs = mmio_map(m->base, PAGE_SIZE);
    *io = (struct ioapic){.id = m->id, .gsi_base = m->gsi_base, .regs = regs};
    if (!regs)
        return;
    uint32_t version = ioapic_read(io, IOAPIC_VERSION);
    if (version == UINT32_MAX) {
        log_error("id=%u base=0x%lx does not answer", m->id, m->base.v);
        return;
    }
    io->version = (uint8_t)FIELD_GET(VERSION, version);
    io->pin_count = (uint32_t)FIELD_GET(VERSION_MAX_ENTRY, version) + 1;
    count++;
    for (unsigned pin = 0; pin < io->pin_count; pin++)
        if (FIELD_GET(RTE_DELIVERY, ioapic_read_rte(io, pin)) != APIC_DELIVERY_SMI)
            ioapic_write_rte(io, pin, RTE_MASKED);
    log_info("id=%u base=0x%lx version=0x%x gsi=%u..%u", io->id, m->base.v, io->version,
             io->gsi_base, io->gsi_base + io->pin_count - 1);
}

void ioapic_init(void)
{
    struct madt_ioapic found[IOAPIC_MAX];
    const struct acpi_header *madt = acpi_find("APIC");
    size_t n = madt ? acpi_madt_ioapics(madt, found, IOAPIC_MAX) : 0;
    if (n > IOAPIC_MAX)
        log_error("only %d of %lu I/O APICs are used", IOAPIC_MAX, n);
    for (size_t i = 0; i < n && i < IOAPIC_MAX; i++)
        ioapic_add(&found[i]);
}

size_t ioapic_count(void) { return count; }

const struct ioapic *ioapic_get(size_t n)
{
    invariant(n < count);
    return &ioapics[n];
}

const struct ioapic *ioapic_of_gsi(uint32_t gsi)
{
    for (size_t i = 0; i < count; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pin_count)
            return &ioapics[i];
    return NULL;
}

uint64_t ioapic_read_rte(const struct ioapic *io, unsigned pin)
{
    spin_lock(&lock);
    uint64_t low = ioapic_read(io, IOAPIC_RTE(pin));
    uint64_t rte = (uint64_t)ioapic_read(io, IOAPIC_RTE(pin) + 1) << 32 | low;
    spin_unlock(&lock);
    return rte;
}

void ioapic_write_rte(const struct ioapic *io, unsigned pin, uint64_t rte)
{
    spin_lock(&lock);
    ioapic_write(io, IOAPIC_RTE(pin), ioapic_read(io, IOAPIC_RTE(pin)) | (uint32_t)RTE_MASKED);
    ioapic_write(io, IOAPIC_RTE(pin) + 1, HI32(rte));
    ioapic_write(io, IOAPIC_RTE(pin), LO32(rte));
    spin_unlock(&lock);
}
