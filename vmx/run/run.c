/* SPDX-License-Identifier: MIT */
/*
 * The life of a running vCPU: prepare the entry, enter, dispatch the exit to its handler.
 * From: vmx/run/sched.c (vcpu_run).
 * To: vmx/enter.asm (vmx_enter), and by exit_table vmx/exit/io.c, vmx/exit/cr.c, vmx/exit/ept.c,
 * vmx/exit/cpuid.c, vmx/exit/msr.c and vmx/exit/intr.c.
 * Hot: the loop around every exit.
 * Spec: SDM "VM Entries", "VM Exits", Appendix C "VMX Basic Exit Reasons".
 *
 * The way from exit to entry is short on purpose. One comparison, of the clock with the alarm,
 * finds that nothing waits, and the guest goes on. All work that is not due at every exit stands in
 * attend(), and whatever makes some sets the alarm to 0:
 * - what this CPU does for the vCPU in an exit does it directly: vcpu_request(), vcpu_inject(), ...
 * - another CPU sets a request and then kicks this one; the kick's handler sets the alarm
 * - a notification of the descriptor waits in the local APIC while the CPU is out of the guest. The
 *   next entry takes it, as the CPU's posted-interrupt processing, or as an exit, which folds.
 */
#include "vmx/run/run.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/enter.h"
#include "vmx/ept_flush.h"
#include "vmx/exit/exit.h"
#include "vmx/reasons.h"
#include "vmx/show/show.h"
#include "vmx/vcpu/advance.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vmcs.h"
#include "arch/panic.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "arch/x86.h"
#include "lib/hypercall.h"
#define LOG "vmx"
#include "arch/log.h"

static COLD enum exit_action exit_triple_fault(struct vcpu *v)
{
    vcpu_on_crash(v, "triple fault");
    return STOP_VM;
}

/* Only what is in the VMCS and in v is asked here. What is posted, or requested by another CPU, is
 * asked by to_halted() (vmx/run/sched.c), once v is on the wake list. attend() ends the HLT. */
static enum exit_action exit_hlt(struct vcpu *v)
{
    v->halted = true;
    v->halted_masked = !(vmread(GUEST_RFLAGS) & RFLAGS_IF);
    if (v->halted_masked && vcpu_on_dead_halt(v) == STOP_VM)
        return STOP_VM;
    if (inject_wakes(v)) {
        v->alarm = 0;
        return RESUME_NEXT;
    }
    vcpu_advance_rip();
    return SLEEP;
}

/* Outside of 64-bit mode bits 63:32 of a register hold anything. */
static COLD enum exit_action vmcall_of_32_bits(struct vcpu *v)
{
    return vcpu_on_vmcall(v, LO32(v->regs.gpr[RAX]), LO32(v->regs.gpr[RBX]));
}

/* VMCALL exits whatever the privilege level is. HC_NOTHING, which is 0, answers 0: it measures just
 * this way. */
static enum exit_action exit_vmcall(struct vcpu *v)
{
    if (vmread(GUEST_SS_ACCESS_RIGHTS) & SEG_AR_DPL)
        return inject_ud(v);
    if (v->regs.gpr[RAX] == HC_NOTHING)
        return RESUME_NEXT;
    if (!vcpu_has_64_bit_code())
        return vmcall_of_32_bits(v);
    return vcpu_on_vmcall(v, v->regs.gpr[RAX], v->regs.gpr[RBX]);
}

/* INVD and WBINVD. Other guests share the caches, which are coherent; INVD would destroy data. */
static enum exit_action exit_nothing(struct vcpu *v)
{
    (void)v;
    return RESUME_NEXT;
}

static inline bool is_notified(const struct vcpu *v)
{
    return atomic_load(&v->pi_desc->control) & PI_ON;
}

/* "Acknowledge interrupt on exit": the CPU has taken the vector out of the local APIC already, and
 * irq_dispatch() sends the EOI. What it brings for v, its handler does: vmx/run/sched.c on_kick(),
 * or a device's. */
static enum exit_action exit_external_interrupt(struct vcpu *v)
{
    (void)v;
    irq_dispatch((uint8_t)FIELD_GET(EVENT_VECTOR, vmread(VM_EXIT_INTERRUPTION_INFO)));
    return RESUME_SAME;
}

/* attend() compares the clock with the slice and the deadline, and arms the timer again. */
static enum exit_action exit_preemption_timer(struct vcpu *v)
{
    v->alarm = 0;
    return RESUME_SAME;
}

/* The INIT was meant for the host's CPU: the machine sent it, or a device, if its remapping unit
 * does not block such a message. The exit has consumed it. */
static COLD enum exit_action exit_init_signal(struct vcpu *v)
{
    log_guest(&v->log_budget, "an INIT that Hamlet has not sent: ignored");
    return RESUME_SAME;
}

/* A reason that no control asks for, or SDM "VM-Entry Failures During or After Loading Guest
 * State". A guest can bring its registers into a state that no entry accepts, so only its VM
 * ends. */
static COLD enum exit_action exit_unexpected(struct vcpu *v)
{
    uint32_t full = (uint32_t)vmread(EXIT_REASON), reason = full & (uint32_t)EXIT_REASON_BASIC;
    v->exit.reason = (uint8_t)reason;
    v->exit.qualification = vmread(EXIT_QUALIFICATION);
    const char *name = exit_reason_name(reason), *rule = "";
    if (full & EXIT_REASON_ENTRY_FAILURE) {
        if (reason == EXIT_ENTRY_MACHINE_CHECK) /* the host's, whatever the guest did */
            asm volatile("int $18" ::: "memory");
        if (reason == EXIT_ENTRY_GUEST_STATE)
            rule = entry_check_guest();
        log_error("%s, qualification=0x%lx%s%s", name, v->exit.qualification, *rule ? ": " : "",
                  rule);
    }
    vcpu_dump(v);
    vcpu_on_crash(v, *rule ? rule : name);
    return STOP_VM;
}

static COLD enum exit_action exit_our_bug(struct vcpu *v)
{
    panic("%s at gpa=0x%lx", exit_reason_name(v->exit.reason), vmread(GUEST_PHYSICAL_ADDRESS));
}

/* By basic exit reason (vmx/vmx_bits.h). A row with inject_ud is an instruction that the virtual
 * CPU does not have. RDPMC is #GP, because no counter exists. */
static enum exit_action (*const exit_table[EXIT_REASON_COUNT])(struct vcpu *) = {
    [EXIT_EXCEPTION_NMI] = exit_exception_nmi,
    [EXIT_EXTERNAL_INTERRUPT] = exit_external_interrupt,
    [EXIT_TRIPLE_FAULT] = exit_triple_fault,
    [EXIT_INIT] = exit_init_signal,
    [EXIT_INTERRUPT_WINDOW] = exit_window,
    [EXIT_NMI_WINDOW] = exit_window,
    [EXIT_TASK_SWITCH] = exit_task_switch,
    [EXIT_CPUID] = exit_cpuid,
    [EXIT_GETSEC] = inject_ud,
    [EXIT_HLT] = exit_hlt,
    [EXIT_INVD] = exit_nothing,
    [EXIT_RDPMC] = inject_gp,
    [EXIT_VMCALL] = exit_vmcall,
    [EXIT_VMCLEAR... EXIT_VMXON] = inject_ud, /* the nine VMX instructions */
    [EXIT_CR_ACCESS] = exit_cr_access,
    [EXIT_MOV_DR] = debug_mov_dr,
    [EXIT_IO_INSTRUCTION] = exit_io_instruction,
    [EXIT_RDMSR] = exit_rdmsr,
    [EXIT_WRMSR] = exit_wrmsr,
    [EXIT_MWAIT] = inject_ud,
    [EXIT_MONITOR_TRAP] = debug_step,
    [EXIT_MONITOR] = inject_ud,
    [EXIT_APIC_ACCESS] = exit_apic_access,
    [EXIT_VIRTUALIZED_EOI] = exit_virtualized_eoi,
    [EXIT_EPT_VIOLATION] = exit_ept_violation,
    [EXIT_EPT_MISCONFIG] = exit_our_bug,
    [EXIT_INVEPT] = inject_ud,
    [EXIT_PREEMPTION_TIMER] = exit_preemption_timer,
    [EXIT_INVVPID] = inject_ud,
    [EXIT_WBINVD] = exit_nothing,
    [EXIT_XSETBV] = exit_xsetbv,
    [EXIT_APIC_WRITE] = exit_apic_write,
    [EXIT_VMFUNC] = inject_ud,
    [EXIT_ENCLS] = inject_ud,
    [EXIT_XSAVES... EXIT_XRSTORS] = inject_ud,
    [EXIT_SEAMCALL... EXIT_TDCALL] = inject_ud, /* they exit whatever the controls are */
    /* No control asks for these. */
    [EXIT_SIPI... 6] = exit_unexpected,
    [EXIT_INVLPG] = exit_unexpected,
    [EXIT_RDTSC... EXIT_RSM] = exit_unexpected,
    [EXIT_ENTRY_GUEST_STATE... 35] = exit_unexpected,
    [38] = exit_unexpected,
    [EXIT_PAUSE... EXIT_TPR_BELOW_THRESHOLD] = exit_unexpected,
    [EXIT_GDTR_IDTR... EXIT_LDTR_TR] = exit_unexpected,
    [EXIT_RDTSCP] = exit_unexpected,
    [EXIT_RDRAND... EXIT_INVPCID] = exit_unexpected,
    [EXIT_RDSEED... EXIT_PML_FULL] = exit_unexpected,
    [65 ... EXIT_NOTIFY] = exit_unexpected,
    [78 ... EXIT_REASON_COUNT - 1] = exit_unexpected,
};

static enum exit_action dispatch(struct vcpu *v, uint64_t reason)
{
    v->exit.reasons <<= 8;
    v->exit.reason = (uint8_t)reason;
    if (__builtin_expect(reason >= EXIT_REASON_COUNT, 0)) /* too high, or an entry has failed */
        return exit_unexpected(v);
    v->exit_count[reason]++;
    return exit_table[reason](v);
}

/* --- Before an entry -------------------------------------------------------------------------- */

/* -1: v may enter. STOP and INIT stay set until v has left (vmx/run/sched.c); the other requests
 * are cleared before they are carried out, so that one that comes meanwhile counts again. */
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
    if (requests & VCPU_REQUEST_ADDRESS) { /* which may ask for a RELOAD */
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_ADDRESS);
        apic_on_address(v);
        requests = atomic_load(&v->requests);
    }
    if (requests & VCPU_REQUEST_FOLD) { /* a later post has a new request, or ON */
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_FOLD);
        apicv_fold(v);
    }
    if (requests & VCPU_REQUEST_RELOAD) {
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_RELOAD);
        apicv_reload(v);
        cpuid_reload(v);
        registers_reload(v);
    }
    if (requests & VCPU_REQUEST_SHARE) {
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SHARE);
        v->slice_end = MIN(v->slice_end, v->turn_end);
    }
    return -1;
}

/* An interrupt waits without APICv, where each exit may make it deliverable; or a request waits, or
 * has come since attend() has looked at them. KVM, as the hypervisor below, forgets a notification
 * if its guest's guest exits at that moment, so there ON is looked at before each entry. */
static bool is_always_due(const struct vcpu *v)
{
    return v->irq_waits | vmx_caps.nested | atomic_load(&v->requests);
}

/* The alarm is the end of the slice, or the time at which the local APIC's timer is due, if that is
 * sooner. The preemption timer counts in the guest only, so it is late by the time that exits took,
 * and never early: the clock is compared at each exit, too. */
static void alarm_set(struct vcpu *v, uint64_t now)
{
    uint64_t deadline = atomic_load(&v->timer_deadline);
    uint64_t alarm = deadline ? MIN(v->slice_end, deadline) : v->slice_end;
    uint64_t ticks = alarm > now ? ((alarm - now) >> vmx_caps.timer_shift) + 1 : 0;
    vmwrite(PREEMPTION_TIMER_VALUE, MIN(ticks, (uint64_t)UINT32_MAX));
    v->alarm = is_always_due(v) ? 0 : alarm;
}

/* -1: enter. Otherwise an enum vcpu_left: why v leaves the CPU. The timer comes first, because
 * it may request and post. PIR is folded before the question whether an event ends HLT. */
static inline int attend(struct vcpu *v, uint64_t now)
{
    if (v->timer_deadline && now >= v->timer_deadline)
        apic_on_timer(v);
    int left = atomic_load(&v->requests) ? attend_requests(v) : -1;
    if (left >= 0)
        return left;
    if (now >= v->slice_end)
        return LEFT_PREEMPTED;
    if (is_notified(v))
        apicv_fold(v);
    if (v->halted) {
        if (!inject_wakes(v))
            return LEFT_HALTED;
        v->halted = v->halted_masked = false;
    }
    inject_pending(v);
    alarm_set(v, now);
    return -1;
}

static inline bool alarm_rings(const struct vcpu *v, uint64_t now) { return now >= v->alarm; }

static __attribute__((noinline)) void trace_exit(struct vcpu *v)
{
    struct trace_event *e = trace_slot(this_cpu());
    e->tsc = rdtsc();
    e->head = TRACE_HEAD(TRACE_EXIT, v->trace_id, vmread(EXIT_REASON), 0);
    e->b = vmread(GUEST_RIP);
    e->c = vmread(EXIT_QUALIFICATION);
    v->exit.traced = e;
}

/* Add the cost of the last exit to its event; none is there if v has left the CPU since. */
static __attribute__((noinline)) void trace_entry(struct vcpu *v)
{
    struct trace_event *e = v->exit.traced;
    if (e)
        e->head |= (rdtsc() - e->tsc) << 32;
}

/* -1: the guest goes on. If Hamlet has done the instruction, no monitor trap comes of it. */
static __attribute__((noinline)) int leave_after(struct vcpu *v, enum exit_action action)
{
    if (action == STOP_VM)
        return LEFT_STOPPED;
    bool traps = (v->proc & PROC_MONITOR_TRAP) && action != RESUME_SAME;
    if (traps && debug_step(v) == STOP_VM)
        return LEFT_STOPPED;
    return action == SLEEP ? LEFT_HALTED : -1;
}

/* -1: the guest goes on. */
static inline int after_exit(struct vcpu *v, enum exit_action action)
{
    if (__builtin_expect(action == RESUME_NEXT, 1))
        vcpu_advance_rip();
    if (__builtin_expect(action >= STOP_VM || (v->proc & PROC_MONITOR_TRAP), 0))
        return leave_after(v, action);
    return -1;
}

/* `frame` is that of vcpu_run(), and each entry has the stack pointer as far away from it. So with
 * the frame of the last time HOST_RSP is right; with another one, vmx/enter.asm has to look. */
static inline void look_at_stack(struct vcpu *v, const void *frame)
{
    if (__builtin_expect(v->frame == frame, 1))
        return;
    v->frame = frame;
    v->launched |= LAUNCHED_ELSEWHERE;
}

enum vcpu_left vcpu_run(struct vcpu *v, uint64_t now)
{
    v->exit.traced = NULL;
    look_at_stack(v, __builtin_frame_address(0));
    for (;; now = rdtsc()) {
        int left = __builtin_expect(alarm_rings(v, now), 0) ? attend(v, now) : -1;
        if (left >= 0)
            return (enum vcpu_left)left;
        ept_flush_before_entry(v->ept, &v->ept_generation);
        if (__builtin_expect(trace_on, 0))
            trace_entry(v);
        v = vmx_enter(v);
        ept_out_of_guest();
        if (__builtin_expect(trace_on, 0))
            trace_exit(v);
        left = after_exit(v, dispatch(v, vmread(EXIT_REASON)));
        if (left >= 0)
            return (enum vcpu_left)left;
    }
}
