/* SPDX-License-Identifier: MIT */
/*
 * The table of commands, and the way from a typed line to one of them.
 * From: monitor/term/console.c.   To: monitor/cmd/, monitor/gdb/gdb.c (cmd_gdb).
 */
#include "monitor/term/command.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "monitor/gdb/gdb.h"

#define WALK_USAGE "[NAME[.N]] [gpa] ADDRESS, or bb:dd.f ADDRESS"

static void help(struct args *a);

static const struct row {
    const char *name;
    void (*run)(struct args *a);
    const char *usage, *help, *example;
} commands[] = {
    {"help", help, "[COMMAND]", "what there is to ask", "help walk"},
    {"vm", cmd_vm, "[list | pause | resume | reset | stop] [NAME]",
     "the VMs; pause, resume, reset or stop one", "vm pause alpha"},
    {"vcpu", cmd_vcpu, "[NAME[.N]] [vmcs control | exit | guest | host | all | PART-OF-A-NAME]",
     "state and registers of a vCPU, and its VMCS", "vcpu alpha.0 vmcs guest_rip"},
    {"exits", cmd_exits, "[NAME]",
     "exits by reason, how many since asked last; which ports, MSRs, addresses", "exits alpha"},
    {"x", cmd_x, "[NAME[.N]] [gva | gpa] ADDRESS [COUNT], or hpa ADDRESS [COUNT]",
     "bytes of memory, guest's or host's", "x gpa 0x100000 32"},
    {"walk", cmd_walk, WALK_USAGE,
     "an address through the guest's tables, EPT, or VT-d, entry by entry",
     "walk alpha.0 0x100000"},
    {"tlb", cmd_walk, WALK_USAGE, "the same as walk", "tlb 00:02.0 0x1000"},
    {"map", cmd_map, "[NAME]", "what a VM has at which address: RAM, direct, trapped, hole",
     "map alpha"},
    {"screen", cmd_screen, "[NAME]", "a guest's text screen", "screen alpha"},
    {"mem", cmd_mem, "", "free memory, and where the VMs lie", "mem"},
    {"pci", cmd_pci, "[bb:dd.f]", "the functions; one of them as host and guest see it",
     "pci 00:02.0"},
    {"assign", cmd_assign, "bb:dd.f [NAME]", "give a device to a VM that runs",
     "assign 00:02.0 alpha"},
    {"unassign", cmd_unassign, "bb:dd.f", "take a device back from its VM", "unassign 00:02.0"},
    {"audit", cmd_audit, "", "which devices can be given away, and why not", "audit"},
    {"vtd", cmd_vtd, "[faults | bb:dd.f ADDRESS]",
     "remapping units in words; a device's address translated; faults", "vtd 00:02.0 0x1000"},
    {"irq", cmd_irq, "[bb:dd.f]", "from a device's vectors by IRTE and descriptor to vCPUs",
     "irq 00:02.0"},
    {"pid", cmd_pid, "[NAME[.N]]", "posted-interrupt descriptors: PIR, ON, SN, NV, NDST",
     "pid alpha.0"},
    {"check", cmd_check, "", "look up Hamlet's promises in the live tables", "check"},
    {"inject", cmd_inject, "[NAME[.N]] VECTOR | nmi", "an interrupt or NMI for a vCPU",
     "inject alpha.0 0x40"},
    {"gdb", cmd_gdb, "[NAME]", "the port for a debugger, and which VM it gets", "gdb alpha"},
    {"mode", cmd_mode, "[cpu | 16 | 32 | 64]",
     "as which code GDB shows a guest: that of its CPU now, or always this", "mode cpu"},
    {"bars", cmd_bars, "[on | off]", "whether GDB may read registers of a guest's devices",
     "bars on"},
    {"explain", cmd_explain, "[REGISTER VALUE [HIGH]]",
     "each field of a register or table entry, in words", "explain vtd.context 0x2ff7001 0x102"},
    {"trace", cmd_trace, "[on | off | clear | show [N] | dump [N]]",
     "what happened, event by event; dump is for ./hamlet trace", "trace show 50"},
    {"log", cmd_log, "[SUBSYSTEM] [error | info | trace]", "how much Hamlet says", "log vtd trace"},
    {"cpu", cmd_cpu, "", "who runs on which processor", "cpu"},
    {"machine", cmd_machine, "", "what this PC has of what Hamlet uses, and what each lack means",
     "machine"},
    {"reboot", cmd_reboot, "[off | panic]",
     "reset the machine; end all VMs and switch it off; or stop it and say where everybody was",
     "reboot off"},
};

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const char *command_match(const char *text, size_t size, unsigned n)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (strncmp(commands[i].name, text, size) == 0 && n-- == 0)
            return commands[i].name;
    return NULL;
}

void command_run(char *line)
{
    struct args a = {.command = "monitor"};
    if (!args_split(&a, line)) {
        complain(&a, "too many words");
        return;
    }
    const char *name = args_word(&a);
    const struct row *c = name ? find(name) : NULL;
    if (name && !c)
        say("%s: no such command; help lists them", name);
    if (!c)
        return;
    a.command = c->name;
    if (*c->usage || args_end(&a)) /* no usage: the command takes no words */
        c->run(&a);
}

static void help(struct args *a)
{
    const char *name = args_word(a);
    const struct row *c = name ? find(name) : NULL;
    if (!args_end(a))
        return;
    if (c) {
        say("%s %s", c->name, c->usage);
        say("  %s", c->help);
        say("  for example: %s", c->example);
    } else if (name) {
        complain(a, "no such command: %s", name);
    } else {
        for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
            say("  %-9s%s", commands[i].name, commands[i].help);
        say("help COMMAND says more; Tab completes; Ctrl-A h: the keys of the console");
    }
}
