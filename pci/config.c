/* SPDX-License-Identifier: MIT */
/*
 * Read and write configuration space: by memory (ECAM) where the firmware's MCFG has a window for
 * the bus, else by the pair of ports 0xCF8/0xCFC, which reaches the first 256 bytes only.
 * From: everywhere.   To: arch/acpi_parse.c (acpi_mcfg_windows), arch/paging.c (mmio_map),
 * arch/io.h.
 * Spec: PCI Local Bus "Configuration Mechanism #1"; PCI Express Base "PCI Express Enhanced
 * Configuration Access Mechanism (ECAM)"; PCI Firmware "MCFG Table Description".
 */
#include "pci/pci_private.h"
#include "arch/acpi.h"
#include "arch/io.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/spinlock.h"
#include "arch/task.h"
#include "lib/string.h"
#define LOG "pci"
#include "arch/log.h"

#define ECAM_WINDOW_MAX 64      /* large servers have one for each bridge of each socket */
#define ECAM_BUS_SIZE   BIT(20) /* 32 devices of 8 functions of 4 KiB */
/* No x86 processor has more physical address bits: a window above is an error of the firmware. */
#define ECAM_END        BIT(52)

/* Where each bus's configuration space begins; NULL: no ECAM. Constant after pci_config_init(). */
static uint8_t *ecam_bus[256];

/* All CPUs share the latch 0xCF8. The lock is held until the data port was accessed, too. */
static struct spinlock port_lock = {.name = "configuration ports"};
/* Keeps another CPU from writing back an old Command, with bus mastering on, after this one has
 * switched it off. */
static struct spinlock command_lock = {.name = "Command"};

/* Windows that can be used, of every segment: no BAR may lie over one. */
static struct {
    uint64_t base, size;
} taken[ECAM_WINDOW_MAX];
static size_t taken_count;

/* A function of another segment has no name here, as a bdf_t names one of segment 0: so no VM gets
 * it, and its remapping unit, if it has one, has empty tables. It loses bus mastering. */
static void segment_silence(const struct mcfg_window *w, uint8_t *p)
{
    unsigned functions = (w->last_bus - w->first_bus + 1u) * (ECAM_BUS_SIZE / PCIE_CONFIG_SIZE);
    unsigned count = 0, step;
    for (unsigned n = 0; n < functions; n += step, p += step * PCIE_CONFIG_SIZE) {
        bool there = mmio_read16(p + PCI_VENDOR_ID) != UINT16_MAX;
        uint8_t type = mmio_read8(p + PCI_HEADER_TYPE);
        step = n % 8 || (there && (type & PCI_HEADER_MULTI)) ? 1 : 8;
        count += there;
        if (there && FIELD_GET(PCI_HEADER_LAYOUT, type) == PCI_HEADER_ENDPOINT)
            mmio_write16(p + PCI_COMMAND,
                         mmio_read16(p + PCI_COMMAND) & (uint16_t)~PCI_COMMAND_MASTER);
    }
    log_info("segment=%u buses=%02x-%02x functions=%u: not for VMs, bus master off", w->segment,
             w->first_bus, w->last_bus, count);
}

/* Map the window and use it for its buses. False: impossible values, or no memory for tables. */
static bool window_take(const struct mcfg_window *w)
{
    uint64_t first = w->base.v + w->first_bus * ECAM_BUS_SIZE;
    uint64_t size = (w->last_bus - w->first_bus + UINT64_C(1)) * ECAM_BUS_SIZE;
    if (w->first_bus > w->last_bus || !IS_ALIGNED(w->base.v, ECAM_BUS_SIZE) ||
        w->base.v >= ECAM_END || first == 0 || first + size > ECAM_END ||
        page_is_ram(hpa(first), size))
        return false;
    uint8_t *p = mmio_map(hpa(first), size);
    if (!p)
        return false;
    taken[taken_count].base = first;
    taken[taken_count++].size = size;
    if (w->segment != 0) {
        segment_silence(w, p);
        return true;
    }
    log_info("config=ecam base=0x%lx buses=%02x-%02x", w->base.v, w->first_bus, w->last_bus);
    for (unsigned bus = w->first_bus; bus <= w->last_bus; bus++)
        if (!ecam_bus[bus]) /* where windows overlap, the first counts */
            ecam_bus[bus] = p + (bus - w->first_bus) * ECAM_BUS_SIZE;
    return true;
}

void pci_config_init(void)
{
    const struct acpi_header *mcfg = acpi_find("MCFG");
    memset(ecam_bus, 0, sizeof(ecam_bus));
    taken_count = 0;
    if (!mcfg) {
        log_info("config=cf8 reason=\"no MCFG\"");
        return;
    }
    struct mcfg_window windows[ECAM_WINDOW_MAX];
    size_t count = MIN(acpi_mcfg_windows(mcfg, windows, ECAM_WINDOW_MAX), (size_t)ECAM_WINDOW_MAX);
    for (const struct mcfg_window *w = windows; w < windows + count; w++)
        if (!window_take(w))
            log_error("ecam window refused: segment=%u buses=%02x-%02x base=0x%lx", w->segment,
                      w->first_bus, w->last_bus, w->base.v);
}

bool pci_has_ecam(bdf_t bdf) { return ecam_bus[BDF_BUS(bdf)] != NULL; }

bool pci_config_overlaps(uint64_t base, uint64_t size)
{
    for (size_t i = 0; i < taken_count; i++)
        if (ranges_overlap(base, size, taken[i].base, taken[i].size))
            return true;
    return false;
}

/* The register in memory; NULL: the access goes through the ports. */
static uint8_t *ecam_register(bdf_t bdf, uint16_t reg)
{
    uint8_t *bus = ecam_bus[BDF_BUS(bdf)];
    return bus && reg < PCIE_CONFIG_SIZE ? bus + BDF_DEVFN(bdf) * PCIE_CONFIG_SIZE + reg : NULL;
}

/* Lock the latch, write the address into it, and return the data port of the register. The caller
 * unlocks after its access. */
static uint16_t port_select(bdf_t bdf, uint16_t reg)
{
    spin_lock(&port_lock);
    out32(PCI_PORT_ADDRESS,
          LO32(PCI_ADDRESS_ENABLE | FIELD_SET(PCI_ADDRESS_BDF, bdf) | (reg & PCI_ADDRESS_REG)));
    return PCI_PORT_DATA + (reg & 3);
}

uint32_t pci_read(bdf_t bdf, uint16_t reg, unsigned width)
{
    const uint8_t *p = ecam_register(bdf, reg);
    if (p)
        return (uint32_t)mmio_read(p, width);
    if (reg >= PCI_CONFIG_SIZE)
        return UINT32_MAX;
    uint32_t v = port_in(port_select(bdf, reg), width);
    spin_unlock(&port_lock);
    return v;
}

void pci_write(bdf_t bdf, uint16_t reg, unsigned width, uint32_t v)
{
    uint8_t *p = ecam_register(bdf, reg);
    if (p) {
        mmio_write(p, width, v);
    } else if (reg < PCI_CONFIG_SIZE) {
        port_out(port_select(bdf, reg), width, v);
        spin_unlock(&port_lock);
    }
}

uint16_t pci_change16(bdf_t bdf, uint16_t reg, uint16_t set, uint16_t clear)
{
    uint16_t old = pci_read16(bdf, reg), wanted = (old & ~clear) | set;
    if (wanted != old)
        pci_write16(bdf, reg, wanted);
    return old;
}

/* 16 bits: a write of 32 would clear the error bits of Status. */
uint16_t pci_command(bdf_t bdf, uint16_t set, uint16_t clear)
{
    spin_lock(&command_lock);
    uint16_t old = pci_read16(bdf, PCI_COMMAND), wanted = (old & ~clear) | set;
    if (wanted != old && old != UINT16_MAX) /* all-ones: it does not answer, or not yet */
        pci_write16(bdf, PCI_COMMAND, wanted);
    spin_unlock(&command_lock);
    return old;
}

void pci_snoop_always(const struct pci_function *f)
{
    if (f->cap_pcie)
        pci_change16(f->bdf, f->cap_pcie + PCIE_DEVICE_CONTROL, 0, PCIE_CONTROL_NO_SNOOP);
}

void pci_break_locks(void)
{
    port_lock.serving = port_lock.next;
    command_lock.serving = command_lock.next;
}

bool pci_wait_ready(bdf_t bdf)
{
    /* Command and Status decide: the vendor id of a VF reads as all-ones even when it answers. */
    return task_wait_until(pci_read32(bdf, PCI_COMMAND) != UINT32_MAX &&
                               pci_read16(bdf, PCI_VENDOR_ID) != PCI_VENDOR_RETRY,
                           PCI_READY_TIMEOUT_US);
}
