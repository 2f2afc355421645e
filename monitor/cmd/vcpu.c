/* SPDX-License-Identifier: MIT */
/*
 * vcpu: registers and VMCS of a virtual CPU. inject: an event for it.
 * From: monitor/term/command.c.   To: vmx/show/show.c, guest/life/control.c (vm_visit).
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
               {EXCEPTION_BITMAP, "vmcs.exceptions"},
               {EXIT_REASON, "vmcs.exit_reason"},
               {GUEST_ACTIVITY_STATE, "vmcs.activity"},
               {EPT_POINTER, "vmcs.eptp"},
               {GUEST_CR0, "cr0"},
               {CR0_READ_SHADOW, "cr0"},
               {HOST_CR0, "cr0"},
               {GUEST_CR4, "cr4"},
               {CR4_READ_SHADOW, "cr4"},
               {HOST_CR4, "cr4"},
               {GUEST_IA32_EFER, "efer"},
               {HOST_IA32_EFER, "efer"},
               {GUEST_DR7, "dr7"},
               {GUEST_RFLAGS, "rflags"},
               {IDT_VECTORING_INFO, "vmcs.event"}};

/* The name that explain has for a field; NULL: its bits have no words. */
static const char *words_of(uint32_t encoding)
{
    for (size_t i = 0; i < ARRAY_COUNT(decoded); i++)
        if (decoded[i].encoding == encoding)
            return decoded[i].reg;
    return encoding - GUEST_ES_ACCESS_RIGHTS < 2 * SEG_COUNT ? "vmcs.access_rights" : NULL;
}

static void say_vmcs_field(const struct vcpu *v, uint32_t encoding, const char *name)
{
    const char *reg = words_of(encoding);
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

/* Does `name` have `part` in it? Upper and lower case are one: users type what is easy. */
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
    struct wish w = {0};
    if (args_is(a, "vmcs")) {
        w.group = args_word(a);
        if (!w.group) {
            complain(a, "which fields? control, exit, guest, host, all, or a part of a name");
            return;
        }
        for (size_t i = 0; i < ARRAY_COUNT(groups); i++)
            w.is_group = w.is_group || strcmp(groups[i], w.group) == 0;
    }
    if (!args_end(a))
        return;
    if (w.group) {
        vm_visit(v, say_vmcs, &w);
        if (!w.found)
            complain(a, "no VMCS field has %s in its name", w.group);
        return;
    }
    say("vcpu=%s.%u state=%s last-exit=\"%s\" cpu=%d", v->vm->name, v->index,
        vcpu_state_name(v->state), exit_reason_name(v->exit.reason),
        v->cpu ? (int)v->cpu->index : -1);
    vm_visit(v, say_vcpu_registers, NULL);
}

/* --- inject ----------------------------------------------------------------------------------- */

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
