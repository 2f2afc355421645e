/* SPDX-License-Identifier: MIT */
/*
 * A vCPU in words, for reports and for a person at the console.
 * From: vmx/run/run.c (an exit that must not happen), guest/life/report.c, monitor/cmd/vcpu.c.
 * To: vmx/vcpu/state.c (vcpu_borrow), vmx/reasons.c (the last exit in words).
 * Spec: SDM "Guest Register State", "VMREAD".
 */
#include "vmx/cpu.h"
#include "vmx/reasons.h"
#include "vmx/show/show.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vmcs.h"
#define LOG "vmx"
#include "arch/log.h"

const char *vcpu_state_name(enum vcpu_state state)
{
    static const char *const names[] = {
        [VCPU_STOPPED] = "stopped", [VCPU_WAIT_SIPI] = "wait-for-sipi", [VCPU_READY] = "ready",
        [VCPU_RUNNING] = "running", [VCPU_HALTED] = "halted",
    };
    return names[state];
}

struct text vcpu_gpr_row(const struct vcpu *v, unsigned row)
{
    static const char names[16][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    struct text t = {0};
    for (unsigned i = 4 * row; i < 4 * row + 4; i++)
        text_add(&t, "%s%s=0x%lx", t.used ? " " : "", names[i], vcpu_gpr(v, (enum gpr)i));
    return t;
}

struct text vcpu_system_row(const struct vcpu *v)
{
    struct vcpu_paging p;
    struct text t = {0};
    vcpu_paging(v, &p);
    vcpu_borrow(v);
    uint64_t cr0 = cr0_guest_view(), cr4 = cr4_guest_view();
    vcpu_return(v);
    text_add(&t, "rip=0x%lx rflags=0x%lx cr0=0x%lx cr2=0x%lx cr3=0x%lx cr4=0x%lx efer=0x%lx", p.rip,
             p.rflags, cr0, registers_cr2(v), p.cr3, cr4, p.efer);
    return t;
}

static void dump_segments(void)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    for (enum segment s = SEG_ES; s < SEG_COUNT; s++)
        log_info("  %s=%04lx base=0x%lx limit=0x%lx rights=0x%lx", names[s],
                 vmread(VMCS_SELECTOR(s)), vmread(VMCS_BASE(s)), vmread(VMCS_LIMIT(s)),
                 vmread(VMCS_ACCESS_RIGHTS(s)));
}

void vcpu_dump_loaded(void)
{
    const struct vcpu *v = this_vmx_cpu()->vcpu;
    if (!v)
        return;
    vcpu_dump(v);
    console_line("hamlet: panic vcpu=%u rip=0x%lx cr3=0x%lx exit-reason=%u qualification=0x%lx",
                 v->index, vmread(GUEST_RIP), vmread(GUEST_CR3), v->exit.reason,
                 vmread(EXIT_QUALIFICATION));
}

void vcpu_dump(const struct vcpu *v)
{
    vcpu_borrow(v);
    log_info("vcpu=%u state=%s last-exit=\"%s\" qualification=0x%lx", v->index,
             vcpu_state_name(v->state), exit_reason_name(v->exit.reason),
             vmread(EXIT_QUALIFICATION));
    log_info("  rip=%016lx rflags=%08lx cr2=%016lx", vmread(GUEST_RIP), vmread(GUEST_RFLAGS),
             registers_cr2(v));
    log_info("  cr0=%08lx cr3=%016lx cr4=%08lx efer=%04lx", vmread(GUEST_CR0), vmread(GUEST_CR3),
             vmread(GUEST_CR4), vmread(GUEST_IA32_EFER));
    dump_segments();
    log_info("  pin=0x%lx proc=0x%lx proc2=0x%lx entry=0x%lx exit=0x%lx",
             vmread(PIN_BASED_CONTROLS), vmread(PROC_BASED_CONTROLS), vmread(PROC_BASED_CONTROLS_2),
             vmread(VM_ENTRY_CONTROLS), vmread(VM_EXIT_CONTROLS));
    log_info("  interruptibility=0x%lx activity=%lu entry-event=0x%lx",
             vmread(GUEST_INTERRUPTIBILITY), vmread(GUEST_ACTIVITY_STATE),
             vmread(VM_ENTRY_INTERRUPTION_INFO));
    vcpu_return(v);
    for (unsigned row = 0; row < GPR_ROWS; row++)
        log_info("  %s", vcpu_gpr_row(v, row).at);
}

/* No vmread(): a person may ask for a field that this CPU lacks, and Hamlet does not panic then. */
bool vcpu_vmcs_field(const struct vcpu *v, uint32_t encoding, uint64_t *value)
{
    bool failed;
    vcpu_borrow(v);
    asm volatile("vmread %2, %1"
                 : "=@ccbe"(failed), "=r"(*value)
                 : "r"((uint64_t)encoding)
                 : "memory");
    vcpu_return(v);
    return !failed;
}
