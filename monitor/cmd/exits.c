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

static uint64_t seen[VM_MAX][EXIT_REASON_COUNT]; /* at the last question */

static uint64_t count_of(const struct vm *vm, enum hottest_kind kind, uint64_t at)
{
    uint64_t count = 0;
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        for (unsigned i = 0; i < HOTTEST_ROWS; i++)
            if (v->hottest[kind].rows[i].at == at)
                count += v->hottest[kind].rows[i].count;
    return count;
}

/* The next after those that were `shown`, over all vCPUs; 0: no more. */
static uint64_t next_top(const struct vm *vm, enum hottest_kind kind, const uint64_t *shown,
                         unsigned n, uint64_t *at)
{
    uint64_t most = 0;
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        for (unsigned i = 0; i < HOTTEST_ROWS; i++) {
            uint64_t of = v->hottest[kind].rows[i].at, count = count_of(vm, kind, of);
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

static void say_exits(const struct vm *vm)
{
    static const char *const names[HOTTEST_KINDS] = {"ports", "MSRs", "GPAs"};
    uint64_t all = 0, more = 0;
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        uint64_t n = vm_exit_count(vm, reason), new = n - MIN(n, seen[vm->index][reason]);
        if (n)
            say("  %-34s %10lu  +%lu", exit_reason_name(reason), n, new);
        all += n;
        more += new;
        seen[vm->index][reason] = n;
    }
    for (enum hottest_kind kind = HOTTEST_PORT; kind < HOTTEST_KINDS; kind++) {
        struct text line = {0};
        uint64_t shown[TOP_SHOWN], n;
        for (unsigned i = 0; i < TOP_SHOWN && (n = next_top(vm, kind, shown, i, &shown[i])); i++)
            text_add(&line, " 0x%lx=%lu", shown[i], n);
        if (line.used)
            say("  top %s:%s", names[kind], line.at);
    }
    say("vm=%s exits=%lu since-last=%lu interrupts=%lu", vm->name, all, more, vm->irq_count);
}

/* Without a name: every VM that has vCPUs. */
void cmd_exits(struct args *a)
{
    struct vm *asked;
    bool one = args_peek(a);
    if (!args_vm(a, &asked) || !args_end(a))
        return;
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        if (one ? vm == asked : vm->vcpu_count > 0)
            say_exits(vm);
}
