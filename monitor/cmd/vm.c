/* SPDX-License-Identifier: MIT */
/*
 * vm: which VMs there are, and what one does to a whole one. reboot: the machine.
 * From: monitor/term/command.c.   To: guest/life/control.c, guest/core/vm.c.
 */
#include "arch/acpi.h"
#include "arch/panic.h"
#include "arch/uart.h"
#include "guest/assign/assign.h"
#include "guest/life/life.h"
#include "monitor/cmd/commands.h"
#include "monitor/focus.h"

static const char *state_name(const struct vm *vm)
{
    static const char *const names[] = {
        [VM_NEW] = "new",       [VM_RUNNING] = "running", [VM_PAUSED] = "paused",
        [VM_ENDING] = "ending", [VM_ENDED] = "ended",
    };
    return vm->state == VM_PAUSED && !vm_is_still(vm) ? "pausing" : names[vm->state];
}

static void say_vms(void)
{
    if (vm_count() == 0)
        say("no VM");
    for (size_t i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_get(i);
        say("vm=%s state=%s mem=%luM vcpus=%u kernel=%s exits=%lu faults=%lu%s", vm->name,
            state_name(vm), vm->config.mem >> 20, vm->vcpu_count, vm->start.format, vm_exits(vm),
            vm->fault_count, vm == focus_vm() ? " (console)" : "");
    }
}

static int end_vm(struct vm *vm)
{
    vm_fail(vm, "stopped by the monitor");
    return 0;
}

static const struct {
    const char *word, *done;
    int (*act)(struct vm *vm);
} acts[] = {
    {"pause", "pauses", vm_pause},
    {"resume", "runs", vm_resume},
    {"reset", "is reset", vm_reset},
    {"stop", "ends", end_vm},
};

void cmd_vm(struct args *a)
{
    if (!args_peek(a) || args_is(a, "list")) {
        if (args_end(a))
            say_vms();
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(acts); i++) {
        struct vm *vm;
        if (!args_is(a, acts[i].word))
            continue;
        if (!args_vm(a, &vm) || !args_end(a))
            return;
        if (acts[i].act(vm))
            complain(a, "vm=%s is %s: it cannot %s now", vm->name, state_name(vm), acts[i].word);
        else
            say("vm=%s %s", vm->name, acts[i].done);
        return;
    }
    args_end(a);
}

void cmd_power_off(void)
{
    static bool asked;
    if (asked) { /* the second time does not wait for the VMs */
        assign_silence();
        uart_drain();
        acpi_power_off();
    }
    asked = true;
    if (focus_on_monitor())
        focus_to_guest();
    for (size_t i = 0; i < vm_count(); i++) {
        vm_get(i)->dumped = true; /* its registers tell nothing about an end from outside */
        vm_fail(vm_get(i), "ended at the console");
    }
}

void cmd_reboot(struct args *a)
{
    bool off = args_is(a, "off"), stop = !off && args_is(a, "panic");
    if (!args_end(a))
        return;
    if (off) {
        cmd_power_off();
        return;
    }
    if (stop)
        panic("asked for at the console");
    assign_silence();
    say("hamlet: reboot by the monitor");
    uart_drain();
    acpi_reset();
}
