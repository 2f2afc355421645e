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
 * While the debugger has the debug registers, the guest's MOV DR exits and reaches a copy.
 * The guest reads what it has written, but its own breakpoints do not work until it has
 * its registers back.
 */
#include "vmx/vcpu/debug.h"
#include "vmx/caps.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/x86.h"
#include "lib/string.h"

#define DR6            4 /* its index in v->debug.dr and v->debug_registers */
#define DR7            5 /* its index in v->debug.dr */
#define DR6_ONES       (BITS(31, 16) | BITS(11, 4))
#define DR6_ZEROS      BIT(12)
#define DR7_ONES       BIT(10)
#define DR7_ZEROS      (BITS(15, 14) | BIT(12))
#define PENDING_BREAKS (DR6_BREAKS | BIT(12)) /* SDM "Guest Non-Register State" */

/* --- Arming ----------------------------------------------------------------------------------- */

static void lend_registers(struct vcpu *v, const struct vcpu_debug *want)
{
    memcpy(v->debug.dr, v->debug_registers, sizeof(v->debug_registers));
    v->debug.dr[DR7] = vmread(GUEST_DR7);
    memcpy(v->debug_registers, want->dr, sizeof(want->dr));
    v->debug_registers[DR6] = DR6_ONES;
    vmwrite(GUEST_DR7, want->dr7 | DR7_ONES);
    v->debug.lent = true;
}

int vcpu_debug_arm(struct vcpu *v, const struct vcpu_debug *want)
{
    uint32_t proc =
        (uint32_t)((want->step ? PROC_MONITOR_TRAP : 0) | (want->dr7 ? PROC_MOV_DR : 0));
    if (!caps_proc_may_be_1(proc))
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
    vcpu_set_proc(v, v->proc | proc);
    vcpu_return(v);
    return 0;
}

void vcpu_debug_disarm(struct vcpu *v)
{
    vcpu_borrow(v);
    vmwrite(EXCEPTION_BITMAP, vmread(EXCEPTION_BITMAP) & ~BIT(VECTOR_BP));
    if (v->debug.lent) {
        memcpy(v->debug_registers, v->debug.dr, sizeof(v->debug_registers));
        vmwrite(GUEST_DR7, v->debug.dr[DR7]);
        vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) & ~PENDING_BREAKS);
        v->debug.lent = false;
    }
    v->debug.stepping = false;
    vcpu_set_proc(v,
                  v->proc & ~(uint32_t)(PROC_MOV_DR | (v->debug.delivery ? 0 : PROC_MONITOR_TRAP)));
    vcpu_return(v);
}

void debug_write_dr7(struct vcpu *v, uint64_t value)
{
    if (v->debug.lent)
        v->debug.dr[DR7] = value;
    else
        vmwrite(GUEST_DR7, value);
}

void debug_reset(struct vcpu *v)
{
    uint64_t *dr = v->debug.lent ? v->debug.dr : v->debug_registers;
    memset(dr, 0, sizeof(v->debug_registers));
    dr[DR6] = DR6_ONES;
    debug_write_dr7(v, DR7_ONES);
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
    uint64_t dr6 = v->debug.dr[DR6];
    if (!v->debug.lent)
        asm volatile("mov %%dr6, %0" : "=r"(dr6));
    dr6 = ((dr6 & ~DR6_BREAKS) | triggers) ^ (triggers & DR6_RTM);
    if (!v->debug.lent)
        asm volatile("mov %0, %%dr6" ::"r"(dr6));
    v->debug.dr[DR6] = dr6;
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
    debug_write_dr7(v, (v->debug.lent ? v->debug.dr[DR7] : vmread(GUEST_DR7)) & ~DR7_GD);
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

static enum exit_action mov_to_dr(struct vcpu *v, unsigned n, uint64_t value)
{
    if (n >= DR6 && HI32(value))
        return inject_gp(v);
    if (n == DR6)
        value = (value | DR6_ONES) & ~DR6_ZEROS;
    if (n == DR7)
        value = (value | DR7_ONES) & ~DR7_ZEROS;
    v->debug.dr[n] = value;
    return RESUME_NEXT;
}

/* Only while the registers are lent. The exit comes before the CPU's checks, so they are here. */
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
