/* SPDX-License-Identifier: MIT */
/*
 * BARs of an assigned function: what the guest writes into them, and what it then reaches.
 * Whole pages of a BAR are mapped in the EPT, uncached: no exit. The VM's devices reach them at the
 * same address: some fetch programs from their own memory. An I/O BAR is opened in the I/O bitmap
 * where guest and host use the same ports: no exit. The rest is trapped and forwarded: a BAR
 * smaller than a page, the pages of an MSI-X table, ports that the guest moved.
 * From: guest/assign/vpci_header.c (Command), guest/assign/vpci.c (through write),
 * guest/assign/assign.c, guest/assign/reset.c, guest/life/check.c (vbar_holding), monitor/memory.c
 * (vbar_read).
 * To: guest/core/memory.c (vm_map, vm_unmap), vmx/bitmaps.c, guest/assign/vmsix.c.
 * Spec: PCI Local Bus 3.0 "Base Addresses", "Expansion ROM Base Address Register".
 */
#include "arch/io.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "guest/assign/assign.h"
#include "guest/assign/vmsix.h"
#include "guest/core/bus.h"
#include "guest/core/memory.h"
#include "guest/core/reserved.h"
#define LOG "vbar"
#include "arch/log.h"

/* The BAR is smaller than a page, or plan A traps everything. */
static bool is_trapped(const struct vbar *b)
{
    return (b->host.kind == PCI_BAR_MEM && b->host.size < PAGE_SIZE) ||
           b->of->of->config.plan == PLAN_FORWARD;
}

static unsigned bar_index(const struct vbar *b) { return (unsigned)(b - b->of->bars); }

static struct vm *vm_of(const struct vbar *b) { return b->of->of->vm; }

/* The smallest sizes that a BAR register can describe; QEMU's pvpanic claims 2 bytes. */
#define MEM_GRAIN UINT64_C(16)
#define IO_GRAIN  UINT64_C(4)
static uint64_t grain(const struct vbar *b)
{
    return MAX(b->host.size, b->host.kind == PCI_BAR_IO ? IO_GRAIN : MEM_GRAIN);
}

/* --- Forwarding, where a direct mapping would show more than the function's own bytes --------- */

static uint64_t forward_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    const struct vbar *b = owner;
    (void)v;
    if (vmsix_holds(b->msix, offset))
        return vmsix_read(b->msix, offset, width);
    return mmio_read((const char *)(uintptr_t)b->host.base + offset, width);
}

static void forward_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                          uint64_t value)
{
    const struct vbar *b = owner;
    (void)v;
    if (vmsix_holds(b->msix, offset))
        vmsix_write(b->msix, offset, width, value);
    else
        mmio_write((char *)(uintptr_t)b->host.base + offset, width, value);
}

static uint64_t forward_in(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    const struct vbar *b = owner;
    (void)v;
    return port_in((uint16_t)(b->host.base + offset), width);
}

static void forward_out(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                        uint64_t value)
{
    const struct vbar *b = owner;
    (void)v;
    port_out((uint16_t)(b->host.base + offset), width, (uint32_t)value);
}

/* --- Where a BAR may be ----------------------------------------------------------------------- */

/* The virtual PC has windows for BARs: so none is ever over RAM, the APICs or ECAM. */
static bool place_ok(const struct vbar *b)
{
    uint64_t at = b->guest, end = at + b->host.size;
    if (end < at || (b->host.kind == PCI_BAR_MEM && reserved_overlaps(vm_of(b), at, end - at)))
        return false;
    if (b->host.kind == PCI_BAR_IO)
        return end <= 0x10000 && at >= 0x1000;
    uint64_t high = vm_mmio64_base(vm_of(b));
    return (at >= VM_MMIO_BASE && end <= VM_MMIO_END) ||
           (at >= high && end <= high + VM_MMIO64_SIZE);
}

/* Another BAR of this VM that lies there: a mapped one (mapped_only), or one that has a place.
 * NULL: there is none. */
static const struct vbar *overlaps(const struct vbar *b, bool mapped_only)
{
    const struct vpci *bus = vm_of(b)->pci;
    for (size_t d = 1; d < ARRAY_COUNT(bus->functions); d++) {
        struct vpci_function *f = bus->functions[d];
        for (size_t i = 0; f && i < ARRAY_COUNT(f->bars); i++) {
            struct vbar *o = &f->bars[i];
            uint64_t at = mapped_only ? o->mapped_at : o->guest;
            if (o != b && o->host.kind == b->host.kind &&
                (mapped_only ? o->mapped : o->guest != 0) &&
                ranges_overlap(b->guest, b->host.size, at, o->host.size))
                return o;
        }
    }
    return NULL;
}

/* --- Mapping ---------------------------------------------------------------------------------- */

/* Ports that pass have a range, too: an access over an edge of the BAR exits, and its part of the
 * bytes is the device's. */
static bool map_io(struct vbar *b)
{
    struct vm *vm = vm_of(b);
    if (vm_bus_add(&vm->pio,
                   VM_TRAPPED(b->guest, b->host.size, "bar-io", forward_in, forward_out, b)) < 0)
        return false;
    if (is_trapped(b) || b->guest != b->host.base ||
        bitmaps_ports(vm->bitmaps, (uint16_t)b->guest, (unsigned)b->host.size, true) == 0)
        return true;
    vm_bus_remove(&vm->pio, b->guest);
    return false;
}

static void unmap_io(struct vbar *b)
{
    struct vm *vm = vm_of(b);
    vm_bus_remove(&vm->pio, b->mapped_at);
    if (bitmaps_port_passes(vm->bitmaps, (uint16_t)b->mapped_at) &&
        bitmaps_ports(vm->bitmaps, (uint16_t)b->mapped_at, (unsigned)b->host.size, false))
        panic("an open port range cannot be closed");
}

static bool map_direct(const struct vbar *b, uint64_t offset, uint64_t size)
{
    unsigned perm = EPT_PERM_READ | (b->enabled ? 0 : EPT_PERM_WRITE); /* a ROM is only read */
    return size == 0 || vm_map(vm_of(b), gpa(b->guest + offset), hpa(b->host.base + offset), size,
                               perm, EPT_UC, true) == 0;
}

/* Map the pages before and behind the MSI-X table directly, and trap the table's own pages. The
 * trap comes last: so after a failure only direct mappings have to be undone. */
static bool map_now(const struct vbar *b)
{
    struct vmsix_hole hole = vmsix_hole(b->msix);
    uint64_t behind = hole.offset + hole.size;
    if (map_direct(b, 0, hole.offset) && map_direct(b, behind, b->host.size - behind) &&
        (!hole.size || vmsix_map(b->msix, vm_of(b), b->guest + hole.offset) == 0))
        return true;
    vm_unmap(vm_of(b), gpa(b->guest), b->host.size, true);
    return false;
}

/* bar=lazy: the guest has touched the BAR for the first time. */
static bool map_at_touch(void *owner)
{
    struct vbar *b = owner;
    b->waits = false;
    vm_bus_remove(&vm_of(b)->mmio, b->mapped_at);
    b->mapped = map_now(b);
    return b->mapped;
}

static bool map_memory(struct vbar *b)
{
    struct vm_range range = {.base = b->guest, .size = b->host.size, .owner = b};
    b->waits = b->of->of->config.bar == BAR_LAZY && !is_trapped(b);
    if (b->waits) {
        range.name = "bar-lazy";
        range.map = map_at_touch;
    } else if (is_trapped(b)) {
        range.name = "bar-mem";
        range.read = forward_read;
        range.write = forward_write;
    } else {
        return map_now(b);
    }
    return vm_bus_add(&vm_of(b)->mmio, &range) == 0;
}

static void unmap_memory(struct vbar *b)
{
    struct vm *vm = vm_of(b);
    struct vmsix_hole hole = vmsix_hole(b->msix);
    if (b->waits || is_trapped(b)) {
        vm_bus_remove(&vm->mmio, b->mapped_at);
        return;
    }
    if (hole.size)
        vm_bus_remove(&vm->mmio, b->mapped_at + hole.offset); /* what vmsix_map() added */
    vm_unmap(vm, gpa(b->mapped_at), b->host.size, true);
}

static void bar_unmap(struct vbar *b)
{
    if (!b->mapped)
        return;
    if (b->host.kind == PCI_BAR_IO)
        unmap_io(b);
    else
        unmap_memory(b);
    b->mapped = false;
}

static void bar_map(struct vbar *b)
{
    if (!place_ok(b) || overlaps(b, true)) {
        if ((uint32_t)(b->guest + grain(b)) != 0) /* all ones: the guest asks for the size */
            log_guest(&b->place_budget,
                      "vm=%s " BDF_FMT " bar%u at 0x%lx is no place for a BAR: not mapped",
                      vm_of(b)->name, BDF_ARG(b->of->bdf), bar_index(b), b->guest);
        return;
    }
    b->mapped_at = b->guest;
    b->mapped = b->host.kind == PCI_BAR_IO ? map_io(b) : map_memory(b);
    if (!b->mapped) /* no memory for a table, or the list of ranges is full */
        log_guest(&b->place_budget, "vm=%s " BDF_FMT " bar%u at 0x%lx: no room: not mapped",
                  vm_of(b)->name, BDF_ARG(b->of->bdf), bar_index(b), b->guest);
}

/* A device may share one decoder between its ROM and its BARs, so the hardware's ROM enable bit
 * follows the guest's. PCI "Expansion ROM Base Address Register". */
static void rom_decode(const struct vpci_function *f, bool on)
{
    const struct pci_bar *rom = &f->bars[VPCI_ROM].host;
    if (rom->kind != PCI_BAR_NONE)
        pci_write32(f->of->fn->bdf, PCI_ROM, LO32(rom->base) | (on ? (uint32_t)PCI_ROM_ENABLE : 0));
}

const struct vbar *vbar_holding(const struct vm *vm, uint64_t at, uint64_t size)
{
    for (const struct assignment *a = vm->assignments; a; a = a->next)
        for (size_t i = 0; i < ARRAY_COUNT(a->v.bars); i++) {
            const struct pci_bar *b = &a->v.bars[i].host;
            if (b->kind == PCI_BAR_MEM && at >= b->base && size <= b->size &&
                at - b->base <= b->size - size)
                return &a->v.bars[i];
        }
    return NULL;
}

bool vbar_read(const struct vm *vm, gpa_t at, unsigned width, uint64_t *value)
{
    for (struct assignment *a = vm->assignments; a; a = a->next)
        for (size_t i = 0; i < ARRAY_COUNT(a->v.bars); i++) {
            struct vbar *b = &a->v.bars[i];
            uint64_t offset = at.v - b->mapped_at;
            if (b->mapped && b->host.kind == PCI_BAR_MEM && offset < b->host.size &&
                width <= b->host.size - offset && mmio_map(hpa(b->host.base + offset), width)) {
                *value = forward_read(NULL, b, offset, width);
                return true;
            }
        }
    return false;
}

void vbar_unmap_all(struct vpci_function *f)
{
    rom_decode(f, false);
    for (size_t i = 0; i < ARRAY_COUNT(f->bars); i++)
        bar_unmap(&f->bars[i]);
}

void vbar_reset(struct vpci_function *f)
{
    struct vbar *rom = &f->bars[VPCI_ROM];
    vbar_unmap_all(f);
    rom->enabled = false;
    vpci_set_shadow(f, PCI_ROM, 4, LO32(rom->guest));
}

static bool is_decoded(const struct vbar *b)
{
    uint32_t command = vpci_shadow(b->of, PCI_COMMAND, 2);
    if (bar_index(b) == VPCI_ROM && !b->enabled)
        return false;
    return command & (b->host.kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEM);
}

/* First unmap every BAR that has moved or is not decoded any more, then map: so a BAR may take the
 * place that another has just left. */
void vbar_update(struct vpci_function *f)
{
    for (size_t i = 0; i < ARRAY_COUNT(f->bars); i++) {
        struct vbar *b = &f->bars[i];
        if (b->mapped && (!is_decoded(b) || b->mapped_at != b->guest))
            bar_unmap(b);
    }
    for (size_t i = 0; i < ARRAY_COUNT(f->bars); i++) {
        struct vbar *b = &f->bars[i];
        if (b->host.kind != PCI_BAR_NONE && !b->mapped && is_decoded(b))
            bar_map(b);
    }
}

/* --- The registers ---------------------------------------------------------------------------- */

static uint16_t bar_register(size_t i) { return (uint16_t)PCI_BAR(i); }

static uint32_t bar_flags(const struct pci_bar *b)
{
    if (b->kind == PCI_BAR_IO)
        return PCI_BAR_IS_IO;
    return (b->is_64bit ? (uint32_t)FIELD_SET(PCI_BAR_MEM_TYPE, PCI_BAR_MEM_64) : 0) |
           (b->prefetchable ? PCI_BAR_MEM_PREFETCH : 0);
}

/* Address bits below the size read as zero, whatever the guest wrote: so it finds the size. */
static void bar_show(struct vpci_function *f, size_t i)
{
    const struct vbar *b = &f->bars[i];
    vpci_set_shadow(f, bar_register(i), 4, LO32(b->guest) | bar_flags(&b->host));
    if (b->host.is_64bit)
        vpci_set_shadow(f, bar_register(i + 1), 4, HI32(b->guest));
}

static void write_bar(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    size_t i = (r->offset - PCI_BAR(0)) / 4u;
    bool upper = i > 0 && f->bars[i - 1].host.is_64bit;
    struct vbar *b = &f->bars[upper ? i - 1 : i];
    uint64_t want =
        upper ? (uint64_t)value << 32 | LO32(b->guest) : (b->guest & BITS(63, 32)) | value;
    if (b->host.kind == PCI_BAR_NONE)
        return;
    b->guest = ALIGN_DOWN(want, grain(b));
    bar_show(f, upper ? i - 1 : i);
    vbar_update(f);
}

static void write_rom_bar(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    struct vbar *b = &f->bars[VPCI_ROM];
    b->guest = ALIGN_DOWN(value & PCI_ROM_ADDRESS, b->host.size);
    b->enabled = value & PCI_ROM_ENABLE;
    rom_decode(f, b->enabled);
    vpci_set_shadow(f, r->offset, 4, LO32(b->guest) | (value & PCI_ROM_ENABLE));
    vbar_update(f);
}

/* Larger BARs are placed above 4 GiB, if they are 64-bit ones. */
#define PLACE_LOW_MAX (UINT64_C(256) << 20)

/* The first address of [from, end) where it may lie, aligned to its size. False: there is none, and
 * the BAR lies behind them. */
static bool place_in(struct vbar *b, uint64_t from, uint64_t end)
{
    const struct vbar *there;
    uint64_t size = b->host.size;
    b->guest = ALIGN_UP(from, size);
    for (; b->guest + size <= end; b->guest = ALIGN_UP(from, MAX(size, PAGE_SIZE))) {
        there = overlaps(b, false);
        if (!there && place_ok(b))
            return true;
        from = there ? there->guest + there->host.size : b->guest + 1;
    }
    return false;
}

/* Give the BAR its first place, as a firmware would. -ENOMEM: Hamlet cannot map what it has to
 * forward. */
static int bar_place(struct vbar *b)
{
    const struct pci_bar *bar = &b->host;
    uint64_t high = vm_mmio64_base(vm_of(b));
    if (bar->kind == PCI_BAR_IO) { /* the same ports, so that they can pass */
        b->guest = bar->base;
        return 0;
    }
    if (is_trapped(b) && !mmio_map(hpa(bar->base), bar->size))
        return -ENOMEM;
    bool low =
        !(bar->is_64bit && bar->size > PLACE_LOW_MAX) && place_in(b, VM_MMIO_BASE, VM_MMIO_END);
    if (!low && bar->is_64bit)
        place_in(b, high, high + VM_MMIO64_SIZE); /* bar_map() tells if there is none */
    return 0;
}

/* Firmware often leaves a ROM without an address; its register may then lead to any memory. */
static void rom_init(struct vpci_function *f)
{
    const struct pci_function *fn = f->of->fn;
    const char *why = fn->rom.kind == PCI_BAR_NONE ? NULL : pci_rom_objection(fn);
    if (why)
        log_often("vm=%s " BDF_FMT " its ROM is not shown: %s", f->of->vm->name, BDF_ARG(fn->bdf),
                  why);
    else
        f->bars[VPCI_ROM].host = fn->rom;
}

int vbar_init(struct vpci_function *f)
{
    const struct pci_function *fn = f->of->fn;
    for (size_t i = 0; i < ARRAY_COUNT(f->bars); i++)
        f->bars[i] = (struct vbar){.of = f, .place_budget = 1};
    for (size_t i = 0; i < PCI_BAR_COUNT; i++) {
        if (fn->bars[i].base)
            f->bars[i].host = fn->bars[i];
        else if (fn->bars[i].kind != PCI_BAR_NONE)
            log_often("vm=%s " BDF_FMT " bar%zu is not shown: the firmware left it without an "
                      "address",
                      f->of->vm->name, BDF_ARG(fn->bdf), i);
        vpci_add(f, (struct vpci_reg){.offset = bar_register(i),
                                      .width = 4,
                                      .shadow = 0xffffffff,
                                      .write = write_bar});
    }
    if (f->of->config.rom)
        rom_init(f);
    for (size_t i = 0; i < ARRAY_COUNT(f->bars); i++)
        if (f->bars[i].host.kind != PCI_BAR_NONE) {
            int err = bar_place(&f->bars[i]);
            if (err)
                return err;
            if (i < PCI_BAR_COUNT)
                bar_show(f, i);
        }
    vpci_add(f, (struct vpci_reg){.offset = PCI_ROM,
                                  .width = 4,
                                  .shadow = 0xffffffff,
                                  .write = f->bars[VPCI_ROM].host.kind ? write_rom_bar : NULL});
    vpci_set_shadow(f, PCI_ROM, 4, LO32(f->bars[VPCI_ROM].guest));
    return 0;
}
