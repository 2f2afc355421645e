/* SPDX-License-Identifier: MIT */
/*
 * Has a guest ended without a word? All its vCPUs sleep, and nothing of it is left that could wake
 * one up: they halted with interrupts off, or wait for a STARTUP.
 * From: vmx/run/run.c (vcpu_on_dead_halt), guest/life/run.c (vm_is_dead).
 * To: guest/core/vm.c (vm_end), guest/life/report.c (vm_exits).
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
#include "guest/life/life.h"
#include "lib/atomic.h"

/* Asleep with interrupts off, or without a STARTUP. An NMI or an INIT makes one READY. Requests are
 * asked for before the state, as they go when the state is another. With FOLD it has been woken up,
 * and is about to see that: sched_wake() found it before it was asleep. */
static bool is_dead(const struct vcpu *v)
{
    uint32_t requests = atomic_load(&v->requests);
    switch (atomic_load(&v->state)) {
    case VCPU_HALTED:
        return atomic_load(&v->halted_masked) && !(requests & VCPU_REQUEST_FOLD);
    case VCPU_WAIT_SIPI:
        return !(requests & VCPU_REQUEST_SIPIS);
    default:
        return false;
    }
}

static bool are_dead(const struct vm *vm, const struct vcpu *besides)
{
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        if (v != besides && !is_dead(v))
            return false;
    return true;
}

/* If every vCPU is dead at the same time, nothing will ever happen in the guest. They are looked at
 * one after the other: one that was dead may be woken up by one that is looked at later, and has
 * halted by then. But who sends has an exit for it, and one more to halt. So if there is no exit
 * while all are looked at, none has sent anything meanwhile, and what was sent before, is_dead()
 * sees: who was woken up is awake, or has acted on it, and would need an exit to halt again. */
static bool all_dead(const struct vm *vm, const struct vcpu *besides)
{
    if (!are_dead(vm, besides)) /* most often; and vm_exits() reads many counters */
        return false;
    uint64_t exits = vm_exits(vm);
    return are_dead(vm, besides) && vm_exits(vm) == exits;
}

/* What is on its way to v is asked for last: no other vCPU is there then to send more. */
enum exit_action vcpu_on_dead_halt(struct vcpu *v)
{
    if (!all_dead(v->vm, v))
        return RESUME_NEXT;
    if (atomic_load(&v->requests) & (VCPU_REQUEST_NMIS | VCPU_REQUEST_INIT))
        return RESUME_NEXT;
    vm_end(v->vm, VM_EXIT_HALTED);
    return STOP_VM;
}

bool vm_is_dead(const struct vm *vm) { return all_dead(vm, NULL); }
