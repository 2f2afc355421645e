/* SPDX-License-Identifier: MIT */
/*
 * The monitor's parser without its commands: every command takes all the words that it can get, by
 * every way there is to take one.
 * From: tests/unit/test_monitor.c, tests/fuzz/fuzz_monitor.c.
 */
#pragma once
#include "monitor/cmd/commands.h"
#include "monitor/gdb/gdb.h"
#include "monitor/edit.h"
#include "monitor/explain/explain.h"
#include "monitor/focus.h"
#include "vmx/reasons.h"
#include "monitor/term/command.h"

struct vm *focus_vm(void) { return NULL; }
struct vm *vm_find(const char *name) { return (void)name, NULL; }
const char *exit_reason_name(uint32_t reason) { return (void)reason, "a reason"; }

static unsigned runs;

static void take_all(struct args *a)
{
    struct vcpu *v;
    struct vm *vm;
    uint64_t n;
    bdf_t bdf;
    struct args copy;
    runs++;
    do {
        copy = *a;
        if (args_number(&copy, "number", &n))
            (void)n;
        copy = *a;
        (void)args_bdf(&copy, &bdf);
        (void)args_end(a);
        (void)args_is(a, "nmi");
        (void)args_vm(a, &vm);
        (void)args_vcpu(a, &v);
    } while (args_word(a));
}

#define STUB(name)                                                                                 \
    void cmd_##name(struct args *a) { take_all(a); }
STUB(vm)
STUB(vcpu)
STUB(exits)
STUB(x)
STUB(walk)
STUB(map)
STUB(screen)
STUB(mem)
STUB(pci)
STUB(assign)
STUB(unassign)
STUB(audit)
STUB(vtd)
STUB(irq)
STUB(pid)
STUB(check)
STUB(mode)
STUB(bars)
STUB(inject)
STUB(gdb)
STUB(trace)
STUB(log)
STUB(cpu)
STUB(machine)
STUB(reboot)
