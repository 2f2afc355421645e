/* SPDX-License-Identifier: MIT */
/*
 * vcpu: registers and VMCS of a virtual CPU. inject: an event for it.
 * From: monitor/term/command.c.   To: vmx/show/dump.c, guest/life/control.c (vm_visit).
 */
#include "arch/apic.h"
#include "guest/life/life.h"
#include "guest/pc/vlapic.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "monitor/explain/explain.h"
#include "vmx/reasons.h"
#include "vmx/run/post.h"
#include "vmx/show/show.h"
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

/* The tables of explain, and the fields that each is for. */
static const struct {
    const char *reg;
    uint32_t of[3];
} decoded[] = {
    {"vmcs.pin", {PIN_BASED_CONTROLS}},
    {"vmcs.proc", {PROC_BASED_CONTROLS}},
    {"vmcs.proc2", {PROC_BASED_CONTROLS_2}},
    {"vmcs.exit", {VM_EXIT_CONTROLS}},
    {"vmcs.entry", {VM_ENTRY_CONTROLS}},
    {"vmcs.event", {VM_ENTRY_INTERRUPTION_INFO, VM_EXIT_INTERRUPTION_INFO, IDT_VECTORING_INFO}},
    {"vmcs.interruptibility", {GUEST_INTERRUPTIBILITY}},
    {"vmcs.interrupt_status", {GUEST_INTERRUPT_STATUS}},
    {"vmcs.exceptions", {EXCEPTION_BITMAP}},
    {"vmcs.exit_reason", {EXIT_REASON}},
    {"vmcs.activity", {GUEST_ACTIVITY_STATE}},
    {"vmcs.eptp", {EPT_POINTER}},
    {"cr0", {GUEST_CR0, CR0_READ_SHADOW, HOST_CR0}},
    {"cr4", {GUEST_CR4, CR4_READ_SHADOW, HOST_CR4}},
    {"efer", {GUEST_IA32_EFER, HOST_IA32_EFER}},
    {"dr7", {GUEST_DR7}},
    {"rflags", {GUEST_RFLAGS}},
};

/* NULL: explain has no table for the field. */
static const char *table_for(uint32_t encoding)
{
    for (size_t i = 0; i < ARRAY_COUNT(decoded); i++)
        for (size_t k = 0; k < ARRAY_COUNT(decoded[i].of) && decoded[i].of[k]; k++)
            if (decoded[i].of[k] == encoding)
                return decoded[i].reg;
    return encoding - GUEST_ES_ACCESS_RIGHTS < 2 * SEG_COUNT ? "vmcs.access_rights" : NULL;
}

static void say_vmcs_field(const struct vcpu *v, uint32_t encoding, const char *name)
{
    const char *reg = table_for(encoding);
    struct text words = {0};
    uint64_t value;
    if (!vcpu_vmcs_field(v, encoding, &value)) {
        say("%04x %-34s this CPU has no such field", encoding, name);
        return;
    }
    if (reg)
        words = explain_words(reg, value, 0);
    say("%04x %-34s 0x%lx%s%s", encoding, name, value, words.used ? "  " : "", words.at);
}

/* True: `name`, in capitals, contains `part`. Small letters in `part` count as capitals. */
static bool has_part(const char *name, const char *part)
{
    for (; *name; name++) {
        size_t n = 0;
        while (part[n] && (name[n] == part[n] ||
                           (name[n] >= 'A' && name[n] <= 'Z' && name[n] + 32 == part[n])))
            n++;
        if (!part[n])
            return true;
    }
    return false;
}

struct wish {
    const char *group; /* of VMCS fields, or a part of their names; NULL: the registers */
    bool is_group, found;
};

static void say_vmcs(struct vcpu *v, void *ctx)
{
    struct wish *w = ctx;
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        const char *group = groups[FIELD_GET(VMCS_FIELD_TYPE, fields[i].encoding)];
        if (strcmp(w->group, group) == 0 || strcmp(w->group, "all") == 0 ||
            (!w->is_group && has_part(fields[i].name, w->group))) {
            say_vmcs_field(v, fields[i].encoding, fields[i].name);
            w->found = true;
        }
    }
}

static void say_vcpu_registers(struct vcpu *v, void *ctx)
{
    struct vcpu_paging p;
    (void)ctx;
    vcpu_paging(v, &p);
    say("  %s", vcpu_system_row(v).at);
    say("  mode=%s cpl=%u cs-base=0x%lx",
        p.code64   ? "64-bit"
        : p.code32 ? "32-bit"
                   : "16-bit",
        p.cpl, p.segment_base[1]);
    for (unsigned row = 0; row < GPR_ROWS; row++)
        say("  %s", vcpu_gpr_row(v, row).at);
}

void cmd_vcpu(struct args *a)
{
    struct vcpu *v;
    if (!args_vcpu(a, &v))
        return;
    bool vmcs = args_is(a, "vmcs");
    struct wish w = {.group = vmcs ? args_word(a) : NULL};
    if (vmcs && !w.group) {
        complain(a, "which fields? control, exit, guest, host, all, or a part of a name");
        return;
    }
    for (size_t i = 0; vmcs && i < ARRAY_COUNT(groups); i++)
        w.is_group |= strcmp(groups[i], w.group) == 0;
    if (!args_end(a))
        return;
    if (!vmcs)
        say("vcpu=%s.%u state=%s last-exit=\"%s\" cpu=%d", v->vm->name, v->index,
            vcpu_state_name(v->state), exit_reason_name(v->exit.reason),
            v->cpu ? (int)v->cpu->index : -1);
    vm_visit(v, vmcs ? say_vmcs : say_vcpu_registers, &w);
    if (vmcs && !w.found)
        complain(a, "no VMCS field has %s in its name", w.group);
}

void cmd_inject(struct args *a)
{
    struct vcpu *v;
    uint64_t vector;
    if (!args_vcpu(a, &v))
        return;
    bool nmi = args_is(a, "nmi");
    if ((!nmi && !args_number(a, "vector", &vector)) || !args_end(a))
        return;
    if (nmi) {
        vcpu_nmi(v);
        say("vcpu=%s.%u gets an NMI", v->vm->name, v->index);
    } else if (vector < VECTOR_FIRST_LEGAL || vector > 255) {
        complain(a, "vector 0x%lx: %u to 255", vector, VECTOR_FIRST_LEGAL);
    } else {
        vlapic_deliver(v, (uint8_t)vector);
        say("vcpu=%s.%u gets vector 0x%02lx", v->vm->name, v->index, vector);
    }
}
