/* SPDX-License-Identifier: MIT */
/*
 * Events for the next VM entry: which exception comes of two, who waits for which window, what ends
 * HLT.
 * Spec: SDM "Conditions for Generating a Double Fault", "Event Injection".
 */
// sources: vmx/vcpu/inject.c
#include "tests/unit/inject_model.h"

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
        T(two_nmis),
        T(an_external_controller),
        T(what_ends_hlt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
