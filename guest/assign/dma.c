/* SPDX-License-Identifier: MIT */
/*
 * Three ways for a device to find the memory of its VM (dma=):
 *   vtd       the device uses guest-physical addresses, and VT-d translates them: the guest need
 *             not know of it, and cannot cheat
 *   pv        the device uses host-physical addresses; the guest asks for them by hypercall, page
 *             by page, and Hamlet counts the pages that devices may be using
 *   identity  both addresses are the same, as guest RAM lies at its own address (one VM only)
 * Hypervisors used the last two before there were remapping units. With them a guest, or a device,
 * that uses a wrong address reaches any memory of the machine.
 * From: guest/assign/assign.c, guest/life/hypercall.c.   To: vtd/context.c (pass-through).
 */
#include "guest/assign/dma.h"
#include "arch/page.h"
#include "guest/core/identity.h"
#include "guest/core/memory.h"
#include "lib/hypercall.h"
#include "lib/string.h"
#define LOG "dma"
#include "arch/log.h"

static size_t pin_pages(const struct vm *vm)
{
    return ALIGN_UP(vm->ram_size / PAGE_SIZE * sizeof(*vm->pins), PAGE_SIZE) / PAGE_SIZE;
}

int dma_enable(struct assignment *a)
{
    struct vm *vm = a->vm;
    if (a->config.dma == DMA_VTD)
        return vm->domain ? 0 : -ENODEV; /* vtd_domain_create() has logged it */
    if (a->config.dma == DMA_IDENTITY && !identity_has(vm))
        return FAIL(EPERM, "vm=%s dma=identity: its RAM does not lie where it sees it", vm->name);
    if (a->config.dma == DMA_PV && identity_has(vm))
        return FAIL(EPERM, "vm=%s dma=pv: not beside dma=identity", vm->name);
    if (!vm->untranslated)
        vm->untranslated = vtd_domain_create_untranslated();
    if (!vm->untranslated)
        return -ENODEV;
    if (a->config.dma == DMA_PV && !vm->pins)
        vm->pins = pages_alloc(pin_pages(vm), PAGE_SIZE);
    if (a->config.dma == DMA_PV && !vm->pins)
        return -ENOMEM;
    log_info("vm=%s " BDF_FMT " UNSAFE dma=%s: its DMA is not translated, it reaches all memory",
             vm->name, BDF_ARG(a->fn->bdf), dma_mode_names[a->config.dma]);
    return 0;
}

struct vtd_domain *dma_domain(const struct assignment *a)
{
    return a->config.dma == DMA_VTD ? a->vm->domain : a->vm->untranslated;
}

void dma_release(struct vm *vm)
{
    if (vm->untranslated)
        vtd_domain_destroy(vm->untranslated);
    if (vm->pins)
        pages_free(vm->pins, pin_pages(vm));
    vm->untranslated = NULL;
    vm->pins = NULL;
    vm->pinned_count = 0;
}

void dma_reset(struct vm *vm)
{
    if (vm->pins)
        memset(vm->pins, 0, pin_pages(vm) * PAGE_SIZE);
    vm->pinned_count = 0;
}

/* --- dma=pv ----------------------------------------------------------------------------------- */

/* The pin count of the page; NULL: it is no RAM of this VM. */
static uint16_t *pin_of(struct vm *vm, uint64_t at)
{
    const uint8_t *host = vm_ram(vm, gpa(at), 1);
    return host ? &vm->pins[(ptr_hpa(host).v - vm->ram[0].to.v) / PAGE_SIZE] : NULL;
}

/* Pin the page and replace its address by the host-physical one. False: no RAM, or pinned more
 * often than can be counted. */
static bool pin_one(struct vm *vm, uint64_t *address)
{
    uint64_t at = atomic_load(address);
    uint16_t *pin = pin_of(vm, at);
    if (!pin || *pin == UINT16_MAX)
        return false;
    vm->pinned_count += (*pin)++ == 0;
    atomic_store(address, ptr_hpa(vm_ram(vm, gpa(at), 1)).v);
    return true;
}

static bool unpin_one(struct vm *vm, uint64_t *address)
{
    uint16_t *pin = pin_of(vm, atomic_load(address));
    if (!pin || !*pin)
        return false;
    vm->pinned_count -= --*pin == 0;
    return true;
}

/* Do one() for each page of the guest's list until it fails. Another vCPU may write to the list at
 * any time, so the count and each address are read once. */
static uint64_t list_walk(struct vm *vm, uint64_t list, bool (*one)(struct vm *, uint64_t *address))
{
    struct hypercall_pages *pages = NULL;
    if (vm->pins && IS_ALIGNED(list, PAGE_SIZE))
        pages = vm_ram(vm, gpa(list), PAGE_SIZE);
    uint64_t count = pages ? atomic_load(&pages->count) : 0, n = 0;
    if (!pages || count > HC_PAGES_MAX)
        return HC_UNKNOWN;
    spin_lock(&vm->lock);
    while (n < count && one(vm, &pages->address[n]))
        n++;
    spin_unlock(&vm->lock);
    return n;
}

uint64_t dma_pin(struct vm *vm, uint64_t list) { return list_walk(vm, list, pin_one); }

uint64_t dma_unpin(struct vm *vm, uint64_t list) { return list_walk(vm, list, unpin_one); }
