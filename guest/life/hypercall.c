/* SPDX-License-Identifier: MIT */
/*
 * What a guest asks of Hamlet by VMCALL.
 * From: vmx/run/run.c (vcpu_on_vmcall).   Contract: guest/life/hypercall.h.
 */
#include "guest/life/hypercall.h"
#include "arch/layout.h"
#include "guest/assign/assign.h"
#include "guest/assign/dma.h"
#include "guest/life/life.h"
#include "vmx/upcalls.h"
#include "guest/core/memory.h"
#include "vmx/vcpu/inject.h"

/* Without the exit that asks. */
static uint64_t exit_count(const struct vcpu *v, uint64_t reason)
{
    if (reason >= EXIT_REASON_COUNT)
        return HC_UNKNOWN;
    return v->exit_count[reason] - (reason == EXIT_VMCALL);
}

static uint64_t exit_total(const struct vcpu *v)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
        n += v->exit_count[i];
    return n - 1;
}

static uint64_t host_address(struct vm *vm, uint64_t at)
{
    void *p = vm_ram(vm, gpa(at), 1);
    return p ? ptr_hpa(p).v : HC_UNKNOWN;
}

static uint64_t faults_of(const struct vm *vm)
{
    if (vm->assignments)
        vtd_fault_poll();
    return vm->fault_count;
}

static uint64_t parked(const struct vm *vm)
{
    uint64_t n = 0;
    for (const struct assignment *a = vm->assignments; a; a = a->next)
        n += a->parked;
    return n;
}

static uint64_t answer(struct vcpu *v, uint64_t number, uint64_t argument)
{
    switch (number) {
    case HC_NOTHING:
        return 0;
    case HC_EXIT_COUNT:
        return exit_count(v, argument);
    case HC_EXIT_TOTAL:
        return exit_total(v);
    case HC_POSTED:
        return v->vm->irq_count;
    case HC_VERSION:
        return HC_VERSION_1;
    case HC_HOST_ADDRESS:
        return host_address(v->vm, argument);
    case HC_HAMLET:
        return ptr_hpa(image_start).v;
    case HC_FAULTS:
        return faults_of(v->vm);
    case HC_DMA_MAP:
        return dma_pin(v->vm, argument);
    case HC_DMA_UNMAP:
        return dma_unpin(v->vm, argument);
    case HC_DMA_PINNED:
        return v->vm->pinned_count;
    case HC_PARKED:
        return parked(v->vm);
    default:
        return HC_UNKNOWN;
    }
}

enum exit_action vcpu_on_vmcall(struct vcpu *v)
{
    if (vcpu_cpl() != 0) {
        vcpu_inject(v, VECTOR_UD); /* as VMCALL without a hypervisor */
        return RESUME_SAME;
    }
    vcpu_set_gpr(v, RAX, answer(v, vcpu_gpr(v, RAX), vcpu_gpr(v, RBX)));
    return RESUME_NEXT;
}
