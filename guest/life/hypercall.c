/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: what a guest asks of Hamlet by VMCALL.
 * From: vmx/run/run.c (exit_vmcall).   To: guest/assign/dma.c (pages of dma=pv), vtd/fault.c.
 * Contract: lib/hypercall.h. HC_NOTHING seldom comes here: vmx/run/run.c answers it.
 * Hot: every VMCALL.
 */
#include "arch/layout.h"
#include "guest/assign/assign.h"
#include "guest/assign/dma.h"
#include "guest/core/memory.h"
#include "lib/hypercall.h"
#include "vmx/upcalls.h"

/* The exit by this very VMCALL does not count. */
static uint64_t exit_total(const struct vcpu *v)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
        n += v->exit_count[i];
    return n - 1;
}

/* Addresses of the host help an attack on caches or on rows of RAM. A VM gets them by a word of the
 * user's: reveal=on, or a device that works with host-physical addresses. */
static bool may_know(const struct vm *vm) { return vm->config.reveal || vm->untranslated; }

static uint64_t host_address(struct vm *vm, uint64_t at)
{
    void *p = may_know(vm) ? vm_ram(vm, gpa(at), 1) : NULL;
    return p ? ptr_hpa(p).v : HC_UNKNOWN;
}

/* Faults of its devices, with those that the units have recorded and Hamlet has not read yet. */
static uint64_t faults_of(const struct vm *vm)
{
    if (vm->assignments)
        vtd_fault_poll();
    return vm->fault_count;
}

/* The lock keeps each assignment alive: the bootstrap processor may take a device back. */
static uint64_t parked_count(struct vm *vm)
{
    uint64_t n = 0;
    spin_lock(&vm->lock);
    for (const struct assignment *a = vm->assignments; a; a = a->next)
        n += a->parked;
    spin_unlock(&vm->lock);
    return n;
}

static uint64_t hypercall_answer(struct vcpu *v, uint64_t number, uint64_t argument)
{
    switch (number) {
    case HC_NOTHING: /* of 32-bit code, with something above EAX */
        return 0;
    case HC_EXIT_COUNT: /* without this one */
        return argument < EXIT_REASON_COUNT ? v->exit_count[argument] - (argument == EXIT_VMCALL)
                                            : HC_UNKNOWN;
    case HC_EXIT_TOTAL:
        return exit_total(v);
    case HC_IRQ_COUNT:
        return v->vm->irq_count;
    case HC_VERSION:
        return HC_VERSION_1;
    case HC_HOST_ADDRESS:
        return host_address(v->vm, argument);
    case HC_HAMLET:
        return may_know(v->vm) ? ptr_hpa(image_start).v : HC_UNKNOWN;
    case HC_FAULTS:
        return faults_of(v->vm);
    case HC_DMA_MAP:
        return dma_pin(v->vm, argument);
    case HC_DMA_UNMAP:
        return dma_unpin(v->vm, argument);
    case HC_DMA_PINNED:
        return v->vm->pinned_count;
    case HC_PARKED:
        return parked_count(v->vm);
    default:
        return HC_UNKNOWN;
    }
}

enum exit_action vcpu_on_vmcall(struct vcpu *v, uint64_t number, uint64_t argument)
{
    uint64_t *gpr = v->regs.gpr;
    gpr[RAX] = hypercall_answer(v, number, argument);
    return RESUME_NEXT;
}
