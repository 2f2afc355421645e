/* SPDX-License-Identifier: MIT */
/*
 * The MSI-X table that the guest sees, and the one that the device has.
 * An entry of the device has one message for the life of the assignment: the vCPU and the vector
 * stand in the IRTE. Its mask bit is set if the guest masks the entry, or if its route is blocked.
 * A device that is reset by its own registers loses its table unseen. So an entry gets its message
 * again each time it is unmasked, and all entries each time the guest writes Message Control.
 * From: guest/assign/vbar.c (traps), guest/assign/vpci_caps.c (vmsix_init), guest/assign/reset.c.
 * To: guest/assign/irq.c, pci/msi.c.
 * Spec: PCI Local Bus 3.0 "MSI-X Capability and Table Structures", "MSI-X Table Entries".
 */
#include "guest/assign/vmsix.h"
#include "arch/io.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "guest/assign/assign.h"
#include "guest/core/bus.h"
#include "lib/string.h"
#define LOG "vmsix"
#include "arch/log.h"

struct msix_entry {
    uint64_t address;
    uint32_t data, control;
};
static_assert(sizeof(struct msix_entry) == PCI_MSIX_ENTRY_SIZE, "PCI: a table entry is 16 bytes");

struct slot {
    struct msix_entry guest; /* as the guest wrote it */
    struct irq_route route;
    bool routed;   /* the route has an IRTE */
    bool unmasked; /* the device's mask bit, as last written */
};

struct vmsix {
    struct vpci_function *f;
    struct pci_msix_info info;
    struct vmsix_hole hole;
    char *pages;            /* the hole in the device, mapped for Hamlet */
    size_t size_in_pages;   /* of this structure */
    bool enabled, mask_all; /* Message Control, as the guest wrote it */
    struct slot slots[];
};

struct vmsix_hole vmsix_hole(const struct vmsix *m)
{
    return m ? m->hole : (struct vmsix_hole){0, 0};
}

/* --- The device's table ----------------------------------------------------------------------- */

static char *device_entry(const struct vmsix *m, unsigned i)
{
    return m->pages + (m->info.table_offset - m->hole.offset) + i * PCI_MSIX_ENTRY_SIZE;
}

static void device_mask(struct vmsix *m, unsigned i, bool masked)
{
    mmio_write32(device_entry(m, i) + PCI_MSIX_ENTRY_CONTROL, masked ? PCI_MSIX_ENTRY_MASK : 0);
    m->slots[i].unmasked = !masked;
}

/* The mask comes last: the entry never sends half a message. */
static void device_unmask(struct vmsix *m, unsigned i)
{
    uint64_t address = vtd_msi_address(m->slots[i].route.irte, false);
    mmio_write32(device_entry(m, i) + PCI_MSIX_ENTRY_ADDRESS, LO32(address));
    mmio_write32(device_entry(m, i) + PCI_MSIX_ENTRY_ADDRESS + 4, HI32(address));
    mmio_write32(device_entry(m, i) + PCI_MSIX_ENTRY_DATA, 0);
    device_mask(m, i, false);
}

/* At its first use give entry i a route. False: no IRTE is left. */
static bool entry_route(struct vmsix *m, unsigned i)
{
    struct slot *s = &m->slots[i];
    if (s->routed)
        return true;
    if (irq_routes_alloc(m->f->of, &s->route, 1)) {
        log_guest(&m->f->of->vm->log_budget,
                  "vm=%s " BDF_FMT " entry %u stays masked: no interrupt left", m->f->of->vm->name,
                  BDF_ARG(m->f->bdf), i);
        return false;
    }
    s->routed = true;
    return true;
}

/* Make entry i of the device, and its route, what the guest's entry says. A change of address or
 * data changes the IRTE only; the device is written only if its mask bit changes. */
static void entry_update(struct vmsix *m, unsigned i)
{
    struct slot *s = &m->slots[i];
    bool sends = m->enabled && !m->mask_all && !(s->guest.control & PCI_MSIX_ENTRY_MASK) &&
                 entry_route(m, i);
    if (sends)
        irq_route_set(&s->route, s->guest.address, s->guest.data);
    sends = sends && s->route.delivery != IRQ_UNROUTED;
    if (sends && !s->unmasked)
        device_unmask(m, i);
    else if (!sends && s->unmasked)
        device_mask(m, i, true);
}

void vmsix_reroute(struct vmsix *m)
{
    for (unsigned i = 0; m && i < m->info.count; i++)
        if (m->slots[i].routed)
            entry_update(m, i);
}

/* --- The trapped pages ------------------------------------------------------------------------ */

static bool in_table(const struct vmsix *m, uint64_t bar_offset)
{
    return bar_offset - m->info.table_offset < m->info.count * (uint64_t)PCI_MSIX_ENTRY_SIZE;
}

/* The access begins before the table and reaches into it. No driver does that, and the guest must
 * not see the device's own entries. */
static bool reaches_in(const struct vmsix *m, uint64_t bar_offset, unsigned width)
{
    return !in_table(m, bar_offset) && in_table(m, bar_offset + width - 1);
}

bool vmsix_holds(const struct vmsix *m, uint64_t bar_offset)
{
    return m && bar_offset >= m->hole.offset && bar_offset - m->hole.offset < m->hole.size;
}

/* Of an access that ends behind its entry, only the part in the entry is read. */
uint64_t vmsix_read(const struct vmsix *m, uint64_t at, unsigned width)
{
    if (!in_table(m, at))
        return reaches_in(m, at, width) ? WIDTH_MASK(width)
                                        : mmio_read(m->pages + (at - m->hole.offset), width);
    at -= m->info.table_offset;
    const struct msix_entry *e = &m->slots[at / PCI_MSIX_ENTRY_SIZE].guest;
    unsigned bits = at % PCI_MSIX_ENTRY_SIZE * 8;
    uint64_t high = e->data | (uint64_t)e->control << 32;
    return bits == 0   ? e->address
           : bits < 64 ? e->address >> bits | high << (64 - bits)
                       : high >> (bits - 64);
}

static bool in_pba(const struct vmsix *m, uint64_t bar_offset)
{
    uint64_t size = ALIGN_UP(m->info.count, 64) / 8;
    return m->info.pba_bar == m->info.table_bar && bar_offset >= m->info.pba_offset &&
           bar_offset - m->info.pba_offset < size;
}

void vmsix_write(struct vmsix *m, uint64_t at, unsigned width, uint64_t value)
{
    if (in_pba(m, at) || in_pba(m, at + width - 1) || reaches_in(m, at, width))
        return; /* the PBA is read-only */
    if (!in_table(m, at)) {
        mmio_write(m->pages + (at - m->hole.offset), width, value);
        return;
    }
    at -= m->info.table_offset;
    unsigned i = (unsigned)(at / PCI_MSIX_ENTRY_SIZE);
    size_t in_entry = at % PCI_MSIX_ENTRY_SIZE;
    struct msix_entry *e = &m->slots[i].guest;
    memcpy((char *)e + in_entry, &value, MIN(width, PCI_MSIX_ENTRY_SIZE - in_entry));
    e->control &= PCI_MSIX_ENTRY_MASK;
    entry_update(m, i);
}

static uint64_t page_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    const struct vmsix *m = owner;
    (void)v;
    return vmsix_read(m, m->hole.offset + offset, width);
}

static void page_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    struct vmsix *m = owner;
    (void)v;
    vmsix_write(m, m->hole.offset + offset, width, value);
}

int vmsix_map(struct vmsix *m, struct vm *vm, uint64_t at)
{
    return vm_bus_add(&vm->mmio,
                      VM_TRAPPED(at, m->hole.size, "msix-table", page_read, page_write, m));
}

/* --- Message Control -------------------------------------------------------------------------- */

static void msix_control_write(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    struct vmsix *m = f->msix;
    vpci_set_shadow(f, r->offset, 2,
                    (m->info.count - 1u) | (value & (PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL)));
    m->enabled = value & PCI_MSIX_ENABLE;
    m->mask_all = value & PCI_MSIX_MASK_ALL;
    for (unsigned i = 0; i < m->info.count; i++) {
        device_mask(m, i, true); /* whatever the device has there now */
        entry_update(m, i);
    }
    pci_msix_enable(f->of->fn, m->enabled, false);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Whole pages, but not beyond the end of a BAR that is smaller than a page. */
static struct vmsix_hole hole_of(const struct pci_msix_info *info, const struct pci_bar *bar)
{
    uint64_t first = ALIGN_DOWN(info->table_offset, PAGE_SIZE);
    uint64_t end = ALIGN_UP(info->table_offset + info->count * PCI_MSIX_ENTRY_SIZE, PAGE_SIZE);
    return (struct vmsix_hole){first, MIN(end, bar->size) - first};
}

int vmsix_init(struct vpci_function *f, uint8_t at)
{
    struct pci_msix_info info;
    if (pci_msix_info(f->of->fn, &info))
        return 0; /* pci/msi.c has logged the reason; the capability is not shown */
    size_t size = sizeof(struct vmsix) + info.count * sizeof(struct slot);
    size_t pages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
    struct vmsix *m = pages_alloc(pages, PAGE_SIZE);
    if (!m)
        return -ENOMEM;
    m->f = f;
    m->info = info;
    m->size_in_pages = pages;
    m->hole = hole_of(&info, &f->of->fn->bars[info.table_bar]);
    m->pages = mmio_map(hpa(f->of->fn->bars[info.table_bar].base + m->hole.offset), m->hole.size);
    if (!m->pages) {
        pages_free(m, pages);
        return -ENOMEM;
    }
    f->msix = m;
    f->cap_msix = at;
    f->bars[info.table_bar].msix = m;
    vmsix_reset(f);
    vpci_add(f, (struct vpci_reg){.offset = (uint16_t)(at + PCI_MSIX_CONTROL),
                                  .width = 2,
                                  .shadow = 0xffff,
                                  .write = msix_control_write});
    return 0;
}

void vmsix_reset(struct vpci_function *f)
{
    struct vmsix *m = f->msix;
    if (!m)
        return;
    pci_msix_enable(f->of->fn, false, false);
    m->enabled = m->mask_all = false;
    vpci_set_shadow(f, f->cap_msix + PCI_MSIX_CONTROL, 2, m->info.count - 1u);
    for (unsigned i = 0; i < m->info.count; i++) {
        struct slot *s = &m->slots[i];
        if (s->routed)
            irq_routes_free(&s->route, 1);
        s->routed = false;
        s->guest = (struct msix_entry){.control = PCI_MSIX_ENTRY_MASK};
        device_mask(m, i, true);
    }
}

void vmsix_release(struct vpci_function *f)
{
    if (!f->msix)
        return;
    vmsix_reset(f);
    f->bars[f->msix->info.table_bar].msix = NULL;
    pages_free(f->msix, f->msix->size_in_pages);
    f->msix = NULL;
}

const struct irq_route *vmsix_route(const struct vmsix *m, unsigned n, bool *guest_masked)
{
    if (!m || n >= m->info.count)
        return NULL;
    *guest_masked = !m->enabled || m->mask_all || (m->slots[n].guest.control & PCI_MSIX_ENTRY_MASK);
    return &m->slots[n].route;
}
