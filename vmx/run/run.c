/* SPDX-License-Identifier: MIT */
/*
 * The life of a running vCPU: prepare, enter, see why it came back, let the right file deal with it.
 * From: vmx/run/sched.c (it is this vCPU's turn).   To: vmx/enter.asm, and by the exit table to exit_*.c.
 * Spec: SDM "VM Entries", "VM Exits", Appendix C "VMX Basic Exit Reasons".
 *
 * The way from exit to entry is short on purpose: a few comparisons say that nothing waits, and the
 * guest goes on. All that is not for every exit stands in attend().
 */
#include "vmx/run/run.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/enter.h"
#include "vmx/ept_flush.h"
#include "vmx/exit/exit.h"
#include "vmx/run/post.h"
#include "vmx/run/sched.h"
#include "vmx/show/show.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vmcs.h"
#include "arch/panic.h"
#include "arch/time.h"
#include "arch/trace.h"
#include "arch/x86.h"
#define LOG "vmx"
#include "arch/log.h"

static enum exit_action exit_triple_fault(struct vcpu *v)
{
    vcpu_on_crash(v, "triple fault");
    return STOP_VM;
}

/* A vCPU that gives its CPU away; attend() ends it when there is something to do. */
static enum exit_action exit_hlt(struct vcpu *v)
{
    v->halted = true;
    v->halted_masked = !(vmread(GUEST_RFLAGS) & RFLAGS_IF);
    return v->halted_masked ? vcpu_on_dead_halt(v) : RESUME_NEXT;
}

/* An instruction that the CPU we show does not have. */
static enum exit_action exit_undefined(struct vcpu *v)
{
    vcpu_inject(v, VECTOR_UD);
    return RESUME_SAME;
}

/* No performance counters: every index is one too many. */
static enum exit_action exit_rdpmc(struct vcpu *v)
{
    vcpu_inject_error(v, VECTOR_GP, 0);
    return RESUME_SAME;
}

/* INVD would throw away what others have in the caches. They are coherent: nothing is as good. */
static enum exit_action exit_nothing(struct vcpu *v)
{
    (void)v;
    return RESUME_NEXT;
}

/* attend() looks at the clock. */
static enum exit_action exit_preemption_timer(struct vcpu *v)
{
    v->armed_deadline = UINT64_MAX;
    return RESUME_SAME;
}

static enum exit_action exit_task_switch(struct vcpu *v)
{
    vcpu_on_crash(v, "task switch: not supported in a guest");
    return STOP_VM;
}

/* The machine's, like an NMI; with a unit that does not block it, a device's. The exit has used it up. */
static enum exit_action exit_init_signal(struct vcpu *v)
{
    log_guest(&v->log_budget, "an INIT that nobody here has sent: ignored");
    return RESUME_SAME;
}

static enum exit_action exit_our_bug(struct vcpu *v)
{
    panic("%s at gpa=0x%llx", exit_reason_name(v->exit.reason),
          (unsigned long long)vmread(GUEST_PHYSICAL_ADDRESS));
}

/* A row is a name and a handler; no handler: this must not happen. The third column: the exit may
 * come while an event is being delivered, which then has to be delivered again. */
static const struct exit_row {
    const char *name;
    enum exit_action (*handle)(struct vcpu *);
    bool during_event;
} exit_table[EXIT_REASON_COUNT] = {
    [EXIT_EXCEPTION_NMI] = {"exception or NMI", exit_exception_nmi, true},
    [EXIT_EXTERNAL_INTERRUPT] = {"external interrupt", exit_external_interrupt, false},
    [EXIT_TRIPLE_FAULT] = {"triple fault", exit_triple_fault, false},
    [EXIT_INIT] = {"INIT signal", exit_init_signal, false},
    [EXIT_SIPI] = {"start-up IPI", NULL, false},
    [EXIT_INTERRUPT_WINDOW] = {"interrupt window", exit_interrupt_window, false},
    [EXIT_NMI_WINDOW] = {"NMI window", exit_nmi_window, false},
    [EXIT_TASK_SWITCH] = {"task switch", exit_task_switch, false},
    [EXIT_CPUID] = {"CPUID", exit_cpuid, false},
    [EXIT_GETSEC] = {"GETSEC", exit_undefined, false},
    [EXIT_HLT] = {"HLT", exit_hlt, false},
    [EXIT_INVD] = {"INVD", exit_nothing, false},
    [EXIT_INVLPG] = {"INVLPG", NULL, false},
    [EXIT_RDPMC] = {"RDPMC", exit_rdpmc, false},
    [EXIT_RDTSC] = {"RDTSC", NULL, false},
    [EXIT_RSM] = {"RSM", NULL, false},
    [EXIT_VMCALL] = {"VMCALL", vcpu_on_vmcall, false},
    [EXIT_VMCLEAR] = {"VMCLEAR", exit_undefined, false},
    [EXIT_VMLAUNCH] = {"VMLAUNCH", exit_undefined, false},
    [EXIT_VMPTRLD] = {"VMPTRLD", exit_undefined, false},
    [EXIT_VMPTRST] = {"VMPTRST", exit_undefined, false},
    [EXIT_VMREAD] = {"VMREAD", exit_undefined, false},
    [EXIT_VMRESUME] = {"VMRESUME", exit_undefined, false},
    [EXIT_VMWRITE] = {"VMWRITE", exit_undefined, false},
    [EXIT_VMXOFF] = {"VMXOFF", exit_undefined, false},
    [EXIT_VMXON] = {"VMXON", exit_undefined, false},
    [EXIT_CR_ACCESS] = {"control-register access", exit_cr_access, false},
    [EXIT_MOV_DR] = {"MOV DR", debug_mov_dr, false},
    [EXIT_IO_INSTRUCTION] = {"I/O instruction", exit_io_instruction, false},
    [EXIT_RDMSR] = {"RDMSR", exit_rdmsr, false},
    [EXIT_WRMSR] = {"WRMSR", exit_wrmsr, false},
    [EXIT_ENTRY_GUEST_STATE] = {"VM-entry failure: invalid guest state", NULL, false},
    [EXIT_ENTRY_MSR_LOADING] = {"VM-entry failure: MSR loading", NULL, false},
    [EXIT_MWAIT] = {"MWAIT", exit_undefined, false},
    [EXIT_MONITOR_TRAP] = {"monitor trap flag", debug_step, false},
    [EXIT_MONITOR] = {"MONITOR", exit_undefined, false},
    [EXIT_PAUSE] = {"PAUSE", NULL, false},
    [EXIT_ENTRY_MACHINE_CHECK] = {"VM-entry failure: machine-check event", NULL, false},
    [EXIT_TPR_BELOW_THRESHOLD] = {"TPR below threshold", NULL, false},
    [EXIT_APIC_ACCESS] = {"APIC access", exit_apic_access, true},
    [EXIT_VIRTUALIZED_EOI] = {"virtualized EOI", exit_virtualized_eoi, false},
    [EXIT_GDTR_IDTR] = {"access to GDTR or IDTR", NULL, false},
    [EXIT_LDTR_TR] = {"access to LDTR or TR", NULL, false},
    [EXIT_EPT_VIOLATION] = {"EPT violation", exit_ept_violation, true},
    [EXIT_EPT_MISCONFIG] = {"EPT misconfiguration", exit_our_bug, false},
    [EXIT_INVEPT] = {"INVEPT", exit_undefined, false},
    [EXIT_RDTSCP] = {"RDTSCP", NULL, false},
    [EXIT_PREEMPTION_TIMER] = {"VMX-preemption timer expired", exit_preemption_timer, false},
    [EXIT_INVVPID] = {"INVVPID", exit_undefined, false},
    [EXIT_WBINVD] = {"WBINVD", exit_nothing, false},
    [EXIT_XSETBV] = {"XSETBV", exit_xsetbv, false},
    [EXIT_APIC_WRITE] = {"APIC write", exit_apic_write, false},
    [EXIT_RDRAND] = {"RDRAND", NULL, false},
    [EXIT_INVPCID] = {"INVPCID", NULL, false},
    [EXIT_VMFUNC] = {"VMFUNC", exit_undefined, false},
    [EXIT_ENCLS] = {"ENCLS", exit_undefined, false},
    [EXIT_RDSEED] = {"RDSEED", NULL, false},
    [EXIT_PML_FULL] = {"page-modification log full", NULL, false},
    [EXIT_XSAVES] = {"XSAVES", exit_undefined, false},
    [EXIT_XRSTORS] = {"XRSTORS", exit_undefined, false},
    [EXIT_SPP] = {"SPP-related event", NULL, false},
    [EXIT_UMWAIT] = {"UMWAIT", NULL, false},
    [EXIT_TPAUSE] = {"TPAUSE", NULL, false},
    [EXIT_LOADIWKEY] = {"LOADIWKEY", NULL, false},
    [EXIT_BUS_LOCK] = {"bus-lock assertion", NULL, false},
    [EXIT_NOTIFY] = {"notify VM exit", NULL, false},
};

const char *exit_reason_name(uint32_t reason)
{
    const char *name = reason < EXIT_REASON_COUNT ? exit_table[reason].name : NULL;
    return name ? name : "unknown";
}

/* The only "RIP += length". It also ends the blocking by STI and MOV SS, and arms the single-step trap. */
static void advance_rip(void)
{
    vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(VM_EXIT_INSTRUCTION_LENGTH));
    uint64_t blocked = vmread(GUEST_INTERRUPTIBILITY);
    if (blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS))
        vmwrite(GUEST_INTERRUPTIBILITY, blocked & ~(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
    if (vmread(GUEST_RFLAGS) & RFLAGS_TF)
        vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

/* SDM "VM-Entry Failures During or After Loading Guest State": the guest's registers do not go
 * together. A guest may bring that about, so it is its VM that ends. */
static enum exit_action entry_failed(struct vcpu *v)
{
    const char *rule = v->exit.reason == EXIT_ENTRY_GUEST_STATE ? entry_check_guest() : "";
    log_error("%s, qualification=0x%llx%s%s", exit_reason_name(v->exit.reason),
              (unsigned long long)vmread(EXIT_QUALIFICATION), *rule ? ": " : "", rule);
    vcpu_dump(v);
    vcpu_on_crash(v, *rule ? rule : exit_reason_name(v->exit.reason));
    return STOP_VM;
}

static __attribute__((cold)) enum exit_action exit_unexpected(struct vcpu *v, uint32_t reason)
{
    v->exit.reason = reason & EXIT_REASON_BASIC;
    v->exit.qualification = vmread(EXIT_QUALIFICATION);
    if (reason & EXIT_REASON_ENTRY_FAILURE)
        return entry_failed(v);
    vcpu_dump(v);
    vcpu_on_crash(v, exit_reason_name(v->exit.reason));
    return STOP_VM;
}

static enum exit_action dispatch(struct vcpu *v)
{
    uint32_t reason = (uint32_t)vmread(EXIT_REASON);
    if (__builtin_expect(reason >= EXIT_REASON_COUNT, 0) || !exit_table[reason].handle)
        return exit_unexpected(v, reason);
    const struct exit_row *row = &exit_table[reason];
    v->exit.reason = reason;
    v->exit.reasons = v->exit.reasons << 8 | reason;
    v->exit_count[reason]++;
    if (row->during_event)
        inject_again(v);
    return row->handle(v);
}

/* Nothing of this is in the VMCS's power: the controls or the host state are wrong, and both are ours. */
static __attribute__((cold, noreturn)) void entry_refused(struct vcpu *v)
{
    panic("VM entry of vcpu=%u refused: %s", v->index,
          vm_instruction_error((uint32_t)vmread(VM_INSTRUCTION_ERROR)));
}

/* --- Before an entry --------------------------------------------------------------------------- */

/* Requests that keep v from entering; -1: none does. */
static int attend_requests(struct vcpu *v)
{
    uint32_t requests = atomic_load(&v->requests);
    if (requests & VCPU_REQUEST_STOP)
        return LEFT_STOPPED;
    if (requests & VCPU_REQUEST_INIT) {
        vcpu_reset(v);
        apic_on_init(v);
        return LEFT_WAIT_SIPI;
    }
    if (requests & VCPU_REQUEST_SIPI) {
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SIPI);
        vcpu_start_at_sipi(v->sipi_vector);
    }
    if (requests & VCPU_REQUEST_RELOAD) {
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_RELOAD);
        apicv_reload(v);
    }
    if (requests & VCPU_REQUEST_SHARE) {
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SHARE);
        v->slice_end = MIN(v->slice_end, sched_deadline(SCHED_SLICE_US));
    }
    return -1;
}

static uint64_t alarm_of(const struct vcpu *v)
{
    return v->timer_deadline ? MIN(v->slice_end, v->timer_deadline) : v->slice_end;
}

/* The timer counts in the guest only, so it never comes early; alarm_is_due() makes up for the time
 * that exits took. */
static void timer_arm(struct vcpu *v, uint64_t now)
{
    uint64_t alarm = alarm_of(v);
    uint64_t ticks = alarm > now ? ((alarm - now) >> vmx_caps.timer_shift) + 1 : 0;
    vmwrite(PREEMPTION_TIMER_VALUE, MIN(ticks, (uint64_t)UINT32_MAX));
    v->armed_deadline = v->timer_deadline;
}

static bool alarm_is_due(const struct vcpu *v) { return rdtsc() >= alarm_of(v); }

/* -1: enter. Otherwise why v leaves the CPU. */
static int attend(struct vcpu *v)
{
    int left = attend_requests(v);
    if (left >= 0)
        return left;
    uint64_t now = rdtsc();
    if (v->timer_deadline && now >= v->timer_deadline)
        apic_on_timer(v);
    if (now >= v->slice_end)
        return LEFT_PREEMPTED;
    apicv_fold(v);
    if (v->halted) {
        if (!inject_wakes(v))
            return LEFT_HALTED;
        v->halted = v->halted_masked = false;
    }
    inject_pending(v);
    timer_arm(v, now);
    return -1;
}

static inline bool has_something(const struct vcpu *v)
{
    uint64_t some = atomic_load(&v->requests) | v->event | v->halted | v->irq_waits |
                    (atomic_load(&v->pi_desc->control) & PI_ON);
    return some || v->armed_deadline != v->timer_deadline || alarm_is_due(v);
}

static __attribute__((noinline)) void trace_exit(struct vcpu *v)
{
    struct trace_event *e = trace_slot(this_cpu());
    e->tsc = rdtsc();
    e->head = TRACE_HEAD(TRACE_EXIT, v->trace_id, vmread(EXIT_REASON), 0);
    e->b = vmread(GUEST_RIP);
    e->c = vmread(EXIT_QUALIFICATION);
    v->exit.traced = e;
}

/* The same event learns what it cost, unless v has left the CPU since: see vcpu_run(). */
static __attribute__((noinline)) void trace_entry(struct vcpu *v)
{
    struct trace_event *e = v->exit.traced;
    if (e)
        e->head |= (rdtsc() - e->tsc) << 32;
}

enum vcpu_left vcpu_run(struct vcpu *v)
{
    struct vmx_cpu *cpu = this_vmx_cpu();
    v->armed_deadline = UINT64_MAX; /* a new slice: attend() before the first entry */
    v->exit.traced = NULL;
    for (;;) {
        if (has_something(v)) {
            int left = attend(v);
            if (left >= 0)
                return (enum vcpu_left)left;
        }
        ept_flush_before_entry(cpu, v->ept, &v->ept_generation);
        if (__builtin_expect(trace_on, 0))
            trace_entry(v);
        int failed = vmx_enter(v);
        ept_out_of_guest(cpu);
        if (__builtin_expect(failed, 0))
            entry_refused(v);
        v->launched = true;
        if (__builtin_expect(trace_on, 0))
            trace_exit(v);
        switch (dispatch(v)) {
        case RESUME_NEXT:
            advance_rip();
            if (__builtin_expect(v->proc & PROC_MONITOR_TRAP, 0) && debug_step(v) == STOP_VM)
                return LEFT_STOPPED; /* it was done for the guest: no trap comes of it */
            break;
        case RESUME_SAME:
            break;
        case STOP_VM:
            return LEFT_STOPPED;
        }
    }
}
