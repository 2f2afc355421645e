/* SPDX-License-Identifier: MIT */
/*
 * vcpu: registers and VMCS of a virtual CPU. exits: why it came back, by reason. inject: an event for it.
 * From: monitor/command.c.   To: vmx/look.c, guest/control.c (vm_visit).
 */
#include "arch/printf.h"
#include "arch/string.h"
#include "arch/x86.h"
#include "guest/vlapic.h"
#include "monitor/command.h"
#include "monitor/explain.h"
#include "vmx/vmcs_fields.h"

static const struct {
    const char *name;
    uint32_t encoding;
} fields[] = {
#define FIELD(name, encoding) {#name, encoding},
    VMCS_FIELDS(FIELD)
#undef FIELD
};

static const char *const groups[] = {[VMCS_TYPE_CONTROL] = "control",
                                     [VMCS_TYPE_EXIT_INFO] = "exit",
                                     [VMCS_TYPE_GUEST] = "guest",
                                     [VMCS_TYPE_HOST] = "host"};

/* Fields whose bits have words. */
static const struct {
    uint32_t encoding;
    const char *reg;
} decoded[] = {{PIN_BASED_CONTROLS, "vmcs.pin"},
               {PROC_BASED_CONTROLS, "vmcs.proc"},
               {PROC_BASED_CONTROLS_2, "vmcs.proc2"},
               {VM_EXIT_CONTROLS, "vmcs.exit"},
               {VM_ENTRY_CONTROLS, "vmcs.entry"},
               {VM_ENTRY_INTERRUPTION_INFO, "vmcs.event"},
               {VM_EXIT_INTERRUPTION_INFO, "vmcs.event"},
               {GUEST_INTERRUPTIBILITY, "vmcs.interruptibility"},
               {GUEST_INTERRUPT_STATUS, "vmcs.interrupt_status"},
               {EPT_POINTER, "vmcs.eptp"},
               {GUEST_CR0, "cr0"},
               {GUEST_CR4, "cr4"}};

static void say_vmcs_field(const struct vcpu *v, size_t i)
{
    uint64_t value;
    char words[200] = "";
    if (!vcpu_vmcs_field(v, fields[i].encoding, &value)) {
        say("%04x %-34s this CPU has no such field", fields[i].encoding, fields[i].name);
        return;
    }
    for (size_t k = 0; k < ARRAY_COUNT(decoded); k++)
        if (decoded[k].encoding == fields[i].encoding)
            explain_line(decoded[k].reg, &value, words, sizeof(words));
    say("%04x %-34s 0x%lx%s%s", fields[i].encoding, fields[i].name, value, *words ? "  " : "",
        words);
}

/* Upper and lower case are one: users type what is easy. */
static bool same_word(const char *a, const char *b)
{
    while (*a && (*a == *b || (*a >= 'A' && *a <= 'Z' && *a + 32 == *b))) {
        a++;
        b++;
    }
    return !*a && !*b;
}

struct wish {
    struct args *args;
    const char *group; /* of VMCS fields, or the name of one; NULL: the registers */
    bool found;
};

static void show_vmcs(struct vcpu *v, void *ctx)
{
    struct wish *w = ctx;
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        const char *group = groups[FIELD_GET(VMCS_FIELD_TYPE, fields[i].encoding)];
        if (strcmp(w->group, group) == 0 || strcmp(w->group, "all") == 0 ||
            same_word(fields[i].name, w->group) || strcmp(fields[i].name, w->group) == 0) {
            say_vmcs_field(v, i);
            w->found = true;
        }
    }
}

static void show_registers(struct vcpu *v, void *ctx)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    struct vcpu_paging p;
    (void)ctx;
    vcpu_paging(v, &p);
    say("  rip=0x%lx rflags=0x%lx cr0=0x%lx cr2=0x%lx cr3=0x%lx cr4=0x%lx efer=0x%lx", p.rip,
        p.rflags, p.cr0, v->regs.cr2, p.cr3, p.cr4, p.efer);
    say("  mode=%s cpl=%u cs-base=0x%lx",
        p.code64   ? "64-bit"
        : p.code32 ? "32-bit"
                   : "16-bit",
        p.cpl, p.segment_base[1]);
    for (unsigned i = 0; i < 16; i += 4)
        say("  %-3s=%016lx %-3s=%016lx %-3s=%016lx %-3s=%016lx", names[i], vcpu_gpr(v, (enum gpr)i),
            names[i + 1], vcpu_gpr(v, (enum gpr)(i + 1)), names[i + 2],
            vcpu_gpr(v, (enum gpr)(i + 2)), names[i + 3], vcpu_gpr(v, (enum gpr)(i + 3)));
}

static void run_vcpu(struct args *a)
{
    struct vcpu *v;
    if (!args_vcpu(a, &v))
        return;
    struct wish w = {a, NULL, false};
    if (args_is(a, "vmcs")) {
        w.group = args_word(a);
        if (!w.group) {
            complain(a, "which fields? control, exit, guest, host, all, or a name");
            return;
        }
    }
    if (!args_end(a))
        return;
    if (w.group) {
        vm_visit(v, show_vmcs, &w);
        if (!w.found)
            complain(a, "no VMCS field has the name %s", w.group);
        return;
    }
    say("vcpu=%s.%u state=%s last-exit=\"%s\" cpu=%d", v->vm->name, v->index,
        vcpu_state_name(v->state), exit_reason_name(v->exit.reason),
        v->cpu ? (int)v->cpu->index : -1);
    vm_visit(v, show_registers, NULL);
}

/* --- exits ---------------------------------------------------------------------------------------- */

static uint64_t seen[VM_MAX][EXIT_REASON_COUNT]; /* when it was asked the last time */

static void show_exits(const struct vm *vm)
{
    uint64_t all = 0, more = 0;
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        uint64_t n = 0;
        for (unsigned i = 0; i < vm->vcpu_count; i++)
            n += vm->vcpus[i]->exit_count[reason];
        if (n)
            say("  %-34s %10lu  +%lu", exit_reason_name(reason), n,
                n - MIN(n, seen[vm->index][reason]));
        all += n;
        more += n - MIN(n, seen[vm->index][reason]);
        seen[vm->index][reason] = n;
    }
    say("vm=%s exits=%lu since-last=%lu interrupts=%lu", vm->name, all, more, vm->irq_count);
}

static void run_exits(struct args *a)
{
    struct vm *vm;
    if (args_vm(a, &vm) && args_end(a))
        show_exits(vm);
}

/* --- inject --------------------------------------------------------------------------------------- */

static void run_inject(struct args *a)
{
    struct vcpu *v;
    uint64_t vector;
    if (args_has_number(a)) {
        struct vm *vm = console_vm();
        if (!vm) {
            complain(a, "no VM runs");
            return;
        }
        v = vm->vcpus[0];
    } else if (!args_is(a, "nmi") && !args_vcpu(a, &v)) {
        return;
    } else if (a->words[a->next - 1][0] == 'n' && strcmp(a->words[a->next - 1], "nmi") == 0) {
        struct vm *vm = console_vm();
        if (!vm || !args_end(a))
            return;
        vcpu_nmi(vm->vcpus[0]);
        say("vcpu=%s.0 gets an NMI", vm->name);
        return;
    }
    if (args_is(a, "nmi")) {
        if (!args_end(a))
            return;
        vcpu_nmi(v);
        say("vcpu=%s.%u gets an NMI", v->vm->name, v->index);
        return;
    }
    if (!args_number(a, "vector", &vector) || !args_end(a))
        return;
    if (vector < 16 || vector > 255) {
        complain(a, "vector 0x%lx: 16 to 255", vector);
        return;
    }
    vlapic_deliver(v, (uint8_t)vector);
    say("vcpu=%s.%u gets vector 0x%02lx", v->vm->name, v->index, vector);
}

const struct command command_vcpu = {
    "vcpu", run_vcpu, "[NAME[.N]] [vmcs control | exit | guest | host | all | FIELD]",
    "state and registers of a vCPU, and its VMCS", "vcpu alpha.0 vmcs guest_rip"};
const struct command command_exits = {
    "exits", run_exits, "[NAME]", "exits by reason, and how many since asked last", "exits alpha"};
const struct command command_inject = {"inject", run_inject, "[NAME[.N]] VECTOR | nmi",
                                       "an interrupt or NMI for a vCPU", "inject alpha.0 0x40"};
