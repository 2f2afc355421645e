/* SPDX-License-Identifier: MIT */
/*
 * A vCPU under a debugger: one instruction at a time, INT3, and the four debug registers. The vCPU
 * is armed before it goes on and disarmed after it has stopped, so the registers of a stopped vCPU
 * are always the guest's own.
 * From: guest/life/step.c, monitor/gdb/target.c (vcpu_debug_arm), vmx/run/run.c
 * and vmx/exit/intr.c (exits).
 * To: guest/life/control.c (vcpu_on_debug), guest/life/step.c (vcpu_on_step).
 * Spec: SDM "Debug Registers", "Monitor Trap Flag", "Exit Qualification for Debug Exceptions",
 * "Exit Qualification for MOV DR", "MOV-Move to/from Debug Registers".
 *
 * The guest's MOV DR exits and reaches v->debug.dr. A kernel executes it rarely, and so a switch of
 * vCPUs pays nothing for debug registers: DR0-DR3 are in the CPU while GUEST_DR7 has a breakpoint
 * on, and DR6 never, since #DB exits. While a debugger has the CPU's registers, the guest reads
 * what it has written, but its own breakpoints do not work until the debugger gives them back.
 */
#include "vmx/vcpu/debug.h"
#include "vmx/caps.h"
#include "vmx/vcpu/advance.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/load.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/x86.h"
#include "lib/string.h"

#define DR6            4 /* its index in v->debug.dr */
#define DR7            5 /* its index in v->debug.dr */
#define DR6_ONES       (BITS(31, 16) | BITS(11, 4))
#define DR6_ZEROS      BIT(12)
#define DR7_ONES       BIT(10)
#define DR7_ZEROS      (BITS(15, 14) | BIT(12))
#define DR7_BREAKS     BITS(7, 0)             /* any breakpoint on */
#define PENDING_BREAKS (DR6_BREAKS | BIT(12)) /* SDM "Guest Non-Register State" */

/* --- Whose registers the CPU has -------------------------------------------------------------- */

static void use(struct vcpu *v, const uint64_t address[4], uint64_t dr7)
{
    vmwrite(GUEST_DR7, dr7);
    v->debug.in_cpu = dr7 & DR7_BREAKS ? address : NULL;
    load_extra(v, LOAD_BREAKPOINTS, v->debug.in_cpu);
}

/* GD has nothing to do in the CPU, as each MOV DR exits. */
static void use_own(struct vcpu *v)
{
    if (!v->debug.lent)
        use(v, v->debug.dr, v->debug.dr[DR7] & ~DR7_GD);
}

static void lend_registers(struct vcpu *v, const struct vcpu_debug *want)
{
    memcpy(v->debug.theirs, want->dr, sizeof(want->dr));
    use(v, v->debug.theirs, want->dr7 | DR7_ONES);
    v->debug.lent = true;
}

/* --- Arming ----------------------------------------------------------------------------------- */

int vcpu_debug_arm(struct vcpu *v, const struct vcpu_debug *want)
{
    if (want->step && !caps_proc_may_be_1(PROC_MONITOR_TRAP))
        return -ENODEV;
    vcpu_borrow(v);
    if (want->int3)
        vmwrite(EXCEPTION_BITMAP, vmread(EXCEPTION_BITMAP) | BIT(VECTOR_BP));
    if (want->dr7)
        lend_registers(v, want);
    /* A step ends at the next instruction, not in the handler of an interrupt that waits: block
     * interrupts as STI does, if SDM "Checks on Guest Non-Register State" allows it. Under the
     * guest's own single step the check wants its trap to be pending already. */
    uint64_t blocked = vmread(GUEST_INTERRUPTIBILITY), rflags = vmread(GUEST_RFLAGS);
    if (want->step && !v->event && (rflags & RFLAGS_IF) && !(rflags & RFLAGS_TF) &&
        !(blocked & BLOCKED_BY_MOV_SS))
        vmwrite(GUEST_INTERRUPTIBILITY, blocked | BLOCKED_BY_STI);
    v->debug.stepping = want->step;
    if (want->step)
        vcpu_set_proc(v, v->proc | PROC_MONITOR_TRAP);
    vcpu_return(v);
    return 0;
}

void vcpu_debug_disarm(struct vcpu *v)
{
    vcpu_borrow(v);
    vmwrite(EXCEPTION_BITMAP, vmread(EXCEPTION_BITMAP) & ~BIT(VECTOR_BP));
    if (v->debug.lent) {
        v->debug.lent = false;
        use_own(v);
        vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) & ~PENDING_BREAKS);
    }
    v->debug.stepping = false;
    if (!v->debug.delivery)
        vcpu_set_proc(v, v->proc & ~(uint32_t)PROC_MONITOR_TRAP);
    vcpu_return(v);
}

void debug_dr7_clear(struct vcpu *v, uint64_t bits)
{
    v->debug.dr[DR7] &= ~bits;
    use_own(v);
}

void debug_reset(struct vcpu *v)
{
    memset(v->debug.dr, 0, sizeof(v->debug.dr));
    v->debug.dr[DR6] = DR6_ONES;
    v->debug.dr[DR7] = DR7_ONES;
    use_own(v);
}

/* --- Exits ------------------------------------------------------------------------------------ */

/* The first of the debugger's registers that triggered; -1: none. DR7 decides, because the CPU may
 * also set the bit of a register that is off. */
static int hit_of(const struct vcpu *v, uint64_t triggers)
{
    uint64_t dr7 = vmread(GUEST_DR7);
    for (int n = 0; v->debug.lent && n < 4; n++)
        if ((triggers & BIT(n)) && (dr7 & DR7_LOCAL(n)))
            return n;
    return -1;
}

static void update_dr6(struct vcpu *v, uint64_t triggers)
{
    uint64_t dr6 = v->debug.dr[DR6] & ~DR6_BREAKS;
    v->debug.dr[DR6] = (dr6 | triggers) ^ (triggers & DR6_RTM);
}

/* The exit has cleared the pending debug exceptions. SDM "Checks on Guest Non-Register State" wants
 * BS there, if the #DB came under blocking by STI or MOV SS while the guest single-steps. (BTF is
 * always 0.) The injected #DB discards it again. */
static void keep_step_pending(void)
{
    if ((vmread(GUEST_RFLAGS) & RFLAGS_TF) &&
        (vmread(GUEST_INTERRUPTIBILITY) & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)))
        vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

/* A #DB that exits has changed neither DR6 nor DR7, so both are changed here. INT1 has no cause
 * that DR6 knows. */
enum exit_action debug_exception(struct vcpu *v, uint32_t info)
{
    bool int1 = FIELD_GET(EVENT_TYPE, info) != EVENT_EXCEPTION;
    uint64_t triggers = vmread(EXIT_QUALIFICATION) & QUAL_DB_TRIGGERS;
    enum exit_action action = RESUME_SAME;
    if (v->debug.lent) {
        int hit = hit_of(v, triggers);
        if (hit >= 0)
            action = vcpu_on_debug(v, DEBUG_REGISTER, (unsigned)hit);
        triggers &= ~DR6_BREAKS;
        if (!triggers && !int1) /* otherwise the guest was single-stepping too */
            return action;
    }
    if (!int1)
        update_dr6(v, triggers);
    keep_step_pending();
    debug_dr7_clear(v, DR7_GD);
    inject_pass_on(v, info);
    return action;
}

enum exit_action debug_int3(struct vcpu *v, uint32_t info)
{
    if (vcpu_on_debug(v, DEBUG_INT3, 0) == STOP_VM)
        return STOP_VM;
    inject_pass_on(v, info);
    return RESUME_SAME;
}

/* SDM "Monitor Trap Flag": after the injection of an event the trap comes at once. */
bool vcpu_tell_delivery(struct vcpu *v)
{
    v->debug.delivery = caps_proc_may_be_1(PROC_MONITOR_TRAP);
    if (v->debug.delivery)
        vcpu_set_proc(v, v->proc | PROC_MONITOR_TRAP);
    return v->debug.delivery;
}

/* The monitor trap comes before a #DB: a data breakpoint that was hit is still pending. */
enum exit_action debug_step(struct vcpu *v)
{
    if (v->debug.delivery) {
        v->debug.delivery = false;
        vcpu_on_delivered(v);
        if (!v->debug.stepping) {
            vcpu_set_proc(v, v->proc & ~(uint32_t)PROC_MONITOR_TRAP);
            return RESUME_SAME;
        }
    }
    int hit = hit_of(v, vmread(GUEST_PENDING_DEBUG));
    return hit >= 0 ? vcpu_on_debug(v, DEBUG_REGISTER, (unsigned)hit) : vcpu_on_step(v);
}

/* The operand: as in mov_to() of vmx/exit/cr.c. */
static enum exit_action mov_to_dr(struct vcpu *v, unsigned n, uint64_t value)
{
    if (!vcpu_has_64_bit_code())
        value = LO32(value);
    if (n >= DR6 && HI32(value))
        return inject_gp(v);
    if (n == DR6)
        value = (value | DR6_ONES) & ~DR6_ZEROS;
    if (n == DR7)
        value = (value | DR7_ONES) & ~DR7_ZEROS;
    v->debug.dr[n] = value;
    use_own(v);
    if (v->debug.in_cpu)
        registers_breakpoints(v);
    return RESUME_NEXT;
}

/* The exit comes before the CPU's checks, so they are here. */
enum exit_action debug_mov_dr(struct vcpu *v)
{
    uint64_t qualification = vmread(EXIT_QUALIFICATION);
    unsigned n = (unsigned)FIELD_GET(QUAL_DR_NUMBER, qualification);
    enum gpr r = (enum gpr)FIELD_GET(QUAL_DR_GPR, qualification);
    if ((n == 4 || n == 5) && (cr4_guest_view() & CR4_DE))
        return inject_ud(v);
    if (vcpu_cpl() != 0)
        return inject_gp(v);
    if (v->debug.dr[DR7] & DR7_GD) {
        v->debug.dr[DR7] &= ~DR7_GD;
        v->debug.dr[DR6] |= DR6_BD;
        vcpu_inject(v, VECTOR_DB);
        return RESUME_SAME;
    }
    n = n < 4 ? n : DR6 + (n & 1); /* DR4 means DR6, and DR5 means DR7 */
    if (!(qualification & QUAL_DR_FROM))
        return mov_to_dr(v, n, vcpu_gpr(v, r));
    vcpu_set_gpr(v, r, v->debug.dr[n]);
    return RESUME_NEXT;
}
