/* SPDX-License-Identifier: MIT */
/*
 * log, mem, cpu: Hamlet itself.
 * From: monitor/term/command.c.   To: arch/log.c, arch/page.c, arch/cpu.c.
 */
#include "arch/cpu.h"
#include "arch/page.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "vmx/cpu.h"
#include "vmx/show/show.h"

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_INFO] = "info", [LOG_TRACE] = "trace"};

static const char *const subsystems[] = {
    "acpi", "aer",  "apic",    "assign", "boot",   "check",  "config", "console",
    "cpu",  "dma",  "faults",  "gdb",    "intx",   "ioapic", "irq",    "leaks",
    "load", "mce",  "options", "page",   "paging", "panic",  "pci",    "radix",
    "time", "trap", "vbar",    "vm",     "vmsix",  "vmx",    "vtd"};

static bool is_subsystem(const char *word)
{
    for (size_t i = 0; i < ARRAY_COUNT(subsystems); i++)
        if (strcmp(subsystems[i], word) == 0)
            return true;
    return false;
}

static void say_levels(void)
{
    struct text names = {0};
    enum log_level all = log_level_of(NULL);
    say("all=%s", level_names[all]);
    for (size_t i = 0; i < ARRAY_COUNT(subsystems); i++) {
        enum log_level own = log_level_of(subsystems[i]);
        if (own != all)
            say("%s=%s", subsystems[i], level_names[own]);
        text_add(&names, " %s", subsystems[i]);
    }
    say("subsystems:%s", names.at);
}

void cmd_log(struct args *a)
{
    if (!args_peek(a)) {
        say_levels();
        return;
    }
    const char *of = is_subsystem(args_peek(a)) ? args_word(a) : NULL, *word = args_word(a);
    unsigned level = 0;
    while (word && level < ARRAY_COUNT(level_names) && strcmp(level_names[level], word) != 0)
        level++;
    if (!word || level == ARRAY_COUNT(level_names))
        complain(a,
                 "not a level or subsystem: %s; error, info or trace, and log lists the subsystems",
                 word ? word : "nothing");
    else if (!args_end(a))
        return;
    else if (log_level_set(of, (enum log_level)level))
        complain(a, "too many subsystems have a level of their own");
    else
        say("%s=%s", of ? of : "all", word);
}

void cmd_mem(struct args *a)
{
    (void)a;
    say("free=%luM pages=%lu", page_free_count() * PAGE_SIZE >> 20, page_free_count());
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT && r->size; r++)
            say("vm=%s host=0x%lx-0x%lx size=%luM", vm->name, r->to.v, r->to.v + r->size - 1,
                r->size >> 20);
}

void cmd_cpu(struct args *a)
{
    (void)a;
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);
        const struct vcpu *v = atomic_load(&vmx_cpu(cpu)->vcpu);
        say("cpu=%u apic-id=%u loaded=%s.%u sleeps=%lu tsc-was-ahead=%ld%s%s", i, cpu->apic_id,
            v ? v->vm->name : "-", v ? v->index : 0, vmx_cpu(cpu)->sleeps, cpu->skew,
            cpu->kind == CPU_CORE   ? " kind=core"
            : cpu->kind == CPU_ATOM ? " kind=atom"
                                    : "",
            cpu == this_cpu() ? " (this one)" : "");
    }
    cmd_say_leaks();
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
            say("vcpu=%s.%u state=%s home=%d", vm->name, v->index, vcpu_state_name(v->state),
                v->cpu ? (int)v->cpu->index : -1);
}
