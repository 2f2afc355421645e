/* SPDX-License-Identifier: MIT */
/*
 * The guest's PCI bus: the two doors to config space, and the filter behind both.
 * From: guest/pc/pio.c and guest/pc/mmio.c (through vm_bus), guest/life/create.c (vpci_create),
 * guest/assign/assign.c (vpci_plug).
 * To: guest/assign/vpci_header.c, guest/assign/vpci_caps.c, guest/assign/vbar.c (through write),
 * pci/config.c (the hardware).
 * Hot: a guest's drivers ask for configuration space again and again.
 * Spec: PCI Local Bus 3.0 "Configuration Mechanism #1"; PCI Express "Enhanced Configuration Access
 * Mechanism (ECAM)".
 */
#include "guest/assign/vpci.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "guest/assign/assign.h"
#include "guest/core/bus.h"
#include "guest/core/vm.h"
#include "guest/pc/pc.h"
#include "lib/string.h"

#define ECAM_BDF        BITS(27, 12)
#define ECAM_REGISTER   BITS(11, 0)

#define BUS_OR_FUNCTION BDF(0xff, 0, 7)

/* --- The shadow ------------------------------------------------------------------------------- */

uint32_t vpci_shadow(const struct vpci_function *f, uint16_t offset, unsigned width)
{
    uint32_t v = 0;
    memcpy(&v, f->shadow + offset, width);
    return v;
}

void vpci_set_shadow(struct vpci_function *f, uint16_t offset, unsigned width, uint32_t value)
{
    memcpy(f->shadow + offset, &value, width);
}

COLD void vpci_add(struct vpci_function *f, struct vpci_reg reg)
{
    size_t at = f->reg_count;
    invariant(f->reg_count < VPCI_REG_MAX && IS_ALIGNED(reg.offset, reg.width) &&
              reg.offset < VPCI_CONFIG_SIZE);
    while (at > 0 && f->regs[at - 1].offset > reg.offset)
        at--;
    memmove(&f->regs[at + 1], &f->regs[at], (f->reg_count - at) * sizeof(reg));
    f->regs[at] = reg;
    f->reg_count++;
    /* Capabilities of a hostile device may overlap: the register that begins first counts. */
    for (at = f->reg_count; at-- > 0;) {
        const struct vpci_reg *r = &f->regs[at];
        memset(f->reg_of + r->offset, (int)at + 1, r->width);
        memcpy(f->from_shadow + r->offset, &r->shadow, r->width);
    }
}

/* --- Reads ------------------------------------------------------------------------------------ */

/* Does nothing answer there? A device that its guest resets is busy with that. An access over the
 * end of a function's registers belongs to two functions: a root complex need not take it. */
static bool is_silent(const struct vpci_function *f, unsigned end)
{
    return !f || end > VPCI_CONFIG_SIZE || (f->of && f->of->resetting);
}

static __attribute__((noinline)) uint32_t from_hardware(const struct vpci_function *f,
                                                        uint16_t offset)
{
    return pci_read32(f->of->fn->bdf, (uint16_t)ALIGN_DOWN(offset, 4)) >> offset % 4 * 8;
}

static inline uint32_t dword(const uint8_t *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

/* A byte in no list is read from the hardware; but beyond register 256 from the shadow, which has
 * zeros where nothing is shown. */
static inline uint32_t filtered(const struct vpci_function *f, uint16_t offset, unsigned width)
{
    uint32_t all = (uint32_t)WIDTH_MASK(width);
    if (is_silent(f, offset + width))
        return all;
    uint32_t shown = dword(f->from_shadow + offset) & all;
    uint32_t value = dword(f->shadow + offset) & shown;
    if (shown != all && f->of) /* the virtual host bridge has no hardware behind it */
        value |= from_hardware(f, offset) & all & ~shown;
    return value;
}

uint32_t vpci_read(struct vpci_function *f, uint16_t offset, unsigned width)
{
    return filtered(f, offset, width);
}

/* --- Writes, register by register: an access may touch several, or a part of one -------------- */

static const struct vpci_reg *register_at(const struct vpci_function *f, uint16_t at)
{
    unsigned n = f->reg_of[at];
    return n ? &f->regs[n - 1] : NULL;
}

/* `value`: the register as the guest wants it; `touched`: the bits of the bytes that it wrote. */
static COLD void register_write(struct vpci_function *f, const struct vpci_reg *r, uint32_t value,
                                uint32_t touched)
{
    uint32_t shadow = r->writable & r->shadow & touched;
    uint32_t hardware = r->writable & ~r->shadow & touched;
    if (r->write) {
        r->write(f, r, value);
        return;
    }
    uint32_t old = vpci_shadow(f, r->offset, r->width);
    vpci_set_shadow(f, r->offset, r->width, (old & ~shadow) | (value & shadow));
    if (!f->of || (!hardware && !(r->clear_on_1 & touched & value)))
        return;
    /* Bits of the kind "write one to clear" are written as zero unless the guest wrote the one. */
    old = pci_read(f->of->fn->bdf, r->offset, r->width) & ~hardware & ~r->clear_on_1;
    pci_write(f->of->fn->bdf, r->offset, r->width,
              old | (value & hardware) | (value & r->clear_on_1 & touched));
}

COLD void vpci_write(struct vpci_function *f, uint16_t offset, unsigned width, uint32_t value)
{
    if (is_silent(f, offset + width))
        return;
    for (unsigned i = 0; i < width;) {
        uint16_t at = (uint16_t)(offset + i);
        const struct vpci_reg *r = register_at(f, at);
        if (!r) { /* in no list: read-only */
            i++;
            continue;
        }
        unsigned skip = at - r->offset;
        unsigned bytes = MIN(width - i, (unsigned)r->width - skip);
        uint32_t touched = (uint32_t)(WIDTH_MASK(bytes) << (8 * skip));
        uint32_t written = (value >> (8 * i)) << (8 * skip);
        /* Write-one-to-clear bits of bytes that the guest did not touch must read as zero here. */
        uint32_t kept = vpci_read(f, r->offset, r->width) & ~touched & ~r->clear_on_1;
        register_write(f, r, kept | (written & touched), touched);
        i += bytes;
    }
}

/* --- The two doors ---------------------------------------------------------------------------- */

static struct vpci_function *function_at(struct vpci *bus, bdf_t bdf)
{
    return bdf & BUS_OR_FUNCTION ? NULL : bus->functions[bdf / BDF(0, 1, 0)];
}

static uint64_t cf8_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    const struct vpci *bus = owner;
    (void)v;
    return offset == 0 && width == 4 ? bus->address : UINT64_MAX;
}

/* Only a 32-bit write reaches the latch. 0xCF9 is the reset register of the chipset. */
static void cf8_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    struct vpci *bus = owner;
    if (offset == 0 && width == 4)
        bus->address = (uint32_t)value;
    else if (offset == 1 && width == 1)
        vpower_reset_write(v->vm, (uint8_t)value);
}

static uint64_t cfc_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    struct vpci *bus = owner;
    bdf_t bdf = (bdf_t)FIELD_GET(PCI_ADDRESS_BDF, bus->address);
    uint16_t reg = (uint16_t)((bus->address & PCI_ADDRESS_REG) + offset);
    if (!(bus->address & PCI_ADDRESS_ENABLE))
        return UINT64_MAX;
    uint32_t value = filtered(function_at(bus, bdf), reg, width);
    vm_note_config(v, false, width, bdf, reg, value);
    return value;
}

static void cfc_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    struct vpci *bus = owner;
    bdf_t bdf = (bdf_t)FIELD_GET(PCI_ADDRESS_BDF, bus->address);
    uint16_t reg = (uint16_t)((bus->address & PCI_ADDRESS_REG) + offset);
    if (!(bus->address & PCI_ADDRESS_ENABLE))
        return;
    vm_note_config(v, true, width, bdf, reg, value);
    vpci_write(function_at(bus, bdf), reg, width, (uint32_t)value);
}

/* An 8-byte ECAM access becomes two of 4 bytes: a root complex need not do more. */
static uint64_t ecam_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    bdf_t bdf = (bdf_t)FIELD_GET(ECAM_BDF, offset);
    struct vpci_function *f = function_at(owner, bdf);
    uint16_t reg = (uint16_t)FIELD_GET(ECAM_REGISTER, offset);
    uint64_t value = vpci_read(f, reg, MIN(width, 4u));
    if (width == 8)
        value |= (uint64_t)vpci_read(f, (uint16_t)(reg + 4), 4) << 32;
    vm_note_config(v, false, width, bdf, reg, value);
    return value;
}

static void ecam_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    bdf_t bdf = (bdf_t)FIELD_GET(ECAM_BDF, offset);
    struct vpci_function *f = function_at(owner, bdf);
    uint16_t reg = (uint16_t)FIELD_GET(ECAM_REGISTER, offset);
    vm_note_config(v, true, width, bdf, reg, value);
    vpci_write(f, reg, MIN(width, 4u), LO32(value));
    if (width == 8)
        vpci_write(f, (uint16_t)(reg + 4), 4, HI32(value));
}

/* --- Life ------------------------------------------------------------------------------------- */

/* The host bridge exists only so that a guest finds a PCI bus. Its registers are all shadow. Its id
 * is that of a bridge which is nothing else: some drivers take all functions of a vendor. */
#define HOST_BRIDGE_VENDOR 0x1b36
#define HOST_BRIDGE_DEVICE 0x0008
static COLD void host_bridge_init(struct vpci_function *f)
{
    vpci_set_shadow(f, PCI_VENDOR_ID, 2, HOST_BRIDGE_VENDOR);
    vpci_set_shadow(f, PCI_DEVICE_ID, 2, HOST_BRIDGE_DEVICE);
    vpci_set_shadow(f, PCI_CLASS, 4, (uint32_t)FIELD_SET(PCI_CLASS_CODE, PCI_SUB_HOST_BRIDGE << 8));
    for (uint16_t at = 0; at < 64; at += 4)
        vpci_add(f, (struct vpci_reg){.offset = at, .width = 4, .shadow = 0xffffffff});
}

#define VPCI_PAGES (ALIGN_UP(sizeof(struct vpci), PAGE_SIZE) / PAGE_SIZE)
COLD struct vpci *vpci_create(struct vm *vm)
{
    struct vpci *bus = pages_alloc(VPCI_PAGES, PAGE_SIZE);
    if (!bus)
        return NULL;
    bus->vm = vm;
    host_bridge_init(&bus->bridge);
    bus->functions[0] = &bus->bridge;
    if (vm_bus_add(&vm->pio,
                   VM_TRAPPED(PCI_PORT_ADDRESS, 4, "pci-address", cf8_read, cf8_write, bus)) ||
        vm_bus_add(&vm->pio, VM_TRAPPED(PCI_PORT_DATA, 4, "pci-data", cfc_read, cfc_write, bus)) ||
        vm_bus_add(&vm->mmio, VM_TRAPPED(VM_ECAM_BASE, VM_ECAM_SIZE, "pci-ecam", ecam_read,
                                         ecam_write, bus))) {
        pages_free(bus, VPCI_PAGES);
        return NULL;
    }
    return bus;
}

void vpci_reset(struct vm *vm) { vm->pci->address = 0; }

COLD void vpci_destroy(struct vpci *bus)
{
    vm_bus_remove(&bus->vm->pio, PCI_PORT_ADDRESS);
    vm_bus_remove(&bus->vm->pio, PCI_PORT_DATA);
    vm_bus_remove(&bus->vm->mmio, VM_ECAM_BASE);
    pages_free(bus, VPCI_PAGES);
}

COLD int vpci_plug(struct vpci *bus, struct vpci_function *f)
{
    for (unsigned device = 1; device < ARRAY_COUNT(bus->functions); device++)
        if (!bus->functions[device]) {
            bus->functions[device] = f;
            f->bdf = BDF(0, device, 0);
            return 0;
        }
    return -ENOSPC;
}

COLD void vpci_unplug(struct vpci *bus, struct vpci_function *f)
{
    bus->functions[BDF_DEV(f->bdf)] = NULL;
}
