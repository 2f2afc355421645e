/* SPDX-License-Identifier: MIT */
/*
 * The scheduler with CPUs that the test plays: states of a vCPU, its descriptor in each of them,
 * turns, migration, stopping. And every order of short event sequences: no vCPU sleeps with an
 * interrupt posted, and none is lost between two lists.
 * Spec: SDM "Posted-Interrupt Processing"; lib/pi_desc.h.
 */
// sources: vmx/vcpu/posted.c vmx/run/place.c vmx/run/sched_start.c vmx/run/sched_wake.c
#include "vmx/run/sched.c"
#include "tests/unit/stubs.h"
#include <stdio.h>
#include <string.h>
#include "arch/cpu.h"
#include "tests/unit/test.h"

struct vmx_caps vmx_caps;

#define CPUS  2
#define VCPUS 2

/* All that a step changes, in one piece, so that a search can go back. */
static struct world {
    struct cpu cpus[CPUS];
    struct vcpu vcpus[VCPUS];
    struct pi_desc pids[VCPUS];
    bool looked[CPUS];   /* attend() found nothing; HLT is being carried out */
    bool entered[CPUS];  /* the guest of that vCPU runs, or exits */
    uint32_t ipis[CPUS]; /* pending: bit 0 ANV, 1 WNV, 2 KICK */
    unsigned posted[VCPUS], taken[VCPUS];
} w;
static struct cpu *here;

#define IPI_ANV  BIT(0)
#define IPI_WNV  BIT(1)
#define IPI_KICK BIT(2)

struct cpu *this_cpu(void) { return here; }
unsigned cpu_count(void) { return CPUS; }
struct cpu *cpu_get(unsigned index) { return &w.cpus[index]; }
void cpu_kick(struct cpu *cpu) { w.ipis[cpu->index] |= IPI_KICK; }
void cpu_wait(void) {}
bool apic_is_x2apic(void) { return true; }
void apic_timer_at(uint64_t tsc) { (void)tsc; }
uint64_t time_deadline_us(uint64_t us) { return us; }
uint64_t time_tsc_khz(void) { return 1000; }
void irq_register(uint8_t vector, irq_handler handler, void *ctx)
{
    (void)vector, (void)handler, (void)ctx;
}

void vcpu_load(struct vcpu *v)
{
    for (unsigned c = 0; c < CPUS; c++)
        assert_true(&w.cpus[c] == here || vmx_cpu(&w.cpus[c])->vcpu != v); /* never in two CPUs */
    vmx_cpu(here)->vcpu = v;
}
void vcpu_release(struct vcpu *v)
{
    for (unsigned c = 0; c < CPUS; c++)
        assert_true(&w.cpus[c] == here || vmx_cpu(&w.cpus[c])->vcpu != v);
    if (vmx_cpu(here)->vcpu == v)
        vmx_cpu(here)->vcpu = NULL;
}
enum vcpu_left vcpu_run(struct vcpu *v, uint64_t now)
{
    (void)v, (void)now;
    return LEFT_PREEMPTED;
}

void apicv_fold(struct vcpu *v) { (void)v; }

static void on(unsigned cpu) { here = &w.cpus[cpu]; }

FIXTURE(create)
{
    memset(&w, 0, sizeof(w));
    memset(queues, 0, sizeof(queues));
    for (unsigned c = 0; c < CPUS; c++) {
        w.cpus[c] = (struct cpu){.index = c, .apic_id = c, .next_thread = &w.cpus[c]};
        on(c);
        sched_init_cpu();
    }
    for (unsigned i = 0; i < VCPUS; i++) {
        w.vcpus[i].pi_desc = &w.pids[i];
        w.vcpus[i].index = i;
        w.vcpus[i].first = &w.vcpus[0];
        w.vcpus[i].pinned = -1;
        w.pids[i] = PI_DESC_READY;
    }
    on(0);
    return 0;
}

/* --- What a CPU does in one step of its loop -------------------------------------------------- */

static void fold(struct vcpu *v)
{
    uint64_t irr[4] = {0};
    atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_FOLD);
    posted_take(v->pi_desc, irr);
    w.taken[v->index] += (unsigned)__builtin_popcountll(irr[0]);
}

static bool take_next(unsigned cpu)
{
    on(cpu);
    if (!queue_here()->running)
        next_turn(queue_here());
    atomic_store(&queue_here()->idle, !queue_here()->running);
    w.looked[cpu] = false;
    if (queues[cpu].running)
        vcpu_load(queues[cpu].running);
    return queues[cpu].running;
}

static void enter(unsigned cpu)
{
    w.entered[cpu] = take_next(cpu);
    if (w.entered[cpu])
        fold(queues[cpu].running);
}

static void slice_ends(unsigned cpu)
{
    on(cpu);
    w.looked[cpu] = w.entered[cpu] = false;
    after_slice(queue_here(), queue_here()->running);
}

/* HLT in two halves: attend() finds nothing; then the vCPU goes to sleep. */
static void looks_before_hlt(unsigned cpu)
{
    unsigned before = w.taken[queues[cpu].running->index];
    on(cpu);
    fold(queues[cpu].running);
    w.looked[cpu] = w.taken[queues[cpu].running->index] == before;
}

static void goes_to_sleep(unsigned cpu)
{
    on(cpu);
    w.looked[cpu] = w.entered[cpu] = false;
    after_hlt(queue_here(), queue_here()->running);
}

static void post(unsigned i)
{
    if (!(w.pids[i].pir[0] & BIT(40)))
        w.posted[i]++;
    uint64_t control = posted_post(&w.pids[i], 40);
    if (control)
        w.ipis[posted_apic_id(control, true)] |=
            FIELD_GET(PI_NV, control) == VECTOR_ANV ? IPI_ANV : IPI_WNV;
}

static void interrupt(unsigned cpu)
{
    uint32_t ipis = w.ipis[cpu];
    on(cpu);
    w.ipis[cpu] = 0;
    if (ipis & IPI_WNV)
        on_wake_up(NULL);
    if ((ipis & IPI_ANV) && w.entered[cpu] && !w.looked[cpu])
        fold(queues[cpu].running); /* posted-interrupt processing by the CPU */
}

/* --- Rules that hold between any two steps ---------------------------------------------------- */

static unsigned count_on(const struct vcpu_list *list, const struct vcpu *v)
{
    unsigned n = 0;
    for (const struct vcpu *at = list->first; at; at = at->next)
        n += at == v;
    return n;
}

static void assert_consistent(const struct vcpu *v)
{
    unsigned ready = 0, halted = 0, current = 0;
    uint64_t control = v->pi_desc->control;
    for (unsigned c = 0; c < CPUS; c++) {
        ready += count_on(&queues[c].ready, v);
        halted += count_on(&queues[c].halted, v);
        current += queues[c].running == v;
    }
    assert_int_equal(ready, v->state == VCPU_READY);
    assert_int_equal(halted, v->state == VCPU_HALTED);
    assert_int_equal(current, v->state == VCPU_RUNNING);
    assert_int_equal(!!(control & PI_SN), v->state != VCPU_RUNNING && v->state != VCPU_HALTED);
    if (control & PI_SN)
        return;
    assert_int_equal(FIELD_GET(PI_NDST, control), v->cpu->apic_id);
    assert_int_equal(FIELD_GET(PI_NV, control), v->state == VCPU_RUNNING ? VECTOR_ANV : VECTOR_WNV);
    /* Posted and not taken: ON is set, and if v sleeps a wake-up is under way to its home. */
    if (!posted_pending(v->pi_desc))
        return;
    assert_true(control & PI_ON || atomic_load(&v->requests) & VCPU_REQUEST_FOLD);
    if (v->state == VCPU_HALTED)
        assert_true(w.ipis[v->cpu->index] & IPI_WNV);
}

static void assert_rules(void)
{
    for (unsigned i = 0; i < VCPUS; i++)
        assert_consistent(&w.vcpus[i]);
}

/* --- Every order of events -------------------------------------------------------------------- */

enum event { POST, INTERRUPT, ENTER, SLICE, LOOK, SLEEP, EVENT_COUNT };

static bool happens(enum event e, unsigned n)
{
    switch (e) {
    case POST:
        post(n);
        return true;
    case INTERRUPT:
        if (!w.ipis[n])
            return false;
        interrupt(n);
        return true;
    case ENTER:
        enter(n);
        return true;
    case SLICE:
        if (!queues[n].running || w.looked[n])
            return false;
        slice_ends(n);
        return true;
    case LOOK:
        if (!queues[n].running || w.looked[n])
            return false;
        looks_before_hlt(n);
        return true;
    case SLEEP:
        if (!w.looked[n])
            return false;
        goes_to_sleep(n);
        return true;
    default:
        return false;
    }
}

static const char *const event_names[] = {"post", "interrupt", "enter", "slice", "look", "sleep"};
static char path[256];
static unsigned long explored;

/* Let everything that is under way arrive: then all that was posted has been taken. */
static void assert_nothing_is_lost(void)
{
    for (unsigned turn = 0; turn < 8; turn++)
        for (unsigned c = 0; c < CPUS; c++) {
            if (w.looked[c])
                goes_to_sleep(c);
            if (w.ipis[c])
                interrupt(c);
            enter(c);
            if (queues[c].running && turn % 2)
                slice_ends(c);
        }
    for (unsigned i = 0; i < VCPUS; i++)
        if (w.posted[i] != w.taken[i])
            fail_msg("vcpu %u: posted %u, taken %u after%s", i, w.posted[i], w.taken[i], path);
}

static void explore(unsigned depth)
{
    struct world saved = w;
    struct run_queue saved_queues[CPUS];
    size_t length = strlen(path);
    memcpy(saved_queues, queues, sizeof(saved_queues));
    for (unsigned e = 0; e < EVENT_COUNT; e++)
        for (unsigned n = 0; n < 2; n++) {
            if (!happens((enum event)e, n))
                continue;
            snprintf(path + length, sizeof(path) - length, " %s(%u)", event_names[e], n);
            assert_rules();
            explored++;
            if (depth > 1)
                explore(depth - 1);
            else
                assert_nothing_is_lost();
            w = saved;
            memcpy(queues, saved_queues, sizeof(saved_queues));
            path[length] = '\0';
        }
}

TEST(every_order_of_events)
{
    for (unsigned i = 0; i < VCPUS; i++)
        sched_start(&w.vcpus[i]);
    explore(7);
    assert_true(explored > 100000);
}

TEST(every_order_on_one_cpu)
{
    for (unsigned i = 0; i < VCPUS; i++) {
        w.vcpus[i].pinned = 0;
        sched_start(&w.vcpus[i]);
    }
    explore(7);
}

/* --- Single rules ----------------------------------------------------------------------------- */

TEST(least_loaded_cpu_first)
{
    sched_start(&w.vcpus[0]);
    sched_start(&w.vcpus[1]);
    assert_ptr_not_equal(w.vcpus[0].cpu, w.vcpus[1].cpu);
    sched_start(&w.vcpus[1]); /* a second start is none */
    assert_rules();
}

TEST(pinned_stays)
{
    for (unsigned i = 0; i < VCPUS; i++) {
        w.vcpus[i].pinned = 1;
        sched_start(&w.vcpus[i]);
    }
    enter(0); /* nothing for it: idle */
    for (unsigned turn = 0; turn < 6; turn++) {
        enter(1);
        assert_int_equal(queues[1].running->index, turn % 2); /* fair: each in its turn */
        slice_ends(1);
        assert_ptr_equal(w.vcpus[turn % 2].cpu, &w.cpus[1]);
        assert_rules();
    }
}

TEST(an_idle_cpu_takes_over)
{
    w.vcpus[0].pinned = w.vcpus[1].pinned = 0;
    sched_start(&w.vcpus[0]);
    sched_start(&w.vcpus[1]);
    enter(1);
    enter(0);
    w.vcpus[0].pinned = -1;
    slice_ends(0);
    assert_ptr_equal(w.vcpus[0].cpu, &w.cpus[1]);
    assert_true(w.ipis[1] & IPI_KICK);      /* it sleeps */
    assert_null(vmx_cpu(&w.cpus[0])->vcpu); /* its registers have left */
    enter(1);
    assert_int_equal(FIELD_GET(PI_NDST, w.pids[0].control), 1);
    assert_int_equal(queues[0].load, 1);
    assert_int_equal(queues[1].load, 1);
}

static void run_until_stopped(unsigned cpu)
{
    if (!take_next(cpu))
        return;
    if (atomic_load(&queues[cpu].running->requests) & VCPU_REQUEST_STOP)
        vcpu_leave(queues[cpu].running, VCPU_STOPPED);
}

TEST(stops_from_every_state)
{
    for (unsigned from = 0; from < 3; from++) {
        create(state);
        struct vcpu *v = &w.vcpus[0];
        v->pinned = 1;
        sched_start(v);
        if (from > 0)
            enter(1);
        if (from > 1) {
            looks_before_hlt(1);
            goes_to_sleep(1);
            assert_int_equal(v->state, VCPU_HALTED);
        }
        on(0);
        sched_request_stop(v);
        run_until_stopped(1);
        assert_int_equal(v->state, VCPU_STOPPED);
        assert_int_equal(v->requests & VCPU_REQUEST_STOP, 0);
        assert_int_equal(queues[1].load, 0);
        assert_null(vmx_cpu(&w.cpus[1])->vcpu);
        assert_rules();
        on(0);
        sched_stop(v); /* stopped already: returns */
        sched_start(v);
        assert_int_equal(v->state, VCPU_READY);
    }
}

TEST(stops_one_of_its_own_queue)
{
    w.vcpus[0].pinned = 0;
    sched_start(&w.vcpus[0]);
    sched_stop(&w.vcpus[0]); /* we are on CPU 0 ourselves */
    assert_int_equal(w.vcpus[0].state, VCPU_STOPPED);
    assert_rules();
    sched_start(&w.vcpus[0]);
    enter(0);
    looks_before_hlt(0);
    goes_to_sleep(0);
    vmx_cpu(here)->vcpu = NULL;
    sched_stop(&w.vcpus[0]); /* the request wakes it up, and then it waits in our queue */
    assert_int_equal(w.vcpus[0].state, VCPU_STOPPED);
    assert_rules();
}

/* Of two that a notification finds, the first runs at once, and the other waits for its turn. */
TEST(a_wake_up_of_an_idle_cpu)
{
    for (unsigned i = 0; i < VCPUS; i++) {
        w.vcpus[i].pinned = 0;
        sched_start(&w.vcpus[i]);
    }
    for (unsigned i = 0; i < VCPUS; i++) {
        enter(0);
        looks_before_hlt(0);
        goes_to_sleep(0);
        assert_int_equal(w.vcpus[i].state, VCPU_HALTED);
        w.vcpus[i].turn_end = 1;
    }
    assert_int_equal(queues[0].busy, 0);
    post(0);
    post(1);
    interrupt(0);
    assert_ptr_equal(queues[0].running, &w.vcpus[0]);
    assert_ptr_equal(queues[0].ready.first, &w.vcpus[1]);
    assert_int_equal(w.vcpus[0].requests, VCPU_REQUEST_SHARE);
    assert_int_not_equal(w.vcpus[0].turn_end, 1); /* a turn begins */
    assert_int_equal(queues[0].busy, 2);
    assert_rules();
}

/* Else a guest that halts with an interrupt posted never gives its CPU to another one. */
TEST(one_that_does_not_sleep_has_no_new_turn)
{
    w.vcpus[0].pinned = 0;
    sched_start(&w.vcpus[0]);
    enter(0);
    looks_before_hlt(0);
    post(0);
    w.vcpus[0].turn_end = 1;
    goes_to_sleep(0);
    assert_int_equal(w.vcpus[0].state, VCPU_RUNNING);
    assert_int_equal(w.vcpus[0].turn_end, 1);
    assert_rules();
}

/* Else a vCPU that is alone keeps its long slice when another one comes. */
TEST(the_running_one_is_asked_to_share)
{
    w.vcpus[0].pinned = w.vcpus[1].pinned = 1;
    sched_start(&w.vcpus[0]);
    enter(1);
    assert_int_equal(w.vcpus[0].requests, 0);
    w.ipis[1] = 0;
    on(0);
    sched_start(&w.vcpus[1]);
    assert_int_equal(w.vcpus[0].requests, VCPU_REQUEST_SHARE);
    assert_int_equal(w.ipis[1], IPI_KICK);
}

TEST(a_request_keeps_awake)
{
    struct vcpu *v = &w.vcpus[0];
    sched_start(v);
    enter(0);
    looks_before_hlt(0);
    sched_wake(v); /* between the look and the sleep */
    goes_to_sleep(0);
    assert_int_equal(v->state, VCPU_RUNNING);
    assert_rules();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(every_order_of_events),
        T(every_order_on_one_cpu),
        T(least_loaded_cpu_first),
        T(pinned_stays),
        T(an_idle_cpu_takes_over),
        T(stops_from_every_state),
        T(stops_one_of_its_own_queue),
        T(the_running_one_is_asked_to_share),
        T(a_request_keeps_awake),
        T(a_wake_up_of_an_idle_cpu),
        T(one_that_does_not_sleep_has_no_new_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
