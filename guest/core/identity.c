/* SPDX-License-Identifier: MIT */
/*
 * RAM at its own address, for dma=identity: what the guest calls 20 MiB is at 20 MiB, so a device needs no
 * translation. Only one VM can have that, and only of memory that Hamlet kept at boot (identity=SIZE).
 * The first 16 MiB of the machine are the firmware's, Hamlet's and the boot loader's; the guest's lie
 * elsewhere, for its program, and no DMA can go there.
 * From: guest/life/vm.c, boot/main.c.   To: arch/page.c page_claim().
 */
#include "guest/core/vm.h"
#define LOG "dma"
#include "arch/log.h"
#include "arch/options.h"
#include "arch/page.h"
#include "lib/string.h"

#define LOW_PAGES (IDENTITY_FIRST / PAGE_SIZE)

void identity_keep(void)
{
    if (options.identity)
        page_keep(hpa(IDENTITY_FIRST), options.identity - IDENTITY_FIRST);
}

bool identity_wanted(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.device_count; i++)
        if (vm->config.devices[i].dma == DMA_IDENTITY)
            return true;
    return false;
}

static uint64_t high_size(const struct vm *vm) { return vm->ram_size - IDENTITY_FIRST; }

/* -ENOMEM, said why. */
static int take(struct vm *vm, uint64_t size)
{
    if (size <= IDENTITY_FIRST || size > options.identity)
        return FAIL(ENOMEM, "vm=%s dma=identity mem=%luM: not above 16M and within identity=%luM",
                    vm->name, size >> 20, options.identity >> 20);
    void *low = pages_alloc(LOW_PAGES, SIZE_2M);
    if (!low)
        return FAIL(ENOMEM, "vm=%s dma=identity: no 16M for its low part", vm->name);
    if (page_claim(hpa(IDENTITY_FIRST), size - IDENTITY_FIRST)) {
        pages_free(low, LOW_PAGES);
        return FAIL(ENOMEM, "vm=%s dma=identity: another VM has it, a module lies there, or no RAM",
                    vm->name);
    }
    vm->low_part = ptr_hpa(low);
    vm->ram = hpa(0);
    vm->ram_size = size;
    return 0;
}

int identity_make_ram(struct vm *vm)
{
    int err = take(vm, vm->config.mem);
    if (err)
        return err;
    page_mark_guest(vm->low_part, IDENTITY_FIRST, true);
    page_mark_guest(hpa(IDENTITY_FIRST), high_size(vm), true);
    err = vm_map(vm, gpa(0), vm->low_part, IDENTITY_FIRST, EPT_PERM_ALL, EPT_WB, true);
    if (err)
        return err;
    log_info("vm=%s gpa=hpa from 0x%lx to 0x%lx", vm->name, IDENTITY_FIRST, vm->ram_size);
    return vm_map(vm, gpa(IDENTITY_FIRST), hpa(IDENTITY_FIRST), high_size(vm), EPT_PERM_ALL, EPT_WB,
                  true);
}

void identity_free_ram(struct vm *vm)
{
    page_mark_guest(vm->low_part, IDENTITY_FIRST, false);
    page_mark_guest(hpa(IDENTITY_FIRST), high_size(vm), false);
    pages_free(hpa_ptr(vm->low_part), LOW_PAGES);
    page_unclaim();
    vm->low_part = hpa(0);
    vm->ram_size = 0;
}

void *identity_stage(const struct vm *vm)
{
    return pages_alloc(vm->ram_size / PAGE_SIZE, PAGE_SIZE);
}

void identity_unstage(struct vm *vm, void *stage)
{
    memcpy(hpa_ptr(vm->low_part), stage, IDENTITY_FIRST);
    memcpy(hpa_ptr(hpa(IDENTITY_FIRST)), (uint8_t *)stage + IDENTITY_FIRST, high_size(vm));
    pages_free(stage, vm->ram_size / PAGE_SIZE);
}
