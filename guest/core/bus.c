/* SPDX-License-Identifier: MIT */
/*
 * Which of a VM's virtual devices owns a port or an address: a short sorted list of ranges.
 * From: guest/pc/pio.c, guest/pc/mmio.c (an access), every virtual device (its ranges).
 * To: the read and write functions of the ranges.
 * Hot: every trapped access is looked up here.
 */
#include "guest/core/bus.h"
#include "guest/core/vm.h"
#include "lib/string.h"

/* Index of the first range that ends behind `address`; bus->count if there is none. Ends are
 * compared as last bytes: a range may end with the address space. */
static size_t range_from(const struct vm_bus *bus, uint64_t address)
{
    size_t low = 0, high = bus->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct vm_range *r = &bus->ranges[middle];
        if (r->base + (r->size - 1) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The ranges change: what was found among them does not count any more. */
static COLD void forget(struct vm_bus *bus)
{
    bus->recent = bus->before = NULL;
    bus->hole.size = 0;
}

COLD int vm_bus_add(struct vm_bus *bus, const struct vm_range *range)
{
    size_t at = range_from(bus, range->base);
    if (range->size == 0 || range->base + (range->size - 1) < range->base)
        return -EINVAL;
    if (at < bus->count && bus->ranges[at].base <= range->base + (range->size - 1))
        return -EEXIST;
    if (bus->count == VM_RANGE_MAX)
        return -ENOSPC;
    memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->count - at) * sizeof(*range));
    bus->ranges[at] = *range;
    bus->count++;
    forget(bus);
    return 0;
}

COLD void vm_bus_remove(struct vm_bus *bus, uint64_t base)
{
    size_t at = range_from(bus, base);
    if (at == bus->count || bus->ranges[at].base != base)
        return;
    bus->count--;
    forget(bus);
    memmove(&bus->ranges[at], &bus->ranges[at + 1], (bus->count - at) * sizeof(bus->ranges[0]));
}

/* Not in the range that was found last. */
const struct vm_range *bus_find_another(struct vm_bus *bus, uint64_t address)
{
    const struct vm_range *r = bus->before;
    if (address - bus->hole.base < bus->hole.size)
        return NULL;
    if (!r || address - r->base >= r->size) {
        size_t at = range_from(bus, address);
        r = &bus->ranges[at];
        if (at == bus->count || r->base > address) {
            bus->hole.base = at ? r[-1].base + r[-1].size : 0;
            bus->hole.size = (at == bus->count ? UINT64_MAX : r->base) - bus->hole.base;
            return NULL;
        }
    }
    bus->before = bus->recent;
    bus->recent = r;
    return r;
}

static bool is_in_hole(const struct vm_bus *bus, uint64_t address, unsigned width)
{
    uint64_t offset = address - bus->hole.base;
    return offset < bus->hole.size && width <= bus->hole.size - offset;
}

/* --- An access -------------------------------------------------------------------------------- */

/* An access that no single range holds goes in parts, as on the bus of a PC: each is naturally
 * aligned, and one range holds it, or no range. True: some range answered. */
static COLD __attribute__((noinline)) bool in_parts(struct vcpu *v, struct vm_bus *bus, uint64_t at,
                                                    unsigned width, uint64_t *value, bool write)
{
    bool answered = false;
    for (unsigned done = 0, n; done < width; done += n) {
        const struct vm_range *r = NULL;
        for (n = 8; n > width - done || !IS_ALIGNED(at + done, n) ||
                    (!(r = bus_owner(bus, at + done, n)) && n > 1);)
            n /= 2;
        if (!r)
            continue;
        answered = true;
        uint64_t offset = at + done - r->base, here = WIDTH_MASK(n) << 8 * done,
                 part = ~UINT64_C(0);
        if (write)
            r->write(v, r->owner, offset, n, (*value & here) >> 8 * done);
        else
            r->read(v, r->owner, offset, n, &part);
        *value = (*value & ~here) | (part << 8 * done & here);
    }
    return answered;
}

bool bus_no_owner(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t *value,
                  bool write)
{
    return !is_in_hole(bus, at, width) && in_parts(v, bus, at, width, value, write);
}

/* The virtual PCI bus notes its accesses itself, by register and not by address. */
static inline bool is_noted(const struct vcpu *v, const struct vm_bus *bus, uint64_t at)
{
    return bus == &v->vm->mmio && at - VM_ECAM_BASE >= VM_ECAM_SIZE;
}

bool vm_bus_read(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t *value)
{
    spin_lock(&v->vm->lock);
    bool answered = bus_read(v, bus, at, width, value);
    if (is_noted(v, bus, at))
        vm_note_mmio(v, false, width, at, *value);
    spin_unlock(&v->vm->lock);
    return answered;
}

bool vm_bus_write(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t value)
{
    spin_lock(&v->vm->lock);
    bool answered = bus_write(v, bus, at, width, value);
    if (is_noted(v, bus, at))
        vm_note_mmio(v, true, width, at, value);
    spin_unlock(&v->vm->lock);
    return answered;
}

COLD int vm_bus_map(struct vm *vm, uint64_t at)
{
    spin_lock(&vm->lock);
    const struct vm_range *r = vm_bus_find(&vm->mmio, at);
    int mapped = !r ? -ENOENT : r->map && r->map(r->owner);
    spin_unlock(&vm->lock);
    return mapped;
}
