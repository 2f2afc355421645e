/* SPDX-License-Identifier: MIT */
/*
 * The scheduler and the ways into and out of STOPPED and WAIT_SIPI: INIT, STARTUP, and stops that
 * come at the same time.
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
// sources: vmx/vcpu/posted.c vmx/run/place.c vmx/run/sched_start.c vmx/run/sched_wake.c
#include "vmx/run/sched.c"
#include "tests/unit/stubs.h"
#include <string.h>
#include "tests/unit/test.h"

struct vmx_caps vmx_caps;
static struct cpu the_cpu;
static struct vcpu vcpu, *const v = &vcpu;
static struct pi_desc pid;

struct cpu *this_cpu(void) { return &the_cpu; }
unsigned cpu_count(void) { return 1; }
struct cpu *cpu_get(unsigned index) { return (void)index, &the_cpu; }
void cpu_kick(struct cpu *cpu) { (void)cpu; }
void cpu_wait(void) {}
bool apic_is_x2apic(void) { return true; }
void apic_timer_at(uint64_t tsc) { (void)tsc; }
uint64_t time_deadline_us(uint64_t us) { return us; }
uint64_t time_tsc_khz(void) { return 1000; }
void irq_register(uint8_t vector, irq_handler handler, void *ctx)
{
    (void)vector, (void)handler, (void)ctx;
}
void vcpu_load(struct vcpu *to) { (void)to; }
void vcpu_release(struct vcpu *of) { (void)of; }
void apicv_fold(struct vcpu *of) { (void)of; }
enum vcpu_left vcpu_run(struct vcpu *of, uint64_t now)
{
    return (void)of, (void)now, LEFT_PREEMPTED;
}

FIXTURE(create)
{
    memset(&the_cpu, 0, sizeof(the_cpu));
    memset(queues, 0, sizeof(queues));
    sched_init_cpu();
    pid = PI_DESC_READY;
    vcpu = (struct vcpu){.pi_desc = &pid, .pinned = 0};
    return 0;
}

/* The CPU takes v, and clears the requests that it carries out at once. */
static void enter(uint32_t requests)
{
    next_turn(queue_here());
    assert_ptr_equal(queue_here()->running, v);
    atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_FOLD);
    assert_int_equal(v->requests, requests);
    atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SIPI);
}

TEST(init_and_startup)
{
    vcpu_sipi(v, 8);
    assert_int_equal(v->state, VCPU_STOPPED); /* not waiting: ignored */
    sched_await_startup(v);
    vcpu_init_signal(v); /* it waits already */
    assert_int_equal(v->state, VCPU_WAIT_SIPI);
    vcpu_sipi(v, 9);
    vcpu_sipi(v, 10); /* the second one of the usual two */
    assert_int_equal(v->state, VCPU_READY);
    assert_int_equal(v->sipi_vector, 9);
    enter(VCPU_REQUEST_SIPI);
    vcpu_sipi(v, 11); /* it runs: ignored */
    assert_int_equal(v->requests & VCPU_REQUEST_SIPI, 0);
    vcpu_init_signal(v);
    vcpu_sipi(v, 12); /* before its CPU has taken the INIT: counts */
    vcpu_leave(v, VCPU_WAIT_SIPI);
    assert_int_equal(v->state, VCPU_READY);
    assert_int_equal(v->sipi_vector, 12);
    vcpu_init_signal(v); /* before it has taken the STARTUP: does not count any more */
    enter(VCPU_REQUEST_INIT);
    vcpu_leave(v, VCPU_WAIT_SIPI);
    assert_int_equal(v->state, VCPU_WAIT_SIPI);
}

/* Else its VM would never end, and a CPU that waits for the stop would wait without end. */
TEST(a_stop_behind_an_init_counts)
{
    sched_start(v);
    enter(0);
    vcpu_init_signal(v);
    sched_request_stop(v); /* attend() has seen the INIT only */
    vcpu_leave(v, VCPU_WAIT_SIPI);
    assert_int_equal(v->state, VCPU_STOPPED);
    vcpu_sipi(v, 8); /* it does not start a vCPU that is stopped */
    assert_int_equal(v->state, VCPU_STOPPED);
}

/* Its VM is paused, or a user looks at its registers: the INIT comes before the stop, or behind. */
TEST(an_init_is_kept_by_one_that_is_stopped)
{
    for (unsigned behind = 0; behind < 2; behind++) {
        sched_start(v);
        enter(0);
        if (!behind)
            vcpu_init_signal(v);
        sched_request_stop(v);
        vcpu_leave(v, VCPU_STOPPED);
        if (behind)
            vcpu_init_signal(v);
        assert_int_equal(v->state, VCPU_STOPPED);
        vcpu_sipi(v, 8); /* behind the INIT */
        assert_int_equal(v->state, VCPU_STOPPED);
        sched_start(v);
        enter(VCPU_REQUEST_INIT | VCPU_REQUEST_SIPI_2);
        vcpu_leave(v, VCPU_WAIT_SIPI);
        assert_int_equal(v->state, VCPU_READY);
        enter(VCPU_REQUEST_SIPI);
        sched_request_stop(v);
        vcpu_leave(v, VCPU_STOPPED);
        assert_int_equal(v->requests & ~(uint32_t)VCPU_REQUEST_FOLD, 0);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(init_and_startup),
        T(a_stop_behind_an_init_counts),
        T(an_init_is_kept_by_one_that_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
