/* SPDX-License-Identifier: MIT */
/*
 * Which of a VM's virtual devices owns a port or an address: a short sorted list of ranges.
 * From: guest/pc/pio.c, guest/pc/mmio.c (an access), every virtual device (its ranges).
 * To: the read and write functions of the ranges.
 * Hot: each trapped access that is at neither of the two ranges that answered last.
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
    bus->recent[0].size = bus->recent[1].size = bus->hole.size = 0;
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

const struct vm_range *vm_bus_find(const struct vm_bus *bus, uint64_t address)
{
    const struct vm_range *r = &bus->ranges[range_from(bus, address)];
    return r < bus->ranges + bus->count && r->base <= address ? r : NULL;
}

/* --- An access -------------------------------------------------------------------------------- */

/* The range that holds the whole access, which is in `recent` from now on. NULL: there is none, or
 * its first access maps it. */
static const struct vm_range *owner_of(struct vm_bus *bus, uint64_t at, unsigned width)
{
    if (bus_is_hole(bus, at, 1))
        return NULL;
    size_t n = range_from(bus, at);
    const struct vm_range *r = &bus->ranges[n];
    if (n == bus->count || r->base > at) {
        bus->hole.base = n ? r[-1].base + r[-1].size : 0;
        bus->hole.size = (n == bus->count ? UINT64_MAX : r->base) - bus->hole.base;
        return NULL;
    }
    if (r->map || !bus_holds(r, at, width))
        return NULL;
    bus->recent[1] = bus->recent[0];
    bus->recent[0] = *r;
    return bus->recent;
}

static void ask(struct vcpu *v, const struct vm_range *r, uint64_t at, unsigned width,
                uint64_t *value, bool write)
{
    if (write)
        r->write(v, r->owner, at - r->base, width, *value & WIDTH_MASK(width));
    else
        *value = r->read(v, r->owner, at - r->base, width);
}

/* An access that no single range holds goes in parts, as on the bus of a PC: each is naturally
 * aligned, and one range holds it, or no range. True: some range answered. */
static COLD __attribute__((noinline)) bool in_parts(struct vcpu *v, struct vm_bus *bus, uint64_t at,
                                                    unsigned width, uint64_t *value, bool write)
{
    bool answered = false;
    for (unsigned done = 0, n; done < width; done += n) {
        const struct vm_range *r = NULL;
        for (n = 8; n > width - done || !IS_ALIGNED(at + done, n) ||
                    (!(r = owner_of(bus, at + done, n)) && n > 1);)
            n /= 2;
        if (!r)
            continue;
        answered = true;
        uint64_t here = WIDTH_MASK(n) << 8 * done, part = *value >> 8 * done;
        ask(v, r, at + done, n, &part, write);
        *value = (*value & ~here) | (part << 8 * done & here);
    }
    return answered;
}

struct bus_answer bus_access(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width,
                             uint64_t value, bool write)
{
    struct bus_answer a = {value, false};
    const struct vm_range *r = owner_of(bus, at, width);
    a.answered =
        r || (!bus_is_hole(bus, at, width) && in_parts(v, bus, at, width, &a.value, write));
    if (r)
        ask(v, r, at, width, &a.value, write);
    return a;
}

/* The virtual PCI bus notes its accesses itself, by register and not by address. */
static inline bool is_noted(const struct vcpu *v, const struct vm_bus *bus, uint64_t at)
{
    return bus == &v->vm->mmio && at - VM_ECAM_BASE >= VM_ECAM_SIZE;
}

bool vm_bus_read(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t *value)
{
    spin_lock(&v->vm->lock);
    const struct vm_range *r = bus_recent(bus, at, width);
    struct bus_answer a = r ? (struct bus_answer){r->read(v, r->owner, at - r->base, width), true}
                            : bus_access(v, bus, at, width, ~UINT64_C(0), false);
    *value = a.value & WIDTH_MASK(width);
    if (is_noted(v, bus, at))
        vm_note_mmio(v, false, width, at, *value);
    spin_unlock(&v->vm->lock);
    return a.answered;
}

bool vm_bus_write(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t value)
{
    spin_lock(&v->vm->lock);
    const struct vm_range *r = bus_recent(bus, at, width);
    bool answered = r || bus_access(v, bus, at, width, value, true).answered;
    if (r)
        r->write(v, r->owner, at - r->base, width, value);
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
