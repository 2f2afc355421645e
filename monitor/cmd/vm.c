/* SPDX-License-Identifier: MIT */
/*
 * vm: the VMs; pause, resume, reset or stop one. reboot: the machine.
 * From: monitor/term/command.c.   To: guest/life/control.c, guest/core/vm.c.
 */
#include "arch/acpi.h"
#include "arch/panic.h"
#include "arch/terminal.h"
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

static int end_vm(struct vm *vm)
{
    vm_fail(vm, "stopped by the monitor");
    return 0;
}

static const struct {
    const char *word, *done;
    int (*act)(struct vm *vm);
} acts[] = {{"pause", "pauses", vm_pause},
            {"resume", "runs", vm_resume},
            {"reset", "is reset", vm_reset},
            {"stop", "ends", end_vm}};

static void list_vms(void)
{
    if (vm_count() == 0)
        say("no VM");
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        say("vm=%s state=%s mem=%luM vcpus=%u kernel=%s exits=%lu faults=%lu%s", vm->name,
            state_name(vm), vm->config.mem >> 20, vm->vcpu_count, vm->start.format, vm_exits(vm),
            vm->fault_count, vm == focus_vm() ? " (console)" : "");
}

void cmd_vm(struct args *a)
{
    struct vm *vm;
    bool list = !args_peek(a) || args_is(a, "list");
    size_t i = 0;
    while (!list && i < ARRAY_COUNT(acts) && !args_is(a, acts[i].word))
        i++;
    bool known = !list && i < ARRAY_COUNT(acts);
    if ((known && !args_vm(a, &vm)) || !args_end(a)) /* an unknown word is left over */
        return;
    if (list)
        list_vms();
    else if (acts[i].act(vm))
        complain(a, "vm=%s is %s: it cannot %s now", vm->name, state_name(vm), acts[i].word);
    else
        say("vm=%s %s", vm->name, acts[i].done);
}

static bool asked; /* for the end of everything */

bool cmd_power_is_off(void) { return asked; }

void cmd_power_off(void)
{
    if (asked) { /* the second time does not wait for the VMs */
        assign_silence();
        terminal_drain();
        acpi_power_off();
    }
    asked = true;
    if (focus_on_monitor())
        focus_to_guest();
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        vm_fail_from_outside(vm, "ended at the console");
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
    terminal_drain();
    acpi_reset();
}
