/* SPDX-License-Identifier: MIT */
/*
 * The memory of a VM: its RAM, and the one way by which a guest-physical range becomes visible.
 * From: guest/life/create.c (memory_create), guest/assign/vbar.c (vm_map), guest/pc/mmio.c (guest
 * RAM by vm_ram()).
 * To: vmx/ept.c (what the CPU sees), vtd/sspt.c (what devices see), guest/core/identity.c
 * (identity_take, for dma=identity).
 */
#include "guest/core/memory.h"
#include "arch/page.h"
#include "arch/task.h"
#include "guest/core/identity.h"
#include "lib/string.h"
#include "vtd/vtd.h"
#define LOG "vm"
#include "arch/log.h"

#define GPA_HIGH_RAM (UINT64_C(1) << 32)

/* INVARIANT: all that a device of a VM reaches, the VM's CPUs reach too, at the same address. */
int vm_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t size, unsigned ept_perm, enum ept_type type,
           bool dma)
{
    int err = ept_map(vm->ept, at, to, size, ept_perm, type);
    if (err || !dma || !vm->domain)
        return err;
    unsigned perm = VTD_READ | ((ept_perm & EPT_PERM_WRITE) ? VTD_WRITE : 0);
    err = vtd_map(vm->domain, at, to, size, perm);
    if (err)
        ept_unmap(vm->ept, at, size); /* vtd_map() has undone its own part */
    return err;
}

void vm_unmap(struct vm *vm, gpa_t at, uint64_t size, bool dma)
{
    if (dma && vm->domain)
        vtd_unmap(vm->domain, at, size);
    ept_unmap(vm->ept, at, size);
}

static int ram_take(struct vm *vm, uint64_t size)
{
    uint64_t low = MIN(size, VM_LOW_RAM_MAX);
    /* Tables of 1 GiB pages are small, and quick to check; but only where both addresses fit. */
    void *ram = size < SIZE_1G ? NULL : pages_alloc(size / PAGE_SIZE, SIZE_1G);
    if (!ram)
        ram = pages_alloc(size / PAGE_SIZE, SIZE_2M);
    if (!ram)
        return FAIL(ENOMEM, "vm=%s mem=%luM: not that much memory in one piece; %luM are free",
                    vm->name, size >> 20, (page_free_count() * PAGE_SIZE) >> 20);
    vm->ram[0] = (struct vm_ram){0, ptr_hpa(ram), low};
    vm->ram[1] = (struct vm_ram){GPA_HIGH_RAM, ptr_hpa((uint8_t *)ram + low), size - low};
    return 0;
}

int memory_create(struct vm *vm)
{
    uint64_t size = vm->config.mem;
    int err = identity_wanted(vm) ? identity_take(vm, size) : ram_take(vm, size);
    if (err)
        return err;
    vm->ram_size = size;
    for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT && r->size && !err; r++) {
        page_mark_guest(r->to, r->size, true);
        err = vm_map(vm, gpa(r->at), r->to, r->size, EPT_PERM_ALL, EPT_WB, true);
    }
    if (err)
        return FAIL(-err, "vm=%s mem=%luM: no memory for the tables that map it", vm->name,
                    size >> 20);
    return 0;
}

void memory_destroy(struct vm *vm)
{
    if (!vm->ram_size)
        return;
    for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT && r->size; r++)
        page_mark_guest(r->to, r->size, false);
    if (identity_has(vm))
        identity_give_back(vm);
    else
        pages_free(hpa_ptr(vm->ram[0].to), vm->ram_size / PAGE_SIZE);
    vm->ram_size = 0;
    memset(vm->ram, 0, sizeof(vm->ram));
}

void memory_clear(struct vm *vm)
{
    for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT; r++)
        task_copy(hpa_ptr(r->to), NULL, r->size);
}

/* Is the high block right behind the low one in host memory? With dma=identity it is not. */
static bool is_one_piece(const struct vm *vm)
{
    return vm->ram[1].size == 0 || vm->ram[1].to.v == vm->ram[0].to.v + vm->ram[0].size;
}

void *memory_stage(struct vm *vm)
{
    return is_one_piece(vm) ? hpa_ptr(vm->ram[0].to)
                            : pages_alloc(vm->ram_size / PAGE_SIZE, PAGE_SIZE);
}

void memory_unstage(struct vm *vm, void *stage)
{
    if (is_one_piece(vm))
        return;
    const uint8_t *from = stage;
    for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT; from += r->size, r++)
        task_copy(hpa_ptr(r->to), from, r->size);
    pages_free(stage, vm->ram_size / PAGE_SIZE);
}

void *vm_ram(const struct vm *vm, gpa_t at, uint64_t size)
{
    for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT; r++)
        if (at.v - r->at < r->size)
            return size <= r->size - (at.v - r->at) ? hpa_ptr(hpa(r->to.v + (at.v - r->at))) : NULL;
    return NULL;
}

bool memory_holds(const struct vm *vm, hpa_t to, uint64_t size)
{
    for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT; r++)
        if (to.v - r->to.v < r->size && size <= r->size - (to.v - r->to.v))
            return true;
    return false;
}
