/* SPDX-License-Identifier: MIT */
/*
 * A VM has ended if all its vCPUs sleep, and only another one could wake one up; whatever they do
 * between two looks at them.
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
// sources: guest/life/dead.c
#include "guest/life/life.h"
#include "tests/unit/stubs.h"
#include <string.h>
#include "tests/unit/test.h"

#define VCPUS 2

static struct vm vm;
static struct vcpu vcpus[VCPUS];
static unsigned ends, looks;
static void (*between)(unsigned look); /* called before each look at a vCPU */

struct vcpu *vm_next_vcpu(const struct vm *of, const struct vcpu *before)
{
    unsigned next = before ? before->index + 1 : 0;
    (void)of;
    if (next < VCPUS && between)
        between(looks);
    looks += next < VCPUS;
    return next < VCPUS ? &vcpus[next] : NULL;
}
uint64_t vm_exits(const struct vm *of)
{
    return (void)of, vcpus[0].exit_count[EXIT_HLT] + vcpus[1].exit_count[EXIT_HLT];
}
void vm_end(struct vm *of, unsigned exit_status)
{
    assert_ptr_equal(of, &vm);
    assert_int_equal(exit_status, VM_EXIT_HALTED);
    ends++;
}

static void halts(struct vcpu *v)
{
    v->exit_count[EXIT_HLT]++;
    v->state = VCPU_HALTED;
    v->halted = v->halted_masked = true;
}

FIXTURE(create)
{
    memset(vcpus, 0, sizeof(vcpus));
    for (unsigned i = 0; i < VCPUS; i++) {
        vcpus[i].vm = &vm;
        vcpus[i].index = i;
        halts(&vcpus[i]);
    }
    ends = looks = 0;
    between = NULL;
    return 0;
}

TEST(who_can_still_do_something)
{
    static const struct {
        enum vcpu_state state;
        bool masked;
        uint32_t requests;
        bool dead;
    } rows[] = {
        {VCPU_HALTED, true, 0, true},
        {VCPU_HALTED, false, 0, false},
        {VCPU_HALTED, true, VCPU_REQUEST_FOLD, false},  /* woken up, as it fell asleep */
        {VCPU_HALTED, true, VCPU_REQUEST_NMI, true},    /* it handles one, which blocks the next */
        {VCPU_HALTED, true, VCPU_REQUEST_RELOAD, true}, /* no event */
        {VCPU_WAIT_SIPI, false, 0, true},
        {VCPU_WAIT_SIPI, false, VCPU_REQUEST_FOLD, true},
        {VCPU_WAIT_SIPI, false, VCPU_REQUEST_SIPI, false},
        {VCPU_WAIT_SIPI, false, VCPU_REQUEST_SIPI_2, false},
        {VCPU_READY, true, 0, false},
        {VCPU_RUNNING, true, 0, false},
        {VCPU_STOPPED, true, 0, false}, /* a user looks at it */
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        vcpus[1].state = rows[i].state;
        vcpus[1].halted_masked = rows[i].masked;
        vcpus[1].requests = rows[i].requests;
        assert_int_equal(vm_is_dead(&vm), rows[i].dead);
    }
}

TEST(the_last_one_that_halts_ends_it)
{
    vcpus[1].state = VCPU_RUNNING; /* in its exit */
    assert_false(vm_is_dead(&vm));
    assert_int_equal(vcpu_on_dead_halt(&vcpus[1]), STOP_VM);
    assert_int_equal(ends, 1);
    vcpus[0].state = VCPU_READY;
    assert_int_equal(vcpu_on_dead_halt(&vcpus[1]), RESUME_NEXT);
    assert_int_equal(ends, 1);
}

/* The other one sends, and halts, after the first look at v. */
static uint32_t sent;
static void sends(unsigned look)
{
    if (look)
        return;
    vcpus[1].requests |= sent;
    halts(&vcpus[0]);
}
TEST(what_comes_while_the_others_are_looked_at)
{
    static const uint32_t events[] = {VCPU_REQUEST_NMI, VCPU_REQUEST_NMI_2, VCPU_REQUEST_INIT};
    for (unsigned i = 0; i < ARRAY_COUNT(events); i++) {
        vcpus[0].state = vcpus[1].state = VCPU_RUNNING;
        vcpus[1].requests = looks = 0;
        sent = events[i];
        between = sends;
        assert_int_equal(vcpu_on_dead_halt(&vcpus[1]), RESUME_NEXT);
        assert_int_equal(ends, 0);
    }
}

/* vCPU 0 is woken up by vCPU 1, which halts then: one round. */
static unsigned rounds;
static void one_wakes_the_other(unsigned look)
{
    if (look % VCPUS != 1 || look / VCPUS >= rounds)
        return;
    vcpus[0].state = VCPU_READY;
    halts(&vcpus[1]);
}
/* And in the next round vCPU 0 halts before it is looked at, and has woken up vCPU 1. */
static void both_wake_each_other(unsigned look)
{
    one_wakes_the_other(look);
    if (look % VCPUS == 0 && look) {
        halts(&vcpus[0]);
        vcpus[1].state = VCPU_READY;
    }
}
TEST(one_wakes_another_between_two_looks)
{
    vcpus[1].state = VCPU_RUNNING;
    rounds = 1;
    between = one_wakes_the_other;
    assert_false(vm_is_dead(&vm));
    vcpus[1].state = VCPU_RUNNING;
    vcpus[0].state = VCPU_HALTED;
    rounds = 2;
    looks = 0;
    between = both_wake_each_other;
    assert_false(vm_is_dead(&vm)); /* at each look it was asleep */
    assert_int_equal(looks, 2 * VCPUS);
    assert_int_equal(vcpus[0].state, VCPU_READY);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(who_can_still_do_something),
        T(the_last_one_that_halts_ends_it),
        T(what_comes_while_the_others_are_looked_at),
        T(one_wakes_another_between_two_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
