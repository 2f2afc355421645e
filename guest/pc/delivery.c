/* SPDX-License-Identifier: MIT */
/*
 * An event whose gate, descriptors or stack are where there is no memory, or page tables that are
 * there. On a PC a read there gives ones, and a write is lost; what the CPU makes of that is its
 * own affair: a page fault, a triple fault, or a handler without a frame. So Hamlet lends it a page
 * of ones, and lets the CPU deliver the event or walk the tables again. The monitor trap ends the
 * loan before the next instruction, which is the first one of a handler.
 * From: guest/pc/mmio.c (delivery_lend), vmx/vcpu/debug.c (vcpu_on_delivered).
 * To: vmx/vcpu/debug.c (vcpu_tell_delivery), guest/core/memory.c (vm_map, vm_unmap).
 * Spec: SDM "Information for VM Exits That Occur During Event Delivery", "Monitor Trap Flag".
 */
#include "arch/page.h"
#include "guest/core/memory.h"
#include "guest/pc/pc.h"
#include "lib/string.h"
#include "vmx/upcalls.h"
#include "vmx/vcpu/debug.h"

/* Each loan may need tables of the EPT, which stay: so no guest gets more of them. */
#define LOANS_MAX 256

static bool has_device(struct vm *vm, uint64_t page)
{
    for (unsigned n = 0; n < PAGE_SIZE; n++)
        if (vm_bus_find(&vm->mmio, page + n))
            return true;
    return false;
}

/* Under the lock, because two vCPUs may come at once, and the VM has one page. */
static bool has_a_page(struct vm *vm)
{
    spin_lock(&vm->lock);
    if (!vm->ones)
        vm->ones = page_alloc();
    bool may = vm->ones && vm->loans < LOANS_MAX;
    vm->loans += may;
    spin_unlock(&vm->lock);
    return may;
}

bool delivery_lend(struct vcpu *v, gpa_t at)
{
    struct vm *vm = v->vm;
    gpa_t page = gpa(ALIGN_DOWN(at.v, PAGE_SIZE));
    if (v->lent_count == VCPU_LENT_MAX || has_device(vm, page.v) || !has_a_page(vm) ||
        !vcpu_tell_delivery(v))
        return false;
    memset(vm->ones, 0xff, PAGE_SIZE);
    if (vm_map(vm, page, ptr_hpa(vm->ones), PAGE_SIZE, EPT_PERM_READ | EPT_PERM_WRITE, EPT_WB,
               false) < 0)
        return false;
    v->lent[v->lent_count++] = page;
    return true;
}

void vcpu_on_delivered(struct vcpu *v)
{
    while (v->lent_count)
        vm_unmap(v->vm, v->lent[--v->lent_count], PAGE_SIZE, false);
}

void delivery_destroy(struct vm *vm)
{
    if (vm->ones)
        page_free(vm->ones);
}
