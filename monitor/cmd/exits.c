/* SPDX-License-Identifier: MIT */
/*
 * exits: why the vCPUs of a VM came back, how often, how often since the last question, and for
 * which ports, MSRs and addresses most.
 * From: monitor/term/command.c.   To: guest/life/report.c (vm_exit_count), vmx/reasons.c.
 */
#include "guest/life/life.h"
#include "monitor/cmd/commands.h"
#include "vmx/reasons.h"

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

static void say_tops(const struct vm *vm)
{
    static const char *const names[HOTTEST_KINDS] = {"ports", "MSRs", "GPAs"};
    for (enum hottest_kind kind = HOTTEST_PORT; kind < HOTTEST_KINDS; kind++) {
        struct text line = {0};
        uint64_t shown[TOP_SHOWN], count;
        for (unsigned n = 0; n < TOP_SHOWN && (count = next_top(vm, kind, shown, n, &shown[n]));
             n++)
            text_add(&line, " 0x%lx=%lu", shown[n], count);
        if (line.used)
            say("  top %s:%s", names[kind], line.at);
    }
}

static void say_exits(const struct vm *vm)
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
    say_tops(vm);
    say("vm=%s exits=%lu since-last=%lu interrupts=%lu", vm->name, all, more, vm->irq_count);
}

/* Without a name: every VM that is there. */
void cmd_exits(struct args *a)
{
    struct vm *vm;
    bool one = args_peek(a);
    if (!args_vm(a, &vm) || !args_end(a))
        return;
    for (size_t i = 0; i < vm_count(); i++)
        if (one ? vm_get(i) == vm : vm_get(i)->vcpu_count > 0)
            say_exits(vm_get(i));
}
