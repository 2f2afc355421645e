/* SPDX-License-Identifier: MIT */
/*
 * RAM at its own address, for dma=identity: the guest's address 20 MiB is the machine's address
 * 20 MiB, so a device needs no translation. Only one VM can have this, in the memory that Hamlet
 * kept at boot (identity=SIZE). The first 16 MiB of the machine hold the firmware, Hamlet and the
 * boot loader. The guest's first 16 MiB lie elsewhere; its program may use them, but untranslated
 * DMA cannot reach them.
 * From: boot/main.c (identity_keep), guest/core/memory.c (identity_take).
 * To: arch/page.c (page_claim).
 */
#include "guest/core/identity.h"
#include "arch/options.h"
#include "arch/page.h"
#define LOG "dma"
#include "arch/log.h"

#define IDENTITY_FIRST UINT64_C(0x1000000) /* from here on GPA = HPA */
#define LOW_PAGES      (IDENTITY_FIRST / PAGE_SIZE)

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

bool identity_has(const struct vm *vm) { return vm->ram[1].at == IDENTITY_FIRST; }

int identity_take(struct vm *vm, uint64_t size)
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
    vm->ram[0] = (struct vm_ram){0, ptr_hpa(low), IDENTITY_FIRST};
    vm->ram[1] = (struct vm_ram){IDENTITY_FIRST, hpa(IDENTITY_FIRST), size - IDENTITY_FIRST};
    log_info("vm=%s gpa=hpa from 0x%lx to 0x%lx", vm->name, IDENTITY_FIRST, size);
    return 0;
}

void identity_give_back(struct vm *vm)
{
    pages_free(hpa_ptr(vm->ram[0].to), LOW_PAGES);
    page_unclaim();
}
