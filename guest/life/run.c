/* SPDX-License-Identifier: MIT */
/*
 * VMs while they run, and their ends: started, visited once a tick, stopped, reported, given back.
 * From: boot/main.c (vm_run_all), vmx/run/run.c (vcpu_on_crash).
 * To: vmx/run/sched.c (sched_run), arch/task.c (task_run), guest/assign/reset.c (assign_tick),
 * guest/life/control.c (vm_follow_up), guest/life/dead.c (vm_is_dead), guest/life/check.c,
 * guest/life/report.c, guest/life/kills.c.
 */
#include "arch/page.h"
#include "arch/mce.h"
#include "arch/panic.h"
#include "arch/task.h"
#include "arch/trap.h"
#include "guest/assign/assign.h"
#include "guest/life/check.h"
#include "guest/life/life.h"
#include "guest/pc/legacy/legacy.h"
#include "guest/pc/pc.h"
#include "lib/printf.h"
#include "vmx/run/sched.h"
#include "vmx/run/watchdog.h"
#include "vmx/show/show.h"
#include "vtd/vtd.h"
#define LOG "vm"
#include "arch/log.h"

void vcpu_on_crash(struct vcpu *v, const char *why)
{
    struct vm *vm = v->vm;
    vcpu_dump(v);
    vm->dumped = true;
    if (vcpu_on_debug(v, DEBUG_CRASH, 0) != STOP_VM)
        vm_fail(vm, "%s", why);
    else /* a debugger looks at the VM first, and ends it later */
        snprintf(vm->why, sizeof(vm->why), "%s", why);
}

static bool all_stopped(const struct vm *vm)
{
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        if (v->state != VCPU_STOPPED)
            return false;
    return true;
}

/* The first vCPU runs, unless a debugger holds the VM; the others wait for a startup IPI. */
static void vm_start(struct vm *vm)
{
    bool held = vm_hooks.hold && vm_hooks.hold(vm);
    vm->state = held ? VM_PAUSED : VM_RUNNING;
    if (vm->config.timeout)
        vm->deadline = rdtsc() + vm->config.timeout * time_tsc_khz() * 1000;
    kills_plan(vm);
    for (struct vcpu *v = vm_next_vcpu(vm, vm->vcpus[0]); v; v = vm_next_vcpu(vm, v))
        sched_await_startup(v);
    if (held)
        return;
    vm_clock_go(vm);
    sched_start(vm->vcpus[0]);
}

/* Recreate the VM; its configuration, index and kill counters stay. */
static void vm_recreate(struct vm *vm)
{
    struct vm_config config = vm->config;
    typeof(vm->kills) kills = vm->kills;
    vm_init_fields(vm, &config, vm->index);
    vm->kills = kills;
    if (vm_make(vm)) {
        vm_give_back(vm);
        vm->exit_status = VM_EXIT_CRASH;
        vm->state = VM_ENDED;
        log_error("vm=%s is not started again", vm->name);
        return;
    }
    vm_start(vm);
}

/* All its vCPUs have left their CPUs. Promises are checked while the tables still stand, and again
 * after they are gone, as then another VM may get the memory. */
static void vm_finish(struct vm *vm)
{
    bool again = vm->kills.left;
    check_or_panic(vm, "while it ran");
    legacy_poll(vm, true);
    if (!again)
        report_vm(vm);
    vm_give_back(vm);
    vm->state = VM_ENDED;
    check_or_panic(vm, "after its end");
    kills_count(vm);
    if (again)
        vm_recreate(vm);
}

/* Once a tick (SCHED_TICK_US), between two turns of the scheduler on the bootstrap processor. */
static void vm_tick(struct vm *vm)
{
    bool runs = vm->state == VM_RUNNING || vm->reset_wanted; /* a reset does not stop the clock */
    assign_tick(vm);
    if (runs && vm->deadline && rdtsc() >= vm->deadline)
        vm_fail(vm, "timeout=%u: still running", vm->config.timeout);
    vm_follow_up(vm);
    if (vm->state == VM_RUNNING && vm_is_dead(vm))
        vm_end(vm, VM_EXIT_HALTED); /* two vCPUs that halted at once did not see each other */
    if (vm->state == VM_RUNNING && kills_due(vm))
        vm_fail(vm, "killed");
    if (vm_is_up(vm)) {
        legacy_poll(vm, false);
        vuart_poll(vm);
    }
    if (vm->state == VM_ENDING && all_stopped(vm))
        vm_finish(vm);
}

static bool over; /* all VMs have ended, and the monitor does not stay */

static void all_ticks(void)
{
    bool ended = true;
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm)) {
        vm_tick(vm);
        ended = ended && vm->state == VM_ENDED;
    }
    /* Here no function is in a reset: a read of one that is would be an error itself. */
    aer_tick();
    bool stay = vm_hooks.poll && vm_hooks.poll(ended); /* after all: a command may end one */
    over = ended && !stay;
}

/* What takes longer than a tick pauses, and then this CPU runs its vCPUs. The order of the work
 * stays: nothing of it begins before what it did before is done. */
static bool tick(void)
{
    vtd_fault_tick();
    irq_tick();
    trap_tell_nmi();
    mce_poll();
    watchdog_look();
    return task_run(all_ticks) && over;
}

unsigned vm_run_all(void)
{
    unsigned failed = (unsigned)vm_refused_count();
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        vm_start(vm);
    sched_run(tick);
    for (struct vm *vm = vm_list_take(); vm; vm = vm_list_take()) {
        failed += vm->exit_status > 1;
        pages_free(vm, VM_PAGES);
    }
    log_info("free-pages=%zu", page_free_count()); /* as many as before the first VM was made */
    return failed;
}
