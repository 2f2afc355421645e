/* SPDX-License-Identifier: MIT */
/*
 * What is printed when a VM has ended: lines "hamlet: vm=NAME key=value ...", for people and for
 * lab/report.py. Their form is an interface.
 * From: guest/vm.c.
 */
#include "arch/printf.h"
#include "guest/assign.h"
#include "guest/vm.h"
#include "arch/string.h"
#define LOG "vm"
#include "arch/log.h"

static uint64_t exits_by_reason(const struct vm *vm, unsigned reason)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        n += vm->vcpus[i]->exit_count[reason];
    return n;
}

/* "I/O instruction" as a word of a key: "io-instruction". */
static void key_of(unsigned reason, char *out, size_t size)
{
    const char *name = exit_reason_name(reason);
    size_t n = 0;
    for (; *name && n + 1 < size; name++) {
        char c = *name;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = c;
        else if (c == ' ' || c == '-')
            out[n++] = '-';
    }
    out[n] = '\0';
}

/* As many to a line as a terminal shows. */
static void report_exits(const struct vm *vm)
{
    char line[128], key[48];
    size_t used = 0;
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        uint64_t n = exits_by_reason(vm, reason);
        if (!n)
            continue;
        key_of(reason, key, sizeof(key));
        if (used > 60) {
            console_line("hamlet: vm=%s%s", vm->name, line);
            used = 0;
        }
        used += (size_t)snprintf(line + used, sizeof(line) - used, " exits.%s=%lu", key, n);
    }
    if (used)
        console_line("hamlet: vm=%s%s", vm->name, line);
}

static void report_devices(const struct vm *vm)
{
    if (vm->pins)
        console_line("hamlet: vm=%s dma=pv pinned=%lu", vm->name, vm->pinned_count);
    for (const struct assignment *a = vm->assignments; a; a = a->next)
        console_line("hamlet: vm=%s device=" BDF_FMT " device-faults=%lu storms=%u parked=%u",
                     vm->name, BDF_ARG(a->fn->bdf), a->fault_count, a->storm_count, a->parked);
}

void report_vm(const struct vm *vm)
{
    uint64_t exits = 0;
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++)
        exits += exits_by_reason(vm, reason);
    report_devices(vm);
    report_exits(vm);
    if (vm->config.run)
        console_line("hamlet: vm=%s run=%lu rax=0x%lx length=%lu tsc-per-run=%lu", vm->name,
                     vm->config.run - vm->steps_left, vm->step_rax, vm->step_rip - vm->start.rip,
                     vm->step_ticks / MAX(vm->config.run - vm->steps_left, UINT64_C(1)));
    if (vm->why[0])
        console_line("hamlet: vm=%s why=\"%s\"", vm->name, vm->why);
    console_line("hamlet: vm=%s exit=%u exits=%lu faults=%lu", vm->name, vm->exit_status, exits,
                 vm->fault_count);
}
