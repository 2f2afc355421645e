/* SPDX-License-Identifier: MIT */
/*
 * What the user of the console, or a debugger, does to a VM: resume it, reset it, look at a vCPU.
 * From: monitor/ (vm_resume, vm_visit), guest/life/run.c (vm_follow_up),
 * vmx/vcpu/debug.c (vcpu_on_debug).
 * To: vmx/run/sched_start.c (sched_start, sched_stop), guest/assign/assign.c (assign_restart_all),
 * guest/life/reset.c (vm_power_on), guest/life/clock.c (vm_clock_go).
 */
#include "arch/panic.h"
#include "guest/assign/assign.h"
#include "guest/core/memory.h"
#include "guest/core/vm.h"
#include "guest/life/life.h"
#include "vmx/run/sched.h"
#include "vmx/upcalls.h"
#define LOG "vm"
#include "arch/log.h"

int vm_resume_some(struct vm *vm, uint32_t vcpus)
{
    if (!vm_is_still(vm) || !vm_become(vm, VM_PAUSED, VM_RUNNING))
        return -EBUSY;
    vm_clock_go(vm);
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        if ((vcpus & BIT(v->index)) && v->state == VCPU_STOPPED)
            sched_start(v);
    if (vm_is_ending(vm)) /* decided meanwhile by another CPU: the end waits for all vCPUs */
        vm_ask_to_stop(vm);
    return 0;
}

int vm_resume(struct vm *vm) { return vm_resume_some(vm, UINT32_MAX); }

enum exit_action vcpu_on_debug(struct vcpu *v, enum debug_event event, unsigned n)
{
    if (!vm_hooks.debug || !vm_hooks.debug(v, event, n))
        return RESUME_SAME;
    IGNORE(vm_pause(v->vm)); /* another vCPU may have been first */
    return STOP_VM;
}

/* Devices are reset first, so that no DMA of the old kernel writes into the new one. */
static void vm_restart(struct vm *vm)
{
    if (assign_restart_all(vm)) {
        vm_fail(vm, "reset: one of its devices cannot be shown again");
        return;
    }
    vm_power_on(vm);
    memory_clear(vm);
    for (struct vcpu *v = vm_next_vcpu(vm, vm->vcpus[0]); v; v = vm_next_vcpu(vm, v))
        sched_await_startup(v);
    vm->vcpus[0]->state = VCPU_STOPPED;
    if (vm_load(vm)) {
        vm_fail(vm, "reset: its kernel does not load any more");
        return;
    }
    vm_start_state(vm, vm->vcpus[0]);
    vm_clock_go(vm);
    log_guest(&vm->log_budget, "vm=%s reset", vm->name);
    if (vm_become(vm, VM_PAUSED, VM_RUNNING))
        sched_start(vm->vcpus[0]);
}

void vm_follow_up(struct vm *vm)
{
    if (vm->state != VM_PAUSED)
        return;
    if (!vm_is_still(vm)) {
        vm_ask_to_stop(vm);
        return;
    }
    vm_clock_stop(vm);
    if (vm->reset_wanted) {
        vm->reset_wanted = false;
        vm_restart(vm);
    }
}

void vm_visit(struct vcpu *v, void (*look)(struct vcpu *v, void *ctx), void *ctx)
{
    bool away = vcpu_is_active(v) && atomic_load(&v->cpu) != this_cpu();
    if (away)
        sched_stop(v);
    look(v, ctx);
    if (!away)
        return;
    if (v->vm->state == VM_RUNNING)
        sched_start(v);
    if (vm_is_ending(v->vm)) /* decided meanwhile by another CPU: the end waits for v too */
        sched_request_stop(v);
}
