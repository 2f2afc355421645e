/* SPDX-License-Identifier: MIT */
/*
 * The sizes of BARs: write ones and zeros, and see which bits follow. And their places: written
 * again after a reset.
 * From: pci/scan.c (every function), pci/sriov.c (the BARs of VFs), guest/assign/vpci_header.c
 * (pci_decode_restore).   To: pci/config.c.
 * Spec: PCI Local Bus "Base Addresses", "Expansion ROM Base Address Register".
 *
 * With decode on, a BAR full of ones would claim addresses below 4 GiB for a moment, where the
 * APICs and the flash are. So Command.MEM and Command.IO are off during the sizing. Nothing is
 * printed meanwhile: the console may be behind the bridge that is being sized.
 */
#include "pci/pci_private.h"
#include "arch/terminal.h"
#define LOG "pci"
#include "arch/log.h"

/* Mechanism #1 and x86 know 64 KiB of ports. */
#define IO_SPACE       BIT(16)
#define CONSOLE_IO_MAX 256 /* PCI Local Bus: a device may ask for 256 ports per BAR at most */

static uint64_t raw_read(bdf_t bdf, uint16_t reg, bool is_64bit)
{
    uint64_t lo = pci_read32(bdf, reg);
    return is_64bit ? lo | (uint64_t)pci_read32(bdf, reg + 4) << 32 : lo;
}

static void raw_write(bdf_t bdf, uint16_t reg, bool is_64bit, uint64_t v)
{
    pci_write32(bdf, reg, LO32(v));
    if (is_64bit)
        pci_write32(bdf, reg + 4, HI32(v));
}

/* True: the writable bits are one unbroken run, from the size up to the end of the register. Only
 * the upper half (of 64 bits, of an I/O address) may be hardwired. */
static bool mask_plausible(const struct pci_bar *bar, uint64_t writable)
{
    uint64_t end = writable + bar->size; /* 0: the run reaches bit 63 */
    if (end & writable)
        return false;
    if (bar->kind == PCI_BAR_IO)
        return bar->size < IO_SPACE && end >= IO_SPACE;
    return end == 0 || end >= BIT(32);
}

/* Find base and size: write zeros, then `ones`, and restore the register. False: the writable bits
 * make no size; bar->size then holds these bits. */
static bool bar_size(bdf_t bdf, uint16_t reg, uint64_t ones, struct pci_bar *bar)
{
    uint64_t before = raw_read(bdf, reg, bar->is_64bit);
    raw_write(bdf, reg, bar->is_64bit, 0);
    uint64_t hardwired = raw_read(bdf, reg, bar->is_64bit);
    raw_write(bdf, reg, bar->is_64bit, ones);
    uint64_t writable = raw_read(bdf, reg, bar->is_64bit) & ~hardwired & ones;
    raw_write(bdf, reg, bar->is_64bit, before);
    bar->base = before & writable;
    bar->size = writable & -writable;
    if (writable && mask_plausible(bar, writable))
        return true;
    bar->size = writable;
    return false;
}

struct pci_bar pci_bar_probe(bdf_t bdf, uint16_t reg, bool paired)
{
    /* The flags are hardwired: the bits that remain after a write of zeros. The present value does
     * not show them: in a BAR smaller than 16 bytes, address bits stand in their place. */
    uint32_t before = pci_read32(bdf, reg);
    pci_write32(bdf, reg, 0);
    uint32_t flags = pci_read32(bdf, reg);
    pci_write32(bdf, reg, before);
    struct pci_bar bar = {.kind = flags & PCI_BAR_IS_IO ? PCI_BAR_IO : PCI_BAR_MEM};
    if (bar.kind == PCI_BAR_MEM) {
        bar.is_64bit = FIELD_GET(PCI_BAR_MEM_TYPE, flags) == PCI_BAR_MEM_64;
        bar.prefetchable = flags & PCI_BAR_MEM_PREFETCH;
    }
    if (bar.is_64bit && !paired) /* no register is left for the upper half */
        return (struct pci_bar){.kind = PCI_BAR_NONE, .size = flags};
    if (!bar_size(bdf, reg, UINT64_MAX, &bar))
        return (struct pci_bar){.kind = PCI_BAR_NONE, .is_64bit = bar.is_64bit, .size = bar.size};
    return bar;
}

void pci_bar_write(bdf_t bdf, uint16_t reg, const struct pci_bar *bar)
{
    if (bar->kind != PCI_BAR_NONE)
        raw_write(bdf, reg, bar->is_64bit, bar->base);
}

static struct pci_bar rom_probe(bdf_t bdf, uint16_t reg)
{
    struct pci_bar rom = {.kind = PCI_BAR_MEM};
    bool found = bar_size(bdf, reg, PCI_ROM_ADDRESS, &rom); /* the enable bit stays off */
    return found ? rom : (struct pci_bar){.kind = PCI_BAR_NONE};
}

/* CardBus bridges, and types that no specification describes, are not touched: 0. */
static unsigned bar_count(const struct pci_function *f)
{
    if (f->header_type == PCI_HEADER_ENDPOINT)
        return PCI_BAR_COUNT;
    return f->header_type == PCI_HEADER_BRIDGE ? 2 : 0;
}

/* Called before the BARs are sized, so each counts with the largest size. A UART in memory has its
 * registers at the beginning of its BAR. */
bool pci_is_console(const struct pci_function *f)
{
    struct uart_place at = terminal_serial();
    for (unsigned i = 0; at.base && i < bar_count(f); i++) {
        uint64_t v = pci_read32(f->bdf, PCI_BAR(i));
        bool io = v & PCI_BAR_IS_IO;
        uint64_t base = v & ~(io ? PCI_BAR_IO_FLAGS : PCI_BAR_MEM_FLAGS);
        if (!io && FIELD_GET(PCI_BAR_MEM_TYPE, v) == PCI_BAR_MEM_64 && i + 1 < bar_count(f))
            base |= (uint64_t)pci_read32(f->bdf, PCI_BAR(++i)) << 32;
        if (io == !at.spacing && base && at.base >= base &&
            at.base - base < (io ? CONSOLE_IO_MAX : PAGE_SIZE))
            return true;
    }
    return false;
}

void pci_bars_read(struct pci_function *f)
{
    unsigned count = bar_count(f);
    if (count == 0 || PCI_CLASS_SUB(f->class_code) == PCI_SUB_HOST_BRIDGE || pci_is_console(f))
        return;
    uint64_t bogus[PCI_BAR_COUNT] = {0};
    uint16_t command = pci_command(f->bdf, 0, PCI_COMMAND_IO | PCI_COMMAND_MEM);
    for (unsigned i = 0; i < count; i++) {
        struct pci_bar bar = pci_bar_probe(f->bdf, PCI_BAR(i), i + 1 < count);
        if (bar.kind != PCI_BAR_NONE)
            f->bars[i] = bar;
        else
            bogus[i] = bar.size;
        i += bar.is_64bit;
    }
    f->rom = rom_probe(f->bdf, f->header_type == PCI_HEADER_BRIDGE ? PCI_BRIDGE_ROM : PCI_ROM);
    pci_write16(f->bdf, PCI_COMMAND, command);
    for (unsigned i = 0; i < count; i++)
        if (bogus[i])
            log_info(BDF_FMT " bar%u ignored: writable bits 0x%lx make no size", BDF_ARG(f->bdf), i,
                     bogus[i]);
}

/* A reset brings the default size of a resizable BAR back. With another size than at the scan, the
 * BAR would lie elsewhere, or its end would not answer. */
static void bars_resize(const struct pci_function *f)
{
    uint16_t at = f->ext_rebar + PCI_REBAR_CONTROL(0);
    unsigned count = f->ext_rebar ? FIELD_GET(PCI_REBAR_COUNT, pci_read32(f->bdf, at)) : 0;
    for (; count-- > 0 && at + 4 <= PCIE_CONFIG_SIZE; at += PCI_REBAR_STEP) {
        uint32_t control = pci_read32(f->bdf, at);
        unsigned index = FIELD_GET(PCI_REBAR_INDEX, control);
        uint64_t mib = index < PCI_BAR_COUNT ? f->bars[index].size >> 20 : 0;
        if (mib == 0)
            continue;
        uint64_t size = FIELD_SET(PCI_REBAR_SIZE, __builtin_ctzl(mib));
        pci_write32(f->bdf, at, (control & ~(uint32_t)PCI_REBAR_SIZE) | LO32(size));
    }
}

void pci_bars_write(const struct pci_function *f)
{
    if (f->physical)
        return;
    bars_resize(f);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        pci_bar_write(f->bdf, PCI_BAR(i), &f->bars[i]);
    pci_bar_write(f->bdf, PCI_ROM, &f->rom);
}

uint16_t pci_decode_bits(const struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        if (f->bars[i].kind == PCI_BAR_IO && f->bars[i].base == 0)
            return PCI_COMMAND_MEM;
    return PCI_COMMAND_MEM | PCI_COMMAND_IO;
}

#define FLAG_BITS 16 /* the address of a BAR begins above its flags */

bool pci_bar_in_place(const struct pci_function *f, unsigned i)
{
    const struct pci_bar *b = &f->bars[i];
    uint64_t grain = MAX(b->size, (uint64_t)FLAG_BITS);
    return ALIGN_DOWN(raw_read(f->bdf, PCI_BAR(i), b->is_64bit), grain) ==
           ALIGN_DOWN(b->base, grain);
}

bool pci_decode_restore(const struct pci_function *f)
{
    uint16_t command = pci_read16(f->bdf, PCI_COMMAND), wanted = 0;
    bool moved = false;
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &f->bars[i];
        if (b->kind == PCI_BAR_NONE)
            continue;
        wanted |= pci_decode_bits(f) & (b->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEM);
        moved |= !pci_bar_in_place(f, i);
    }
    if (f->physical || command == UINT16_MAX || (!moved && (command & wanted) == wanted))
        return false;
    pci_command(f->bdf, 0, PCI_COMMAND_MEM | PCI_COMMAND_IO);
    pci_bars_write(f);
    pci_command(f->bdf, pci_decode_bits(f), 0);
    pci_snoop_always(f);
    log_trace(BDF_FMT " was reset from inside: BARs and decode restored", BDF_ARG(f->bdf));
    return true;
}

bool pci_bar_overlap(const struct pci_bar *a, const struct pci_bar *b)
{
    return a->kind != PCI_BAR_NONE && a->kind == b->kind && a->base && b->base &&
           ranges_overlap(a->base, a->size, b->base, b->size);
}
