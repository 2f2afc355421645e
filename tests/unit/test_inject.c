/* SPDX-License-Identifier: MIT */
/*
 * Events for the next VM entry: which exception comes of two, who waits for which window, what ends
 * HLT. The VMCS is an array here.
 * Spec: SDM "Conditions for Generating a Double Fault", "Event Injection".
 */
// sources: vmx/vcpu/inject.c
#include "arch/apic.h"
#include "arch/cpu.h"
#include "lib/atomic.h"
#include "tests/unit/stubs.h"
#include "vmx/vmcs.h"
#include <string.h>
#include "arch/x86.h"
#include "tests/unit/test.h"
#include "vmx/vcpu/vcpu.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/registers.h"
#include "vmx/run/post.h"
#include "vmx/caps.h"

struct vmx_caps vmx_caps;
static uint64_t fields[0x7000];
static struct vcpu v;
static uint32_t apic_page[1024];
static const char *crashed;
static int irq_next, irq_accepted;
static int ext_vector, ext_taken;
static uint64_t cr2;

static struct cpu cpu;
struct cpu *this_cpu(void) { return &cpu; }
uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value)
{
    assert_true(FIELD_GET(VMCS_FIELD_TYPE, field) != VMCS_TYPE_EXIT_INFO);
    fields[field] = value;
}
void registers_set_cr2(uint64_t linear) { cr2 = linear; }
void vcpu_set_proc(struct vcpu *vcpu, uint32_t proc) { vcpu->proc = proc; }
void vcpu_on_crash(struct vcpu *vcpu, const char *why)
{
    assert_ptr_equal(vcpu, &v);
    crashed = why;
}
/* As vmx/run/post.c does it. */
static void request_nmi(struct vcpu *vcpu) { atomic_fetch_or(&vcpu->requests, VCPU_REQUEST_NMI); }
int apic_next_irq(struct vcpu *vcpu)
{
    (void)vcpu;
    return irq_next;
}
void apic_on_irq_taken(struct vcpu *vcpu, uint8_t vector)
{
    irq_accepted = vector;
    irq_next = -1;
    vcpu->irr[vector / 64] = 0;
    vcpu->irq_waits = 0;
}
int apic_extint(struct vcpu *vcpu, bool take)
{
    (void)vcpu;
    ext_taken += take && ext_vector >= 0;
    return ext_vector;
}

/* A guest in protected mode, with interrupts on. */
FIXTURE(create)
{
    memset(fields, 0, sizeof(fields));
    memset(apic_page, 0, sizeof(apic_page));
    v = (struct vcpu){.vapic = apic_page};
    vmx_caps.apicv = false;
    crashed = NULL;
    irq_next = irq_accepted = ext_vector = -1;
    ext_taken = 0;
    fields[GUEST_CR0] = CR0_PE | CR0_NE | CR0_PG;
    fields[GUEST_RFLAGS] = RFLAGS_1 | RFLAGS_IF;
    return 0;
}

/* --- Two exceptions --------------------------------------------------------------------------- */

static uint32_t vector_now(void) { return (uint32_t)FIELD_GET(EVENT_VECTOR, v.event); }

TEST(two_exceptions)
{
    /* Row: the first. Column: the second. SDM's table; '2': #DF, 'n': the second alone. */
    static const uint8_t vectors[] = {VECTOR_DB, VECTOR_GP, VECTOR_PF};
    static const char table[3][4] = {"nnn", "n2n", "n22"};
    for (unsigned first = 0; first < 3; first++)
        for (unsigned second = 0; second < 3; second++) {
            create(state);
            vcpu_inject_error(&v, vectors[first], 7);
            vcpu_inject_error(&v, vectors[second], 9);
            bool doubled = table[first][second] == '2';
            assert_int_equal(vector_now(), doubled ? VECTOR_DF : vectors[second]);
            assert_int_equal(v.event_error, doubled ? 0 : 9);
            assert_true(v.event & EVENT_ERROR_CODE);
            assert_null(crashed);
        }
}

TEST(three_are_a_triple_fault)
{
    vcpu_inject_error(&v, VECTOR_GP, 0);
    vcpu_inject_page_fault(&v, 0x1234, 2);
    assert_int_equal(vector_now(),
                     VECTOR_PF); /* a page fault after a contributory one is just that */
    assert_int_equal(cr2, 0x1234);
    vcpu_inject_error(&v, VECTOR_NP, 0);
    assert_int_equal(vector_now(), VECTOR_DF);
    vcpu_inject(&v, VECTOR_DB); /* benign: no third one */
    assert_null(crashed);
    create(state);
    vcpu_inject_error(&v, VECTOR_PF, 0);
    vcpu_inject_error(&v, VECTOR_PF, 0);
    vcpu_inject_error(&v, VECTOR_PF, 0);
    assert_string_equal(crashed, "triple fault");
    assert_true(v.requests & VCPU_REQUEST_STOP);
}

TEST(real_mode_pushes_no_error_code)
{
    fields[GUEST_CR0] = CR0_NE;
    vcpu_inject_error(&v, VECTOR_GP, 5);
    assert_false(v.event & EVENT_ERROR_CODE);
}

/* SDM "Instruction-Breakpoint Exception Condition": or a breakpoint at the instruction would fire
 * again when the handler returns to it. */
TEST(a_fault_pushes_the_resume_flag)
{
    vcpu_inject(&v, VECTOR_UD);
    assert_true(fields[GUEST_RFLAGS] & RFLAGS_RF);
}

/* By a task gate. Until an IRET no second NMI comes. */
TEST(an_nmi_that_was_delivered_blocks_the_next)
{
    v.event = (uint32_t)(EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_NMI) | VECTOR_NMI);
    inject_delivered(&v);
    assert_int_equal(v.event, 0);
    assert_int_equal(fields[GUEST_INTERRUPTIBILITY], BLOCKED_BY_NMI);
    vcpu_inject(&v, VECTOR_UD);
    fields[GUEST_INTERRUPTIBILITY] = 0;
    inject_delivered(&v);
    assert_int_equal(fields[GUEST_INTERRUPTIBILITY], 0);
}

/* --- Again ------------------------------------------------------------------------------------ */

TEST(an_interrupted_delivery_comes_again)
{
    inject_again(&v);
    assert_int_equal(v.event, 0);
    fields[IDT_VECTORING_INFO] = EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_SOFT_INTERRUPT) | 0x80 |
                                 BIT(12); /* undefined there: must not come back */
    fields[VM_EXIT_INSTRUCTION_LENGTH] = 2;
    inject_again(&v);
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO],
                     EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_SOFT_INTERRUPT) | 0x80);
    assert_int_equal(fields[VM_ENTRY_INSTRUCTION_LENGTH], 2);
    assert_int_equal(v.event, 0);
}

TEST(an_nmi_again_is_not_blocked_by_itself)
{
    fields[IDT_VECTORING_INFO] = EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_NMI) | VECTOR_NMI;
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_NMI;
    inject_again(&v);
    assert_int_equal(fields[GUEST_INTERRUPTIBILITY], 0);
}

/* The run loop looks at the clock and not at the event: an alarm of 0 is always over. */
TEST(an_event_rings_the_alarm)
{
    v.alarm = 1;
    vcpu_inject(&v, VECTOR_UD);
    assert_int_equal(v.alarm, 0);
    v.alarm = 1;
    inject_pass_on(&v, EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_EXCEPTION) | VECTOR_DB);
    assert_int_equal(v.alarm, 0);
    v.alarm = 1;
    inject_again(&v);
    assert_int_equal(v.alarm, 1);
    fields[IDT_VECTORING_INFO] = EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_EXTERNAL) | 0x40;
    inject_again(&v);
    assert_int_equal(v.alarm, 0);
}

/* --- Windows ---------------------------------------------------------------------------------- */

static void offer(uint8_t vector)
{
    irq_next = vector;
    v.irr[vector / 64] |= BIT(vector % 64);
    v.irq_waits = (uint8_t)BIT(vector / 64);
}

TEST(an_interrupt_waits_for_its_window)
{
    static const struct {
        uint64_t rflags, blocked;
        bool taken;
    } rows[] = {
        {RFLAGS_IF, 0, true},
        {0, 0, false},
        {RFLAGS_IF, BLOCKED_BY_STI, false},
        {RFLAGS_IF, BLOCKED_BY_MOV_SS, false},
        {RFLAGS_IF, BLOCKED_BY_NMI, true},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        fields[GUEST_RFLAGS] = RFLAGS_1 | rows[i].rflags;
        fields[GUEST_INTERRUPTIBILITY] = rows[i].blocked;
        offer(0x51);
        inject_pending(&v);
        assert_int_equal(irq_accepted, rows[i].taken ? 0x51 : -1);
        assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO],
                         rows[i].taken ? EVENT_VALID | 0x51 : 0);
        assert_int_equal(!!(v.proc & PROC_INTERRUPT_WINDOW), !rows[i].taken);
        assert_int_equal(!!v.irq_waits, !rows[i].taken);
    }
}

/* Not deliverable now, but there: every exit looks again. */
TEST(a_masked_interrupt_is_remembered)
{
    offer(0x51);
    irq_next = -1;
    inject_pending(&v);
    assert_true(v.irq_waits);
    assert_false(v.proc & PROC_INTERRUPT_WINDOW);
}

TEST(an_exception_goes_first)
{
    offer(0x51);
    request_nmi(&v);
    vcpu_inject(&v, VECTOR_UD);
    inject_pending(&v);
    assert_int_equal(FIELD_GET(EVENT_VECTOR, fields[VM_ENTRY_INTERRUPTION_INFO]), VECTOR_UD);
    assert_int_equal(irq_accepted, -1);
    assert_true((v.proc & PROC_NMI_WINDOW) && (v.proc & PROC_INTERRUPT_WINDOW));
    inject_pending(&v); /* then the NMI */
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO],
                     EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_NMI) | VECTOR_NMI);
    assert_false(v.proc & PROC_NMI_WINDOW);
    assert_int_equal(irq_accepted, -1);
    inject_pending(&v); /* then the interrupt */
    assert_int_equal(irq_accepted, 0x51);
    assert_false(v.proc & PROC_INTERRUPT_WINDOW);
}

/* The first one begins, and the second one waits for its end; in the handler only one waits. */
TEST(two_nmis)
{
    const uint32_t nmi = (uint32_t)(EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_NMI) | VECTOR_NMI);
    v.requests = VCPU_REQUEST_NMIS;
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], nmi);
    assert_true(v.proc & PROC_NMI_WINDOW);
    fields[VM_ENTRY_INTERRUPTION_INFO] = 0;
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_NMI;
    v.requests = VCPU_REQUEST_NMIS;
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], 0);
    assert_int_equal(v.requests, VCPU_REQUEST_NMI);
    fields[GUEST_INTERRUPTIBILITY] = 0;
    v.requests = VCPU_REQUEST_NMI_2; /* the sender was between its two steps */
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], nmi);
    assert_int_equal(v.requests, 0);
    assert_false(v.proc & PROC_NMI_WINDOW);
}

/* The interrupt of an 8259 goes before those of the local APIC, and waits for IF as they do; its
 * vector is taken when it is injected, and not before. */
TEST(an_external_controller)
{
    for (unsigned apicv = 0; apicv < 2; apicv++) {
        create(state);
        vmx_caps.apicv = apicv;
        inject_pending(&v);
        assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], 0);
        v.requests |= VCPU_REQUEST_EXT; /* but LINT0 does not pass it */
        inject_pending(&v);
        assert_false(v.proc & PROC_INTERRUPT_WINDOW);
        assert_false(inject_wakes(&v));
        ext_vector = 0x20;
        fields[GUEST_RFLAGS] = RFLAGS_1;
        inject_pending(&v);
        assert_true(v.proc & PROC_INTERRUPT_WINDOW);
        assert_true(inject_wakes(&v));
        v.halted_masked = true;
        assert_false(inject_wakes(&v));
        fields[GUEST_RFLAGS] |= RFLAGS_IF;
        fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_STI;
        inject_pending(&v);
        assert_int_equal(ext_taken, 0);
        fields[GUEST_INTERRUPTIBILITY] = 0;
        if (!apicv)
            offer(0x51);
        inject_pending(&v);
        assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], EVENT_VALID | 0x20);
        assert_int_equal(ext_taken, 1);
        assert_int_equal(irq_accepted, -1);
    }
}

TEST(what_ends_hlt)
{
    assert_false(inject_wakes(&v));
    offer(0x51);
    assert_true(inject_wakes(&v));
    v.halted_masked = true; /* IF = 0 */
    assert_false(inject_wakes(&v));
    request_nmi(&v);
    assert_true(inject_wakes(&v));
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_NMI;
    assert_false(inject_wakes(&v));
    create(state);
    vmx_caps.apicv = true;
    static const struct {
        uint8_t rvi, ppr;
        bool wakes;
    } rows[] = {{0, 0, false},       {0x0f, 0, false},  {0x51, 0, true}, {0x51, 0x50, false},
                {0x5f, 0x50, false}, {0x61, 0x5f, true}}; /* priority classes decide */
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        fields[GUEST_INTERRUPT_STATUS] = FIELD_SET(INTERRUPT_STATUS_SVI, 0xff) | rows[i].rvi;
        apic_page[APIC_PPR / 4] = rows[i].ppr;
        assert_int_equal(inject_wakes(&v), rows[i].wakes);
    }
    v.halted_masked = true;
    assert_false(inject_wakes(&v));
}

/* --- What the VM entry gets ------------------------------------------------------------------- */

static uint32_t event(unsigned type, unsigned more)
{
    return (uint32_t)(EVENT_VALID | FIELD_SET(EVENT_TYPE, type) | more);
}

/* Each way in which a handler raises an exception. */
TEST(exceptions_of_handlers)
{
    assert_int_equal(inject_ud(&v), RESUME_SAME);
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], event(EVENT_EXCEPTION, VECTOR_UD));
    fields[VM_ENTRY_EXCEPTION_ERROR_CODE] = 0x77;
    assert_int_equal(inject_gp(&v), RESUME_SAME);
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO],
                     event(EVENT_EXCEPTION, EVENT_ERROR_CODE | VECTOR_GP));
    assert_int_equal(fields[VM_ENTRY_EXCEPTION_ERROR_CODE], 0);
    vcpu_inject_page_fault(&v, 0x1234, 0x15);
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO],
                     event(EVENT_EXCEPTION, EVENT_ERROR_CODE | VECTOR_PF));
    assert_int_equal(fields[VM_ENTRY_EXCEPTION_ERROR_CODE], 0x15);
    vcpu_inject_error(&v, VECTOR_GP, 9);
    vcpu_inject(&v, VECTOR_DE); /* a #DF has an error code, even if neither of the two has one */
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO],
                     event(EVENT_EXCEPTION, EVENT_ERROR_CODE | VECTOR_DF));
    assert_int_equal(fields[VM_ENTRY_EXCEPTION_ERROR_CODE], 0);
    assert_int_equal(v.event, 0);
}

/* Only two exceptions make a #DF: a fault in the delivery of an interrupt is just that fault,
 * whatever its vector. */
TEST(a_fault_during_an_interrupt)
{
    static const unsigned types[] = {EVENT_EXTERNAL, EVENT_SOFT_INTERRUPT, EVENT_NMI};
    for (unsigned i = 0; i < ARRAY_COUNT(types); i++) {
        create(state);
        fields[IDT_VECTORING_INFO] = event(types[i], VECTOR_PF);
        inject_again(&v);
        vcpu_inject_page_fault(&v, 0, 2);
        assert_int_equal(v.event, event(EVENT_EXCEPTION, EVENT_ERROR_CODE | VECTOR_PF));
        assert_null(crashed);
    }
}

TEST(a_delivery_comes_again_with_its_error_code)
{
    const uint32_t pf = event(EVENT_EXCEPTION, EVENT_ERROR_CODE | VECTOR_PF);
    fields[IDT_VECTORING_INFO] = pf;
    fields[IDT_VECTORING_ERROR_CODE] = 0x14;
    inject_again(&v);
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], pf);
    assert_int_equal(fields[VM_ENTRY_EXCEPTION_ERROR_CODE], 0x14);
    fields[IDT_VECTORING_INFO] = event(EVENT_EXTERNAL, 0x40); /* the other field is old */
    inject_again(&v);
    assert_int_equal(v.event_error, 0);
}

/* INT1 and INT3 go on to the guest as they were, with the length that VM entry needs. */
TEST(an_exception_is_passed_on)
{
    const unsigned privileged = 5, software = 6;
    fields[VM_EXIT_INSTRUCTION_LENGTH] = 1;
    inject_pass_on(&v, event(privileged, VECTOR_DB) | (uint32_t)BIT(12));
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], event(privileged, VECTOR_DB));
    assert_int_equal(fields[VM_ENTRY_INSTRUCTION_LENGTH], 1);
    fields[VM_EXIT_INSTRUCTION_LENGTH] = 2;
    inject_pass_on(&v, event(software, VECTOR_BP));
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], event(software, VECTOR_BP));
    assert_int_equal(fields[VM_ENTRY_INSTRUCTION_LENGTH], 2);
}

/* Under each kind of blocking the NMI stays, and its window is asked for; under none it is gone.
 * STI may leave the window of NMIs open: SDM "NMI-Window Exiting". Then the exit would come again
 * and again before the instruction, and that of interrupts comes behind it. */
TEST(what_holds_an_nmi_back)
{
    static const uint64_t blocks[] = {0, BLOCKED_BY_STI, BLOCKED_BY_MOV_SS, BLOCKED_BY_NMI};
    for (unsigned i = 0; i < ARRAY_COUNT(blocks); i++) {
        create(state);
        v.proc = BIT(3);
        fields[GUEST_INTERRUPTIBILITY] = blocks[i];
        request_nmi(&v);
        inject_pending(&v);
        assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO],
                         blocks[i] ? 0 : event(EVENT_NMI, VECTOR_NMI));
        assert_int_equal(v.requests, blocks[i] ? VCPU_REQUEST_NMI : 0);
        assert_int_equal(v.proc, BIT(3) | (blocks[i] == BLOCKED_BY_STI ? PROC_INTERRUPT_WINDOW
                                           : blocks[i]                 ? PROC_NMI_WINDOW
                                                                       : 0));
    }
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_STI; /* no handler runs: both still come */
    v.requests = VCPU_REQUEST_NMIS;
    inject_pending(&v);
    assert_int_equal(v.requests, VCPU_REQUEST_NMIS);
}

/* An entry that injects ends the blocking by STI, and its handler may keep interrupts off. */
TEST(an_nmi_behind_another_event_under_sti)
{
    for (unsigned nmi_blocked = 0; nmi_blocked < 2; nmi_blocked++) {
        create(state);
        fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_STI | (nmi_blocked ? BLOCKED_BY_NMI : 0);
        request_nmi(&v);
        if (!nmi_blocked)
            vcpu_inject(&v, VECTOR_UD);
        inject_pending(&v);
        assert_int_equal(v.proc & (PROC_NMI_WINDOW | PROC_INTERRUPT_WINDOW), PROC_NMI_WINDOW);
    }
}

/* An 8259 that the guest has given vector 0: not "no interrupt". */
TEST(an_external_vector_of_0)
{
    ext_vector = 0;
    v.requests = VCPU_REQUEST_EXT;
    v.proc = BIT(3);
    assert_true(inject_wakes(&v));
    fields[GUEST_RFLAGS] = RFLAGS_1;
    inject_pending(&v);
    assert_int_equal(v.proc, BIT(3) | PROC_INTERRUPT_WINDOW);
    fields[GUEST_RFLAGS] |= RFLAGS_IF;
    offer(0x51); /* has to wait */
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], event(EVENT_EXTERNAL, 0));
    assert_int_equal(irq_accepted, -1);
}

/* A request that is no event wakes nothing, and is left to others. */
TEST(other_requests)
{
    v.requests = ~(uint32_t)(VCPU_REQUEST_NMIS | VCPU_REQUEST_EXT);
    ext_vector = 0x20;
    assert_false(inject_wakes(&v));
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], 0);
    v.proc = PROC_INTERRUPT_WINDOW; /* looked at once more */
    inject_pending(&v);
    assert_int_equal(fields[VM_ENTRY_INTERRUPTION_INFO], 0);
    assert_int_equal(v.proc, 0);
    assert_int_equal(ext_taken, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(two_exceptions),
        T(three_are_a_triple_fault),
        T(real_mode_pushes_no_error_code),
        T(a_fault_pushes_the_resume_flag),
        T(an_nmi_that_was_delivered_blocks_the_next),
        T(an_interrupted_delivery_comes_again),
        T(an_nmi_again_is_not_blocked_by_itself),
        T(an_event_rings_the_alarm),
        T(an_interrupt_waits_for_its_window),
        T(a_masked_interrupt_is_remembered),
        T(an_exception_goes_first),
        T(an_external_controller),
        T(two_nmis),
        T(what_ends_hlt),
        T(exceptions_of_handlers),
        T(a_fault_during_an_interrupt),
        T(a_delivery_comes_again_with_its_error_code),
        T(an_exception_is_passed_on),
        T(what_holds_an_nmi_back),
        T(an_nmi_behind_another_event_under_sti),
        T(an_external_vector_of_0),
        T(other_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
