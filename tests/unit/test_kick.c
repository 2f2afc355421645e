/* SPDX-License-Identifier: MIT */
/*
 * The handler of a kick, and of a notification that the CPU has not processed: what is due for the
 * vCPU that runs there, and for none that sleeps.
 * Spec: SDM "Posted-Interrupt Processing".
 */
// sources: vmx/vcpu/posted.c vmx/run/place.c vmx/run/sched_start.c vmx/run/sched_wake.c
#include "vmx/run/sched.c"
#include "tests/unit/stubs.h"
#include <string.h>
#include "tests/unit/test.h"

struct vmx_caps vmx_caps;
static struct cpu the_cpu;
static struct vcpu vcpus[2], *const v = &vcpus[0];
static struct pi_desc pids[2];
static unsigned folds;

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
void vcpu_load(struct vcpu *to) { this_vmx_cpu()->vcpu = to; }
void vcpu_release(struct vcpu *of) { (void)of; }
void apicv_fold(struct vcpu *of)
{
    assert_ptr_equal(this_vmx_cpu()->vcpu, of); /* its VMCS is current */
    folds++;
}
enum vcpu_left vcpu_run(struct vcpu *of, uint64_t now)
{
    return (void)of, (void)now, LEFT_PREEMPTED;
}

FIXTURE(create)
{
    memset(&the_cpu, 0, sizeof(the_cpu));
    memset(queues, 0, sizeof(queues));
    sched_init_cpu();
    for (unsigned i = 0; i < 2; i++) {
        pids[i] = PI_DESC_READY;
        vcpus[i] = (struct vcpu){.pi_desc = &pids[i], .index = i, .pinned = 0};
    }
    return 0;
}

static void starts(struct vcpu *of)
{
    sched_start(of);
    next_turn(queue_here());
    assert_ptr_equal(queue_here()->running, of);
}

static void is_kicked(struct vcpu *of, uint32_t requests, uint64_t control)
{
    of->alarm = 100;
    of->requests = requests;
    of->pi_desc->control = control;
    folds = 0;
    on_kick(NULL);
}

TEST(a_kick_in_an_exit)
{
    on_kick(NULL); /* no vCPU was here */
    starts(v);
    vcpu_load(v);
    is_kicked(v, 0, 0);
    assert_true(v->alarm == 100 && folds == 0);
    is_kicked(v, VCPU_REQUEST_RELOAD, 0);
    assert_true(v->alarm == 0 && folds == 0);
    is_kicked(v, VCPU_REQUEST_RELOAD, PI_ON);
    assert_true(v->alarm == 0 && folds == 0); /* attend() folds */
    is_kicked(v, 0, PI_ON);                   /* a CPU without posting */
    assert_true(v->alarm == 100 && folds == 1);
}

/* The CPU sleeps, or has just woken up: a fold would clear ON, by which the vCPU is found. */
TEST(a_kick_while_the_cpu_sleeps)
{
    starts(v);
    vcpu_load(v);
    v->requests = 0;
    after_hlt(queue_here(), v);
    assert_int_equal(v->state, VCPU_HALTED);
    is_kicked(v, VCPU_REQUEST_RELOAD, PI_ON);
    assert_true(v->alarm == 100 && folds == 0);
    starts(&vcpus[1]); /* its slice is about to begin */
    is_kicked(&vcpus[1], VCPU_REQUEST_RELOAD, PI_ON);
    assert_true(vcpus[1].alarm == 100 && folds == 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(a_kick_in_an_exit),
        T(a_kick_while_the_cpu_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
