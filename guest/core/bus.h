/* SPDX-License-Identifier: MIT */
/*
 * The port bus and the memory bus of a VM: which virtual device owns a port or an address.
 * From: guest/pc/pio.c and guest/pc/mmio.c (an access), every virtual device (its ranges).
 * To: guest/core/bus.c.
 */
#pragma once
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/types.h"

#define VM_RANGE_MAX 256 /* each BAR of as many devices as a VM may have, and what a PC has */

struct vcpu;
struct vm;

/* What answers an access that exits, with vm->lock held. `offset` counts bytes from the base of the
 * range; `width` is 1, 2, 4 or 8. What a read gives above its width does not count. */
typedef uint64_t (*vm_read_fn)(struct vcpu *v, void *owner, uint64_t offset, unsigned width);
typedef void (*vm_write_fn)(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                            uint64_t value);
struct vm_range {
    uint64_t base, size;
    const char *name;
    vm_read_fn read;
    vm_write_fn write;
    void *owner;
    /* Instead of read and write: the first access maps the range (bar=lazy), with vm->lock held.
     * True: the range is mapped, and the guest repeats the access. */
    bool (*map)(void *owner);
};
/* A range whose every access exits. */
#define VM_TRAPPED(base, size, name, read, write, owner)                                           \
    (&(struct vm_range){base, size, name, read, write, owner, NULL})
struct vm_bus { /* sorted by base; no two ranges overlap */
    struct vm_range ranges[VM_RANGE_MAX];
    size_t count;
    /* Copies of two ranges that answered lately (size 0: none): the next access is often there too,
     * and a driver takes turns with an address register and a data register. */
    struct vm_range recent[2];
    /* Where no range is, around the last access that met none: guests pass time by such ones. */
    struct {
        uint64_t base, size;
    } hole;
};
/* -EEXIST: overlaps another range; -ENOSPC: the table is full; -EINVAL: empty, or wraps. */
MUST_CHECK int vm_bus_add(struct vm_bus *bus, const struct vm_range *range);
void vm_bus_remove(struct vm_bus *bus, uint64_t base); /* no effect if no range begins there */

const struct vm_range *vm_bus_find(const struct vm_bus *bus, uint64_t address); /* or NULL */

struct bus_answer {
    uint64_t value; /* of a read; above the width it does not count */
    bool answered;  /* a range answered at least one byte */
};
/* An access whose owner is not in `recent`: another range, or several, or none. */
COLD struct bus_answer bus_access(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width,
                                  uint64_t value, bool write);
static inline bool bus_holds(const struct vm_range *r, uint64_t at, unsigned width)
{
    uint64_t end;
    return !__builtin_add_overflow(at - r->base, width, &end) && end <= r->size;
}
/* The range of `recent` that holds the whole access, or NULL. */
static inline const struct vm_range *bus_recent(const struct vm_bus *bus, uint64_t at,
                                                unsigned width)
{
    const struct vm_range *r = bus->recent;
    return bus_holds(r, at, width) || bus_holds(++r, at, width) ? r : NULL;
}

/* True: no range holds a byte of the access. False: perhaps none does. */
static inline bool bus_is_hole(const struct vm_bus *bus, uint64_t at, unsigned width)
{
    uint64_t end;
    return !__builtin_add_overflow(at - bus->hole.base, width, &end) && end <= bus->hole.size;
}

/* One access of `width` bytes, 1, 2, 4 or 8. Where no range is, reads give ones and writes have no
 * effect. True: a range answered at least one byte. Both take vm->lock. */
bool vm_bus_read(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t *value);
bool vm_bus_write(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t value);
/* Map the range at `at` of the memory bus, if its first access does that. 1: mapped, so enter the
 * guest again. 0: not. -ENOENT: no range is there. Takes vm->lock. */
int vm_bus_map(struct vm *vm, uint64_t at);
