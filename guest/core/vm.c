/* SPDX-License-Identifier: MIT */
/*
 * The list of VMs, and the changes of a VM's state: paused, to be reset, about to end.
 * From: guest/life/create.c (vm_list_add), guest/pc/pio.c and vpower.c (vm_end, vm_reset), monitor/
 * (vm_pause).   To: vmx/run/sched_start.c (sched_request_stop).
 *
 * No function here waits. It marks the VM and asks the vCPUs to stop; guest/life/run.c goes on when
 * all of them are still. A paused vCPU is STOPPED, as one that was never started: its registers are
 * in memory and its descriptor is silent. Interrupts that are posted meanwhile wait in the
 * descriptor. An application processor that waits for its STARTUP goes on waiting.
 */
#include "guest/core/vm.h"
#include "arch/x86.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vmx/run/sched.h"

struct vm_hooks vm_hooks;

static struct vm *vms[VM_MAX];
static size_t count;

size_t vm_count(void) { return count; }
struct vm *vm_get(size_t n) { return n < count ? vms[n] : NULL; }
struct vm *vm_next(const struct vm *before) { return vm_get(before ? before->index + 1 : 0); }
void vm_list_add(struct vm *vm) { vms[count++] = vm; }
struct vm *vm_list_take(void) { return count ? vms[--count] : NULL; }

struct vm *vm_find(const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(vms[i]->name, name))
            return vms[i];
    return NULL;
}

struct vcpu *vm_next_vcpu(const struct vm *vm, const struct vcpu *before)
{
    unsigned n = before ? before->index + 1 : 0;
    return n < vm->vcpu_count ? vm->vcpus[n] : NULL;
}

uint64_t vm_now(const struct vm *vm) { return vm->still_at ? vm->still_at : rdtsc() + vm->clock; }

bool vcpu_is_active(const struct vcpu *v)
{
    enum vcpu_state state = atomic_load(&v->state);
    return state != VCPU_STOPPED && state != VCPU_WAIT_SIPI;
}

bool vm_is_still(const struct vm *vm)
{
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        if (vcpu_is_active(v))
            return false;
    return true;
}

void vm_ask_to_stop(struct vm *vm)
{
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        if (vcpu_is_active(v))
            sched_request_stop(v);
}

bool vm_become(struct vm *vm, enum vm_state from, enum vm_state to)
{
    return atomic_replace(&vm->state, &from, to);
}

int vm_pause(struct vm *vm)
{
    if (!vm_become(vm, VM_RUNNING, VM_PAUSED))
        return -EBUSY;
    vm_ask_to_stop(vm);
    return 0;
}

int vm_reset(struct vm *vm)
{
    if (vm->config.run || !(vm_become(vm, VM_RUNNING, VM_PAUSED) || vm->state == VM_PAUSED))
        return -EBUSY;
    vm->reset_wanted = true;
    vm_ask_to_stop(vm);
    return 0;
}

/* Exit handlers on several CPUs may call this at once; the one that replaces the state sets the
 * status. sched_request_stop() reaches vCPUs of every state: none of them may start again. */
void vm_end(struct vm *vm, unsigned exit_status)
{
    enum vm_state before = vm->state;
    if (before >= VM_ENDING || !atomic_replace(&vm->state, &before, VM_ENDING))
        return;
    vm->exit_status = exit_status;
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        sched_request_stop(v);
}

void vm_fail(struct vm *vm, const char *fmt, ...)
{
    if (vm_is_ending(vm))
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(vm->why, sizeof(vm->why), fmt, args);
    va_end(args);
    vm_end(vm, VM_EXIT_CRASH);
}

void vm_fail_from_outside(struct vm *vm, const char *why)
{
    vm->dumped = true;
    vm_fail(vm, "%s", why);
}
