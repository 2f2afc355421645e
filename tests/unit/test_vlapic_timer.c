/* SPDX-License-Identifier: MIT */
/*
 * The timer of the local APIC by software, and the alarms of devices that share its deadline.
 */
// sources: guest/pc/vlapic.c guest/pc/vlapic_irq.c guest/pc/vlapic_timer.c guest/core/bus.c
// sources: guest/pc/vlapic_dest.c
#include "tests/unit/vlapic_fixture.h"

/* SDM "APIC Timer" */
TEST(timer)
{
    struct vcpu *v = &vcpus[0];
    uint64_t before = rdtsc();
    store(APIC_LVT_TIMER, 4, 0x45);
    store(APIC_TIMER_DIVIDE, 4, 0x3); /* by 16 */
    store(APIC_TIMER_INITIAL, 4, 0x40000000);
    assert_true(v->timer_deadline >= before + 4 * UINT64_C(0x400000000));
    assert_true(v->timer_deadline <= rdtsc() + 4 * UINT64_C(0x400000000));
    assert_in_range(load(APIC_TIMER_CURRENT, 4), 0x30000000, 0x40000000);
    store(APIC_TIMER_INITIAL, 4, 0);
    assert_int_equal(v->timer_deadline, 0);
    assert_int_equal(load(APIC_TIMER_CURRENT, 4), 0);
    store(APIC_TIMER_INITIAL, 4, 100);
    while (rdtsc() < v->timer_deadline)
        cpu_relax();
    apic_on_timer(v);
    assert_int_equal(seen.posted[0], 0x45);
    assert_int_equal(v->timer_deadline, 0);
}

static unsigned rings;
static void on_ring(struct vm *m)
{
    rings++;
    vlapic_alarm(m->vcpus[0], 0, on_ring);
}

/* A device's alarm shares the deadline with the timer, and neither loses the other. */
TEST(alarm)
{
    struct vcpu *v = &vcpus[0];
    uint64_t far = rdtsc() + UINT64_C(1000000000000), soon = rdtsc() + 1000;
    rings = 0;
    vlapic_alarm(v, far, on_ring);
    assert_int_equal(v->timer_deadline, far);
    store(APIC_LVT_TIMER, 4, 0x45);
    store(APIC_TIMER_DIVIDE, 4, 0xb);
    store(APIC_TIMER_INITIAL, 4, 0x40000000);
    uint64_t due = v->timer_deadline;
    assert_true(due < far);
    vlapic_alarm(v, soon, on_ring);
    assert_int_equal(v->timer_deadline, soon);
    while (rdtsc() < soon)
        cpu_relax();
    apic_on_timer(v);
    assert_int_equal(rings, 1);
    assert_int_equal(seen.posted[0], 0);
    assert_int_equal(v->timer_deadline, due);
    vlapic_alarm(v, far, on_ring);
    apic_on_init(v); /* the alarm is no part of the APIC */
    assert_int_equal(v->timer_deadline, far);
    assert_true(wakes != 0);
    vlapic_alarm(v, 0, on_ring);
    assert_int_equal(v->timer_deadline, 0);
}

/* The alarm's deadline has passed, but before the CPU of v looks, another CPU takes the alarm back.
 * The timer, which is off or due later, does not interrupt for it. */
TEST(alarm_that_is_taken_back)
{
    struct vcpu *v = &vcpus[0];
    store(APIC_LVT_TIMER, 4, 0x45);
    for (unsigned armed = 0; armed < 2; armed++) {
        store(APIC_TIMER_INITIAL, 4, armed * 0x40000000);
        uint64_t due = v->timer_deadline;
        vlapic_of(v)->alarm = 0;
        apic_on_timer(v);
        assert_int_equal(seen.posted[0], 0);
        assert_int_equal(v->timer_deadline, due);
    }
}

TEST(timer_periodic)
{
    struct vcpu *v = &vcpus[0];
    store(APIC_LVT_TIMER, 4, 0x20046);
    store(APIC_TIMER_DIVIDE, 4, 0xb); /* by 1 */
    store(APIC_TIMER_INITIAL, 4, 1000000);
    for (int i = 0; i < 3; i++) {
        uint64_t due = v->timer_deadline;
        while (rdtsc() < due)
            cpu_relax();
        seen.posted[0] = 0;
        apic_on_timer(v);
        assert_int_equal(seen.posted[0], 0x46);
        assert_true(v->timer_deadline > rdtsc() - 4000000);
        assert_true(v->timer_deadline > due);
        assert_int_equal((v->timer_deadline - due) % 4000000, 0);
    }
    store(APIC_LVT_TIMER, 4, 0x30046); /* masked: it runs on, silently */
    seen.posted[0] = 0;
    while (rdtsc() < v->timer_deadline)
        cpu_relax();
    apic_on_timer(v);
    assert_int_equal(seen.posted[0], 0);
    assert_int_not_equal(v->timer_deadline, 0);
}

/* However short the period is: the guest comes to its next instruction, and nested an exit
 * is dear. */
TEST(timer_of_one_tick)
{
    struct vcpu *v = &vcpus[0];
    for (uint64_t least = 25000; least <= 250000; least *= 10) {
        vmx_caps.nested = least > 25000;
        store(APIC_LVT_TIMER, 4, 0x20046);
        store(APIC_TIMER_DIVIDE, 4, 0xb); /* by 1 */
        store(APIC_TIMER_INITIAL, 4, 1);
        uint64_t due = v->timer_deadline;
        while (rdtsc() < due)
            cpu_relax();
        apic_on_timer(v);
        assert_true(v->timer_deadline >= due + least);
        assert_int_equal((v->timer_deadline - due) % least, 0);
        assert_in_range(load(APIC_TIMER_CURRENT, 4), 0, 1);
    }
    vmx_caps.nested = false;
}

TEST(timer_deadline)
{
    struct vcpu *v = &vcpus[0];
    uint64_t value, at = rdtsc() + UINT64_C(1000000000000);
    apic_on_deadline(v, at);
    assert_int_equal(v->timer_deadline, 0); /* in another mode the write is ignored */
    store(APIC_LVT_TIMER, 4, 0x40047);
    store(APIC_TIMER_INITIAL, 4, 1000);
    assert_int_equal(v->timer_deadline, 0);
    apic_on_deadline(v, at);
    assert_int_equal(v->timer_deadline, at);
    store(APIC_LVT_TIMER, 4, 0x40048); /* the same mode again: still armed */
    assert_int_equal(vcpu_on_rdmsr(v, MSR_IA32_TSC_DEADLINE, &value), 0);
    assert_int_equal(value, at);
    store(APIC_LVT_TIMER, 4, 0x48);
    assert_int_equal(v->timer_deadline, 0);
    assert_int_equal(vcpu_on_rdmsr(v, MSR_IA32_TSC_DEADLINE, &value), 0);
    assert_int_equal(value, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timer),
        CASE(alarm),
        CASE(alarm_that_is_taken_back),
        CASE(timer_periodic),
        CASE(timer_of_one_tick),
        CASE(timer_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
