/* SPDX-License-Identifier: MIT */
/*
 * Which of a VM's virtual devices owns a port or an address: a short sorted list of ranges.
 * From: guest/pc/pio.c, guest/pc/mmio.c (an access), every virtual device (its ranges).
 */
#include "lib/string.h"
#include "guest/core/vm.h"

/* Index of the first range that ends behind `address`. */
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

int vm_bus_add(struct vm_bus *bus, const struct vm_range *range)
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
    return 0;
}

void vm_bus_remove(struct vm_bus *bus, uint64_t base)
{
    size_t at = range_from(bus, base);

    if (at == bus->count || bus->ranges[at].base != base)
        return;
    bus->count--;
    memmove(&bus->ranges[at], &bus->ranges[at + 1], (bus->count - at) * sizeof(bus->ranges[0]));
}

const struct vm_range *vm_bus_find(struct vm_bus *bus, uint64_t address)
{
    const struct vm_range *r = &bus->ranges[bus->recent];
    if (address - r->base < r->size && bus->recent < bus->count)
        return r;
    size_t at = range_from(bus, address);
    if (at == bus->count || bus->ranges[at].base > address)
        return NULL;
    bus->recent = at;
    return &bus->ranges[at];
}
