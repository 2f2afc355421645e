/* SPDX-License-Identifier: MIT */
/*
 * The scheduler and time: the timer of the host stands in for those of vCPUs that sleep, and no
 * slice and no sleep of the first CPU is longer than to its tick.
 * Spec: SDM "TSC-Deadline Mode".
 */
// sources: vmx/vcpu/posted.c vmx/run/place.c vmx/run/sched_start.c vmx/run/sched_wake.c
#include "vmx/run/sched.c"
#include "tests/unit/stubs.h"
#include <string.h>
#include "tests/unit/test.h"

struct vmx_caps vmx_caps;
static struct cpu cpus[2], *here;
static struct vcpu v;
static struct pi_desc pid;
static uint64_t host_timer, slept_until;
static unsigned writes; /* of the host's timer */

struct cpu *this_cpu(void) { return here; }
unsigned cpu_count(void) { return 2; }
struct cpu *cpu_get(unsigned index) { return &cpus[index]; }
void cpu_kick(struct cpu *cpu) { (void)cpu; }
void cpu_wait(void) { slept_until = host_timer; }
bool apic_is_x2apic(void) { return true; }
void apic_timer_at(uint64_t tsc)
{
    host_timer = tsc;
    writes++;
}
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
    memset(cpus, 0, sizeof(cpus));
    memset(queues, 0, sizeof(queues));
    for (unsigned c = 2; c-- > 0;) {
        here = &cpus[c];
        here->index = c;
        sched_init_cpu();
    }
    pid = PI_DESC_READY;
    v = (struct vcpu){.pi_desc = &pid, .pinned = 0};
    host_timer = slept_until = writes = 0;
    return 0;
}

static void fires(void)
{
    host_timer = 0;
    on_timer(NULL);
}

TEST(a_timer_wakes)
{
    sched_start(&v);
    next_turn(queue_here());
    assert_ptr_equal(queue_here()->running, &v);
    v.timer_deadline = UINT64_MAX;
    v.requests = 0;
    after_hlt(queue_here(), &v);
    assert_null(queue_here()->running);
    assert_true(host_timer == UINT64_MAX); /* the host's timer stands in */
    fires();
    assert_true(v.state == VCPU_HALTED && host_timer == UINT64_MAX); /* it was too early */
    v.timer_deadline = 1;
    fires();
    assert_int_equal(v.state, VCPU_RUNNING);
    assert_int_equal(host_timer, 0);
}

/* It is set again only if it would come too late: a wake-up leaves it as it is. */
TEST(the_timer_is_never_late)
{
    static const struct {
        uint64_t deadline, armed;
        unsigned writes;
    } rows[] = {{700, 700, 1}, {0, 700, 1}, {900, 700, 1}, {500, 500, 2}, {700, 500, 2}};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        timer_by(queue_here(), rows[i].deadline);
        assert_int_equal(host_timer, rows[i].armed);
        assert_int_equal(writes, rows[i].writes);
    }
    fires(); /* for none */
    assert_int_equal(host_timer, 0);
    timer_by(queue_here(), 900);
    assert_int_equal(host_timer, 900);
}

/* The first CPU's UART is full soon: neither a slice nor a sleep that begins late puts the look
 * at it off. */
TEST(the_tick_bounds_slice_and_sleep)
{
    for (unsigned c = 0; c < 2; c++) {
        here = &cpus[c];
        host_timer = 0;
        queue_here()->tick = 300;
        queue_here()->turn = 20;
        uint64_t now = rdtsc(), alone = 20 * (SCHED_ALONE_US / SCHED_SLICE_US);
        uint64_t end = slice_end(queue_here(), &v, now);
        assert_true(c ? end == now + alone : end == 300);
        sleep_for_work(queue_here());
        assert_int_equal(slept_until, c ? 0 : 300);
        assert_false(queue_here()->idle); /* awake, it needs no kick */
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(a_timer_wakes),
        T(the_timer_is_never_late),
        T(the_tick_bounds_slice_and_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
