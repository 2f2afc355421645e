/* SPDX-License-Identifier: MIT */
/*
 * Events for the next VM entry: what its fields get, and what holds an event back.
 * Spec: SDM "Event Injection".
 */
// sources: vmx/vcpu/inject.c
#include "tests/unit/inject_model.h"

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
