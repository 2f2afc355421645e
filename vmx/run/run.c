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
#include "vmx/reasons.h"
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

/* A reason without a row must not happen. The names of the reasons: vmx/vmx_bits.h. */
static enum exit_action (*const exit_table[EXIT_REASON_COUNT])(struct vcpu *) = {
    [EXIT_EXCEPTION_NMI] = exit_exception_nmi,
    [EXIT_EXTERNAL_INTERRUPT] = exit_external_interrupt,
    [EXIT_TRIPLE_FAULT] = exit_triple_fault,
    [EXIT_INIT] = exit_init_signal,
    [EXIT_INTERRUPT_WINDOW] = exit_interrupt_window,
    [EXIT_NMI_WINDOW] = exit_nmi_window,
    [EXIT_TASK_SWITCH] = exit_task_switch,
    [EXIT_CPUID] = exit_cpuid,
    [EXIT_GETSEC] = exit_undefined,
    [EXIT_HLT] = exit_hlt,
    [EXIT_INVD] = exit_nothing,
    [EXIT_RDPMC] = exit_rdpmc,
    [EXIT_VMCALL] = vcpu_on_vmcall,
    [EXIT_VMCLEAR] = exit_undefined,
    [EXIT_VMLAUNCH] = exit_undefined,
    [EXIT_VMPTRLD] = exit_undefined,
    [EXIT_VMPTRST] = exit_undefined,
    [EXIT_VMREAD] = exit_undefined,
    [EXIT_VMRESUME] = exit_undefined,
    [EXIT_VMWRITE] = exit_undefined,
    [EXIT_VMXOFF] = exit_undefined,
    [EXIT_VMXON] = exit_undefined,
    [EXIT_CR_ACCESS] = exit_cr_access,
    [EXIT_MOV_DR] = debug_mov_dr,
    [EXIT_IO_INSTRUCTION] = exit_io_instruction,
    [EXIT_RDMSR] = exit_rdmsr,
    [EXIT_WRMSR] = exit_wrmsr,
    [EXIT_MWAIT] = exit_undefined,
    [EXIT_MONITOR_TRAP] = debug_step,
    [EXIT_MONITOR] = exit_undefined,
    [EXIT_APIC_ACCESS] = exit_apic_access,
    [EXIT_VIRTUALIZED_EOI] = exit_virtualized_eoi,
    [EXIT_EPT_VIOLATION] = exit_ept_violation,
    [EXIT_EPT_MISCONFIG] = exit_our_bug,
    [EXIT_INVEPT] = exit_undefined,
    [EXIT_PREEMPTION_TIMER] = exit_preemption_timer,
    [EXIT_INVVPID] = exit_undefined,
    [EXIT_WBINVD] = exit_nothing,
    [EXIT_XSETBV] = exit_xsetbv,
    [EXIT_APIC_WRITE] = exit_apic_write,
    [EXIT_VMFUNC] = exit_undefined,
    [EXIT_ENCLS] = exit_undefined,
    [EXIT_XSAVES] = exit_undefined,
    [EXIT_XRSTORS] = exit_undefined,
};

/* These may come while an event is being delivered, which then has to be delivered again. */
static bool may_come_during_event(uint32_t reason)
{
    return reason == EXIT_EXCEPTION_NMI || reason == EXIT_APIC_ACCESS ||
           reason == EXIT_EPT_VIOLATION;
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
    if (__builtin_expect(reason >= EXIT_REASON_COUNT, 0) || !exit_table[reason])
        return exit_unexpected(v, reason);
    v->exit.reason = reason;
    v->exit.reasons = v->exit.reasons << 8 | reason;
    v->exit_count[reason]++;
    if (may_come_during_event(reason))
        inject_again(v);
    return exit_table[reason](v);
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
