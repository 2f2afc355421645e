/* SPDX-License-Identifier: MIT */
/*
 * Memory that the firmware reserves for a device, and may use with it at any time: a VM with that
 * device gets the region at its own address, for CPUs and devices, and its memory map (load_map())
 * calls it reserved. The firmware then shares this memory with the guest; rmrr=map says that the
 * user accepts it.
 * From: guest/life/create.c (reserved_map).
 * To: vtd/scope.c (which regions), guest/core/memory.c (vm_map).
 */
#include "guest/core/reserved.h"
#include "arch/options.h"
#include "arch/page.h"
#include "guest/core/memory.h"
#include "lib/string.h"
#include "vtd/vtd.h"
#define LOG "vm"
#include "arch/log.h"

static bool is_listed(const struct vm *vm, hpa_t base, uint64_t size)
{
    for (const struct vm_ram *r = vm->reserved; r < vm->reserved + VM_RESERVED_COUNT; r++)
        if (r->to.v == base.v && r->size == size)
            return true;
    return false;
}

static const struct vm *other_holder(const struct vm *vm, hpa_t base, uint64_t size)
{
    for (const struct vm *o = vm_next(NULL); o; o = vm_next(o))
        if (o != vm && o->state != VM_ENDED && reserved_overlaps(o, base.v, size))
            return o;
    return NULL;
}

static int region_map(struct vm *vm, hpa_t base, uint64_t size)
{
    struct vm_ram *r = vm->reserved;
    const struct vm *other = other_holder(vm, base, size);
    while (r < vm->reserved + VM_RESERVED_COUNT && r->size)
        r++;
    if (r == vm->reserved + VM_RESERVED_COUNT)
        return FAIL(ENOSPC, "vm=%s: more than %u RMRRs", vm->name, VM_RESERVED_COUNT);
    if (size == 0)
        return FAIL(EPERM, "vm=%s: an RMRR of its device ends before it begins", vm->name);
    if (page_is_ram(base, size))
        return FAIL(EPERM, "vm=%s: RMRR at 0x%lx size=0x%lx lies in RAM that is not reserved",
                    vm->name, base.v, size);
    if (other)
        return FAIL(EPERM, "vm=%s: RMRR at 0x%lx is vm=%s's", vm->name, base.v, other->name);
    if (ranges_overlap(base.v, size, VM_ECAM_BASE, VM_MMIO_BASE - VM_ECAM_BASE) ||
        ranges_overlap(base.v, size, VM_MMIO_END, (UINT64_C(1) << 32) - VM_MMIO_END))
        return FAIL(EPERM, "vm=%s: RMRR at 0x%lx lies over the virtual PC's registers", vm->name,
                    base.v);
    int err = vm_map(vm, gpa(base.v), base, size, EPT_PERM_READ | EPT_PERM_WRITE, EPT_UC, true);
    if (err)
        return FAIL(-err, "vm=%s: no room for RMRR at 0x%lx size=0x%lx: less mem= may help",
                    vm->name, base.v, size);
    *r = (struct vm_ram){base.v, base, size};
    log_info("vm=%s RMRR at 0x%lx size=0x%lx is mapped: the firmware shares it with that VM",
             vm->name, base.v, size);
    return 0;
}

int reserved_map(struct vm *vm)
{
    hpa_t base;
    uint64_t size;
    memset(vm->reserved, 0, sizeof(vm->reserved));
    for (unsigned i = 0; options.rmrr_map && i < vm->config.device_count; i++) {
        const struct device_config *c = &vm->config.devices[i];
        const struct pci_function *fn =
            c->by_id ? pci_find_id(c->vendor, c->device, c->nth) : pci_find(c->bdf);
        for (unsigned n = 0; fn && vtd_rmrr(fn->bdf, n, &base, &size); n++) {
            /* Two functions of a VM may share a region. */
            int err = is_listed(vm, base, size) ? 0 : region_map(vm, base, size);
            if (err)
                return err;
        }
    }
    return 0;
}

bool reserved_complete(const struct vm *vm, const struct pci_function *fn)
{
    hpa_t base;
    uint64_t size;
    for (unsigned n = 0; vtd_rmrr(fn->bdf, n, &base, &size); n++)
        if (!is_listed(vm, base, size))
            return false;
    return true;
}

bool reserved_holds(const struct vm *vm, hpa_t to, uint64_t size)
{
    for (const struct vm_ram *r = vm->reserved; r < vm->reserved + VM_RESERVED_COUNT; r++)
        if (to.v - r->to.v < r->size && size <= r->size - (to.v - r->to.v))
            return true;
    return false;
}

bool reserved_overlaps(const struct vm *vm, uint64_t at, uint64_t size)
{
    for (const struct vm_ram *r = vm->reserved; r < vm->reserved + VM_RESERVED_COUNT; r++)
        if (r->size && ranges_overlap(at, size, r->at, r->size))
            return true;
    return false;
}
