/* SPDX-License-Identifier: MIT */
/*
 * exits: why the vCPUs of a VM came back, how often, how often since somebody asked last, and for which
 * ports, MSRs and addresses most.
 * From: monitor/command.c.   To: vmx/run/run.c (exit_count), vmx/vcpu/hottest.c.
 */
#include "lib/printf.h"
#include "monitor/command.h"
#include "guest/life/life.h"
#include "vmx/show/show.h"

#define TOP_SHOWN 5

static uint64_t seen[VM_MAX][EXIT_REASON_COUNT]; /* when it was asked the last time */

/* The next after those that were `shown`, over all vCPUs; 0: no more. */
static uint64_t next_top(const struct vm *vm, enum hottest_kind kind, const uint64_t *shown,
                         unsigned n, uint64_t *at)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < vm->vcpu_count * HOTTEST_ROWS; i++) {
        uint64_t of = vm->vcpus[i / HOTTEST_ROWS]->hottest[kind].rows[i % HOTTEST_ROWS].at,
                 count = 0;
        for (unsigned k = 0; k < vm->vcpu_count * HOTTEST_ROWS; k++) {
            const struct hottest *t = &vm->vcpus[k / HOTTEST_ROWS]->hottest[kind];
            if (t->rows[k % HOTTEST_ROWS].at == of)
                count += t->rows[k % HOTTEST_ROWS].count;
        }
        for (unsigned k = 0; k < n; k++)
            if (shown[k] == of)
                count = 0;
        if (count > most) {
            most = count;
            *at = of;
        }
    }
    return most;
}

static void show_tops(const struct vm *vm)
{
    static const char *const names[HOTTEST_KINDS] = {"ports", "MSRs", "GPAs"};
    for (enum hottest_kind kind = HOTTEST_PORT; kind < HOTTEST_KINDS; kind++) {
        char line[TOP_SHOWN * 40];
        uint64_t shown[TOP_SHOWN], count;
        size_t used = 0;
        for (unsigned n = 0; n < TOP_SHOWN; n++) {
            count = next_top(vm, kind, shown, n, &shown[n]);
            if (!count)
                break;
            used +=
                (size_t)snprintf(line + used, sizeof(line) - used, " 0x%lx=%lu", shown[n], count);
        }
        if (used)
            say("  top %s:%s", names[kind], line);
    }
}

static void show_exits(const struct vm *vm)
{
    uint64_t all = 0, more = 0;
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        uint64_t n = vm_exit_count(vm, reason), new = n - MIN(n, seen[vm->index][reason]);
        if (n)
            say("  %-34s %10lu  +%lu", exit_reason_name(reason), n, new);
        all += n;
        more += new;
        seen[vm->index][reason] = n;
    }
    show_tops(vm);
    say("vm=%s exits=%lu since-last=%lu interrupts=%lu", vm->name, all, more, vm->irq_count);
}

/* Without a name: every VM that is there. */
static void run_exits(struct args *a)
{
    struct vm *vm;
    bool one = a->next < a->count;
    if (!args_vm(a, &vm) || !args_end(a))
        return;
    for (size_t i = 0; i < vm_count(); i++)
        if (one ? vm_get(i) == vm : vm_get(i)->vcpu_count > 0)
            show_exits(vm_get(i));
}

const struct command command_exits = {
    "exits", run_exits, "[NAME]",
    "exits by reason, how many since asked last; which ports, MSRs, addresses", "exits alpha"};
