/* SPDX-License-Identifier: MIT */
/*
 * A step under a debugger, and a #DB that goes on to the guest: what they leave in the guest's
 * non-register state has to pass VM entry. The guest's debug registers, which only its breakpoints
 * bring into the CPU. The VMCS is an array here.
 * Spec: SDM "Checks on Guest Non-Register State", "Debug Exceptions", "Debug Registers".
 */
// sources: vmx/vcpu/debug.c
#include "tests/unit/stubs.h"
#include "vmx/vmcs.h"
#include <string.h>
#include "arch/x86.h"
#include "tests/unit/test.h"
#include "vmx/upcalls.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/load.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vcpu/vcpu.h"
#include "vmx/caps.h"

static uint64_t fields[0x7000];
static struct vcpu v;
static uint32_t passed_on;
static unsigned delivered, injected, loads;

uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value) { fields[field] = value; }
bool caps_proc_may_be_1(uint32_t bits) { return bits != 0; }
void vcpu_borrow(const struct vcpu *vcpu) { (void)vcpu; }
void vcpu_return(const struct vcpu *vcpu) { (void)vcpu; }
void vcpu_set_proc(struct vcpu *vcpu, uint32_t proc) { vcpu->proc = proc; }
void inject_pass_on(struct vcpu *vcpu, uint32_t info)
{
    (void)vcpu;
    passed_on = info;
}
void vcpu_inject(struct vcpu *vcpu, uint8_t vector)
{
    (void)vcpu;
    injected = vector;
}
enum exit_action inject_gp(struct vcpu *vcpu)
{
    vcpu_inject(vcpu, VECTOR_GP);
    return RESUME_SAME;
}
enum exit_action inject_ud(struct vcpu *vcpu)
{
    vcpu_inject(vcpu, VECTOR_UD);
    return RESUME_SAME;
}
static uint64_t cr4;
static unsigned cpl;
uint64_t cr4_guest_view(void) { return cr4; }
unsigned vcpu_cpl(void) { return cpl; }
void registers_breakpoints(const struct vcpu *vcpu)
{
    assert_non_null(vcpu->debug.in_cpu);
    loads++;
}
uint64_t vcpu_gpr(const struct vcpu *vcpu, enum gpr r) { return vcpu->regs.gpr[r]; }
void vcpu_set_gpr(struct vcpu *vcpu, enum gpr r, uint64_t value) { vcpu->regs.gpr[r] = value; }
enum exit_action vcpu_on_step(struct vcpu *vcpu) { return (void)vcpu, RESUME_SAME; }
enum exit_action vcpu_on_debug(struct vcpu *vcpu, enum debug_event event, unsigned n)
{
    (void)vcpu;
    (void)event;
    (void)n;
    return STOP_VM;
}

void vcpu_on_delivered(struct vcpu *vcpu)
{
    (void)vcpu;
    delivered++;
}

FIXTURE(create)
{
    memset(fields, 0, sizeof(fields));
    v = (struct vcpu){0};
    passed_on = injected = loads = cpl = 0;
    cr4 = 0;
    debug_reset(&v);
    fields[VM_ENTRY_CONTROLS] = ENTRY_GUEST_64BIT;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_L;
    fields[GUEST_RFLAGS] = RFLAGS_1 | RFLAGS_IF;
    return 0;
}

/* Blocking by STI keeps an interrupt from being the next step. Under the guest's own single step it
 * would be refused at entry. */
TEST(a_step_blocks_interrupts_if_it_may)
{
    const struct vcpu_debug step = {.step = true};
    assert_int_equal(vcpu_debug_arm(&v, &step), 0);
    assert_int_equal(fields[GUEST_INTERRUPTIBILITY], BLOCKED_BY_STI);
    create(state);
    fields[GUEST_RFLAGS] |= RFLAGS_TF;
    assert_int_equal(vcpu_debug_arm(&v, &step), 0);
    assert_int_equal(fields[GUEST_INTERRUPTIBILITY], 0);
}

/* The exit has cleared BS; under blocking by STI or MOV SS entry wants it to go with RFLAGS.TF. */
TEST(a_trap_in_a_shadow_passes_entry)
{
    static const struct {
        uint64_t rflags, blocked, pending;
    } rows[] = {
        {RFLAGS_TF, BLOCKED_BY_MOV_SS, PENDING_DEBUG_BS},
        {RFLAGS_TF, BLOCKED_BY_STI, PENDING_DEBUG_BS},
        {0, BLOCKED_BY_MOV_SS, 0},
        {RFLAGS_TF, 0, 0},
    };
    const uint32_t int1 = (uint32_t)(EVENT_VALID | FIELD_SET(EVENT_TYPE, 5) | VECTOR_DB);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        fields[GUEST_RFLAGS] |= rows[i].rflags;
        fields[GUEST_INTERRUPTIBILITY] = rows[i].blocked;
        assert_int_equal(debug_exception(&v, int1), RESUME_SAME);
        assert_int_equal(passed_on, int1);
        assert_int_equal(fields[GUEST_PENDING_DEBUG], rows[i].pending);
    }
}

/* With the registers lent, the guest's INT1 is still the guest's, and DR6 keeps its causes. */
TEST(int1_is_never_the_debuggers)
{
    const struct vcpu_debug watch = {.dr7 = DR7_LOCAL(0)};
    assert_int_equal(vcpu_debug_arm(&v, &watch), 0);
    v.debug.dr[4] = BIT(0);
    const uint32_t int1 = (uint32_t)(EVENT_VALID | FIELD_SET(EVENT_TYPE, 5) | VECTOR_DB);
    assert_int_equal(debug_exception(&v, int1), RESUME_SAME);
    assert_int_equal(passed_on, int1);
    assert_int_equal(v.debug.dr[4], BIT(0));
}

/* SDM "IA-32 Processor States Following Power-up, Reset, or INIT". A debugger keeps what it was
 * lent. */
TEST(a_reset_is_of_the_guests_registers)
{
    const struct vcpu_debug watch = {.dr = {0x1000, 0x2000}, .dr7 = DR7_LOCAL(1)};
    for (unsigned lent = 0; lent < 2; lent++) {
        create(state);
        memset(v.debug.dr, 0x5a, sizeof(v.debug.dr));
        if (lent)
            assert_int_equal(vcpu_debug_arm(&v, &watch), 0);
        debug_reset(&v);
        if (lent) {
            assert_int_equal(v.debug.in_cpu[1], 0x2000);
            assert_true(v.extra & LOAD_BREAKPOINTS);
            assert_true(fields[GUEST_DR7] & DR7_LOCAL(1));
            vcpu_debug_disarm(&v);
        }
        for (unsigned n = 0; n < 4; n++)
            assert_int_equal(v.debug.dr[n], 0);
        assert_int_equal(v.debug.dr[4], 0xffff0ff0);
        assert_int_equal(fields[GUEST_DR7], 0x400);
        assert_null(v.debug.in_cpu);
    }
}

/* SDM "Monitor Trap Flag": the trap that tells of a delivery is not the debugger's. */
TEST(a_delivery_is_told_once)
{
    delivered = 0;
    assert_true(vcpu_tell_delivery(&v));
    assert_true(vcpu_tell_delivery(&v)); /* another page of the same one */
    assert_true(v.proc & PROC_MONITOR_TRAP);
    assert_int_equal(debug_step(&v), RESUME_SAME);
    assert_int_equal(delivered, 1);
    assert_int_equal(v.proc & PROC_MONITOR_TRAP, 0);
    assert_int_equal(vcpu_debug_arm(&v, &(struct vcpu_debug){.step = true}), 0);
    assert_true(vcpu_tell_delivery(&v));
    assert_int_equal(debug_step(&v), RESUME_SAME);
    assert_true(v.proc & PROC_MONITOR_TRAP); /* still the debugger's */
    assert_true(vcpu_tell_delivery(&v));
    vcpu_debug_disarm(&v); /* it stopped in between */
    assert_true(v.proc & PROC_MONITOR_TRAP);
    assert_int_equal(debug_step(&v), RESUME_SAME);
    assert_int_equal(delivered, 3);
    assert_int_equal(v.proc & PROC_MONITOR_TRAP, 0);
}

/* The last word of the exit's MOV is in RCX. */
static enum exit_action mov_dr(unsigned n, bool from)
{
    fields[EXIT_QUALIFICATION] =
        FIELD_SET(QUAL_DR_NUMBER, n) | (from ? QUAL_DR_FROM : 0) | FIELD_SET(QUAL_DR_GPR, RCX);
    return debug_mov_dr(&v);
}

static void set_dr(unsigned n, uint64_t value)
{
    v.regs.gpr[RCX] = value;
    assert_int_equal(mov_dr(n, false), RESUME_NEXT);
    assert_int_equal(mov_dr(n, true), RESUME_NEXT);
}

/* Addresses are in the CPU while one of them is looked at, and a later one gets there. */
TEST(breakpoints_that_are_on_are_in_the_cpu)
{
    set_dr(3, 0x123456789abc);
    assert_int_equal(v.regs.gpr[RCX], 0x123456789abc);
    assert_null(v.debug.in_cpu);
    set_dr(7, 0x80);
    assert_int_equal(fields[GUEST_DR7], 0x480);
    assert_int_equal(loads, 1);
    assert_int_equal(v.debug.in_cpu[3], 0x123456789abc);
    set_dr(3, 0x1000);
    assert_int_equal(loads, 2);
    assert_int_equal(v.debug.in_cpu[3], 0x1000);
    debug_dr7_clear(&v, 0x80);
    assert_int_equal(fields[GUEST_DR7], 0x400);
    assert_null(v.debug.in_cpu);
    set_dr(7, 0x40);
    assert_non_null(v.debug.in_cpu);
    set_dr(7, 0x300); /* LE and GE are no breakpoints */
    assert_null(v.debug.in_cpu);
}

/* Bits that are always 1 or 0, and upper halves, which 32-bit code has not. */
TEST(debug_registers_have_fixed_bits)
{
    set_dr(6, 0);
    assert_int_equal(v.regs.gpr[RCX], 0xffff0ff0);
    set_dr(4, 0xffffffff); /* DR6 */
    assert_int_equal(v.debug.dr[4], 0xffffefff);
    set_dr(5, 0xffffdc00 & ~UINT64_C(0xff)); /* DR7 */
    assert_int_equal(v.debug.dr[5], 0xffff0c00);
    v.regs.gpr[RCX] = BIT(32);
    assert_int_equal(mov_dr(7, false), RESUME_SAME);
    assert_int_equal(injected, VECTOR_GP);
    fields[VM_ENTRY_CONTROLS] = 0;
    set_dr(7, BIT(32) | 0x401);
    assert_int_equal(v.debug.dr[5], 0x401);
    set_dr(0, BIT(32) | 5);
    assert_int_equal(v.debug.dr[0], 5);
    fields[VM_ENTRY_CONTROLS] = ENTRY_GUEST_64BIT; /* compatibility mode */
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_DB;
    set_dr(7, BIT(32) | 0x402);
    assert_int_equal(v.debug.dr[5], 0x402);
    set_dr(0, BIT(32) | 6);
    assert_int_equal(v.debug.dr[0], 6);
}

/* GD stays out of the VMCS: the exit looks at it, behind what the CPU would have looked at. */
TEST(the_guests_gd_traps_its_own_mov_dr)
{
    v.regs.gpr[RCX] = DR7_GD;
    assert_int_equal(mov_dr(7, false), RESUME_NEXT);
    assert_int_equal(v.debug.dr[5], 0x2400);
    assert_int_equal(fields[GUEST_DR7], 0x400);
    cpl = 3;
    assert_int_equal(mov_dr(0, false), RESUME_SAME);
    assert_int_equal(injected, VECTOR_GP);
    cr4 = CR4_DE;
    assert_int_equal(mov_dr(4, false), RESUME_SAME);
    assert_int_equal(injected, VECTOR_UD);
    cpl = 0;
    assert_int_equal(mov_dr(0, true), RESUME_SAME);
    assert_int_equal(injected, VECTOR_DB);
    assert_int_equal(v.debug.dr[4], 0xffff0ff0 | DR6_BD);
    assert_int_equal(v.debug.dr[5], 0x400);
    assert_int_equal(mov_dr(0, true), RESUME_NEXT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(a_step_blocks_interrupts_if_it_may),
        T(a_trap_in_a_shadow_passes_entry),
        T(a_reset_is_of_the_guests_registers),
        T(int1_is_never_the_debuggers),
        T(a_delivery_is_told_once),
        T(breakpoints_that_are_on_are_in_the_cpu),
        T(debug_registers_have_fixed_bits),
        T(the_guests_gd_traps_its_own_mov_dr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
