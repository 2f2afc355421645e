/* SPDX-License-Identifier: MIT */
/*
 * A vCPU in words, for reports, and the numbers of the manual as sentences.
 * From: vmx/run/run.c (an exit that must not happen), guest/life/report.c.   To: the console.
 * Spec: SDM "VM Instruction Error Numbers", "Guest Register State".
 */
#include "vmx/show/show.h"
#include "vmx/cpu.h"
#include "vmx/vmcs.h"
#include "lib/printf.h"
#define LOG "vmx"
#include "arch/log.h"

const char *vm_instruction_error(uint32_t number)
{
    static const char *const words[] = {
        [0] = "VMfailInvalid: no current VMCS",
        [1] = "VMCALL in root operation",
        [2] = "VMCLEAR with an invalid address",
        [3] = "VMCLEAR of the VMXON region",
        [4] = "VMLAUNCH of a VMCS that is not clear",
        [5] = "VMRESUME of a VMCS that was not launched",
        [6] = "VMRESUME after VMXOFF",
        [7] = "VM entry with invalid control fields",
        [8] = "VM entry with invalid host-state fields",
        [9] = "VMPTRLD with an invalid address",
        [10] = "VMPTRLD of the VMXON region",
        [11] = "VMPTRLD of a VMCS with another revision",
        [12] = "VMREAD or VMWRITE of a field that this CPU lacks",
        [13] = "VMWRITE to a read-only field",
        [15] = "VMXON in root operation",
        [16] = "VM entry with an invalid executive-VMCS pointer",
        [17] = "VM entry with an executive VMCS that was not launched",
        [18] = "VM entry with a bad executive-VMCS pointer",
        [19] = "VMCALL with a VMCS that is not clear",
        [20] = "VMCALL with invalid VM-exit controls",
        [22] = "VMCALL with a wrong MSEG revision",
        [23] = "VMXOFF under dual-monitor treatment",
        [24] = "VMCALL with invalid SMM-monitor features",
        [25] = "VM entry with invalid execution controls in the executive VMCS",
        [26] = "VM entry with events blocked by MOV SS",
        [28] = "invalid operand to INVEPT or INVVPID",
    };
    const char *found = number < ARRAY_COUNT(words) ? words[number] : NULL;
    return found ? found : "unknown error number";
}

const char *vcpu_state_name(enum vcpu_state state)
{
    static const char *const names[] = {
        [VCPU_STOPPED] = "stopped", [VCPU_WAIT_SIPI] = "wait-for-sipi", [VCPU_READY] = "ready",
        [VCPU_RUNNING] = "running", [VCPU_HALTED] = "halted",
    };
    return names[state];
}

void vcpu_gpr_row(const struct vcpu *v, unsigned row, char out[GPR_ROW])
{
    static const char names[16][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    size_t used = 0;
    for (unsigned i = 4 * row; i < 4 * row + 4; i++)
        used += (size_t)snprintf(out + used, GPR_ROW - used, "%s%s=0x%lx", used ? " " : "",
                                 names[i], vcpu_gpr(v, (enum gpr)i));
}

static void dump_segments(void)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    for (enum segment s = SEG_ES; s < SEG_COUNT; s++)
        log_info("  %s=%04llx base=0x%llx limit=0x%llx rights=0x%llx", names[s],
                 (unsigned long long)vmread(VMCS_SELECTOR(s)),
                 (unsigned long long)vmread(VMCS_BASE(s)),
                 (unsigned long long)vmread(VMCS_LIMIT(s)),
                 (unsigned long long)vmread(VMCS_ACCESS_RIGHTS(s)));
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
    log_info("vcpu=%u state=%s last-exit=\"%s\" qualification=0x%llx", v->index,
             vcpu_state_name(v->state), exit_reason_name(v->exit.reason),
             (unsigned long long)vmread(EXIT_QUALIFICATION));
    log_info("  rip=%016llx rflags=%08llx cr2=%016llx", (unsigned long long)vmread(GUEST_RIP),
             (unsigned long long)vmread(GUEST_RFLAGS), (unsigned long long)v->regs.cr2);
    log_info("  cr0=%08llx cr3=%016llx cr4=%08llx efer=%04llx",
             (unsigned long long)vmread(GUEST_CR0), (unsigned long long)vmread(GUEST_CR3),
             (unsigned long long)vmread(GUEST_CR4), (unsigned long long)vmread(GUEST_IA32_EFER));
    dump_segments();
    log_info("  pin=0x%llx proc=0x%llx proc2=0x%llx entry=0x%llx exit=0x%llx",
             (unsigned long long)vmread(PIN_BASED_CONTROLS),
             (unsigned long long)vmread(PROC_BASED_CONTROLS),
             (unsigned long long)vmread(PROC_BASED_CONTROLS_2),
             (unsigned long long)vmread(VM_ENTRY_CONTROLS),
             (unsigned long long)vmread(VM_EXIT_CONTROLS));
    log_info("  interruptibility=0x%llx activity=%llu entry-event=0x%llx",
             (unsigned long long)vmread(GUEST_INTERRUPTIBILITY),
             (unsigned long long)vmread(GUEST_ACTIVITY_STATE),
             (unsigned long long)vmread(VM_ENTRY_INTERRUPTION_INFO));
    vcpu_return(v);
    for (unsigned row = 0; row < 4; row++) {
        char text[GPR_ROW];
        vcpu_gpr_row(v, row, text);
        log_info("  %s", text);
    }
}
