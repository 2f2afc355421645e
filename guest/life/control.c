/* SPDX-License-Identifier: MIT */
/*
 * Pause, go on, reset: what a person at the console does to a VM, and what a debugger needs.
 * From: monitor/, guest/life/vm.c (vm_follow_up).   To: vmx/run/sched.c (sched_request_stop, sched_start).
 *
 * A paused vCPU is STOPPED as one that was never started: registers in memory, descriptor silent. What
 * is posted to it meanwhile waits in its descriptor. An application processor that waits for its STARTUP
 * goes on waiting.
 */
#include "arch/panic.h"
#include "lib/string.h"
#include "guest/assign/assign.h"
#include "guest/pc/vioapic.h"
#include "guest/core/vm.h"
#include "vmx/upcalls.h"
#define LOG "vm"
#include "arch/log.h"

#define IOREGSEL         0
#define IOWIN            0x10
#define REDIRECTION(pin) (0x10 + 2 * (pin))
#define RTE_MASKED       BIT(16)

struct vm_hooks vm_hooks;

static bool is_active(const struct vcpu *v)
{
    enum vcpu_state state = atomic_load(&v->state);
    return state != VCPU_STOPPED && state != VCPU_WAIT_SIPI;
}

bool vm_is_still(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (is_active(vm->vcpus[i]))
            return false;
    return true;
}

/* One that is started while we ask the others is asked the next time: see vm_follow_up(). */
static void ask_to_stop(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (is_active(vm->vcpus[i]))
            sched_request_stop(vm->vcpus[i]);
}

static bool become(struct vm *vm, enum vm_state from, enum vm_state to)
{
    return atomic_replace(&vm->state, &from, to);
}

int vm_pause(struct vm *vm)
{
    if (!become(vm, VM_RUNNING, VM_PAUSED))
        return -EBUSY;
    ask_to_stop(vm);
    return 0;
}

static void go_on(struct vm *vm, uint32_t vcpus)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if ((vcpus & BIT(i)) && vm->vcpus[i]->state == VCPU_STOPPED)
            sched_start(vm->vcpus[i]);
    if (vm_is_ending(vm)) /* it was decided in between: its end waits for all of them */
        ask_to_stop(vm);
}

int vm_resume_some(struct vm *vm, uint32_t vcpus)
{
    if (!vm_is_still(vm) || !become(vm, VM_PAUSED, VM_RUNNING))
        return -EBUSY;
    go_on(vm, vcpus);
    return 0;
}

int vm_resume(struct vm *vm) { return vm_resume_some(vm, UINT32_MAX); }

enum exit_action vm_debug(struct vcpu *v, enum debug_event event, unsigned n)
{
    if (!vm_hooks.debug || !vm_hooks.debug(v, event, n))
        return RESUME_SAME;
    (void)!vm_pause(v->vm); /* another vCPU may have been first */
    return STOP_VM;
}

int vm_reset(struct vm *vm)
{
    if (vm->config.run || !(become(vm, VM_RUNNING, VM_PAUSED) || vm->state == VM_PAUSED))
        return -EBUSY;
    vm->reset_wanted = true;
    ask_to_stop(vm);
    return 0;
}

static void reset_ioapic(struct vm *vm)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        vm_bus_write(vm->vcpus[0], &vm->mmio, VM_IOAPIC_BASE + IOREGSEL, 4, REDIRECTION(pin));
        vm_bus_write(vm->vcpus[0], &vm->mmio, VM_IOAPIC_BASE + IOWIN, 4, RTE_MASKED);
    }
}

/* Devices first: none of them writes into the new kernel what the old one had asked for. */
static void do_reset(struct vm *vm)
{
    if (assign_restart_all(vm)) {
        vm_fail(vm, "reset: one of its devices cannot be shown again");
        return;
    }
    vuart_reset(vm);
    reset_ioapic(vm);
    vm_clear_ram(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        vcpu_reset(vm->vcpus[i]);
        vm_init(vm->vcpus[i]);
        vcpu_init_signal(vm->vcpus[i]);
    }
    vm->vcpus[0]->state = VCPU_STOPPED;
    if (vm_load(vm)) {
        vm_fail(vm, "reset: its kernel does not load any more");
        return;
    }
    vm_start_state(vm, vm->vcpus[0]);
    log_info("vm=%s reset", vm->name);
    if (become(vm, VM_PAUSED, VM_RUNNING))
        sched_start(vm->vcpus[0]);
}

void vm_follow_up(struct vm *vm)
{
    if (vm->state != VM_PAUSED)
        return;
    if (!vm_is_still(vm)) {
        ask_to_stop(vm);
    } else if (vm->reset_wanted) {
        vm->reset_wanted = false;
        do_reset(vm);
    }
}

void vm_visit(struct vcpu *v, void (*look)(struct vcpu *v, void *ctx), void *ctx)
{
    bool away = is_active(v) && atomic_load(&v->cpu) != this_cpu();
    if (away)
        sched_stop(v);
    look(v, ctx);
    if (!away)
        return;
    if (v->vm->state == VM_RUNNING)
        sched_start(v);
    if (vm_is_ending(v->vm)) /* decided in between: its end waits for this one too */
        sched_request_stop(v);
}
