/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU runs where. Each CPU has a queue of READY vCPUs, first come, first served, and a wake
 * list of HALTED ones. The first of the queue has a turn of a millisecond; a CPU with an empty
 * queue sleeps. A vCPU that no other waits behind has a longer slice. When another vCPU comes, the
 * slice ends with the turn: at once, if that is over. So the vCPU that has run longest gives way.
 * Only a wake list is searched, because a notification does not name its vCPU.
 * How a vCPU comes into a queue is in sched_wake.c, how it starts and stops in sched_start.c.
 * From: guest/life/run.c (sched_run), vmx/run/post.c (sched_notified).
 * To: vmx/run/run.c, place.c, sched_wake.c, sched_start.c (vcpu_leave); vmx/vcpu/load.c (each
 * slice), vmx/vcpu/posted.c (each change of a state).
 * Hot: each HLT, each wake-up, each end of a slice.
 * Spec: SDM "Posted-Interrupt Processing"; the three states and their descriptors: lib/pi_desc.h.
 *
 * INVARIANTS
 * - The registers of a vCPU are loaded in a CPU only if v->cpu is that CPU. Only that CPU changes
 *   v->cpu, unless v is STOPPED or WAIT_SIPI. So a migration needs no handshake.
 * - A vCPU is on the wake list before its descriptor says WNV, so a notification always finds it.
 * - Sender of a request: set the request, then look at the state. vCPU that falls asleep: set the
 *   state, then look at the requests. So one of the two always sees the other.
 * - Order of locks: start_lock, then one queue's lock. No function holds the locks of two queues.
 * - A host interrupt is taken in two places only (arch/trap.h). No lock of this file is held there.
 */
#include "vmx/run/sched.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/posted.h"
#include "vmx/run/place.h"
#include "vmx/run/run.h"
#include "vmx/run/queue.h"
#include "arch/apic.h"
#include "arch/panic.h"
#include "arch/trace.h"
#include "arch/spinlock.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/watch.h"

static struct run_queue queues[CPU_MAX];

static struct run_queue *queue_of(const struct cpu *cpu) { return &queues[cpu->index]; }

/* A vCPU with one of these requests does not fall asleep: attend() has not seen the request yet. */
#define REQUESTS_UNSEEN                                                                            \
    (VCPU_REQUEST_STOP | VCPU_REQUEST_INIT | VCPU_REQUEST_SIPI | VCPU_REQUEST_RELOAD |             \
     VCPU_REQUEST_FOLD)

/* --- State changes; the queue's lock is held -------------------------------------------------- */

static void to_running(struct run_queue *q, struct vcpu *v)
{
    posted_to_running(v->pi_desc, q->ndst);
    v->state = VCPU_RUNNING;
    q->running = v;
}

static void begin_turn(struct run_queue *q, struct vcpu *v)
{
    to_running(q, v);
    v->turn_end = rdtsc() + q->turn;
}

/* This is the CPU of q, so no kick is due. If it has nothing else to run, v's turn begins at once:
 * v is not READY in between. */
static void wake_here(struct run_queue *q, struct vcpu *v)
{
    if (q->running || q->ready.first) {
        (void)sched_wake_locked(q, v);
    } else {
        queue_off_wake_list(q, v);
        begin_turn(q, v);
    }
}

/* v goes on the wake list first, and only then asks the descriptor and the requests for work: an
 * interrupt that is posted later notifies. If there is work, v stays RUNNING, in the same turn. */
static bool to_halted(struct run_queue *q, struct vcpu *v)
{
    v->state = VCPU_HALTED;
    q->running = NULL;
    list_append(&q->halted, v);
    bool sleeps = posted_to_halted(v->pi_desc, q->ndst);
    if (sleeps && !(atomic_load(&v->requests) & REQUESTS_UNSEEN)) {
        q->busy--;
        return true;
    }
    list_remove(&q->halted, v);
    to_running(q, v);
    return false;
}

/* In: q->running is NULL, and this is the CPU of q. The turn of the first that waits begins; if
 * none does, q->running stays NULL. */
static inline void next_turn(struct run_queue *q)
{
    struct vcpu *v = q->ready.first;
    if (v) {
        list_remove(&q->ready, v);
        begin_turn(q, v);
    }
}

/* v is on no list and its home is this CPU. It waits for a lighter CPU, if it may go there, else
 * for this one. It is unloaded before another CPU can see it. */
static void wait_for_cpu(struct run_queue *here, struct vcpu *v)
{
    struct cpu *to = v->pinned < 0 ? place_lighter(v) : NULL;
    if (to)
        vcpu_release(v);
    spin_lock(&here->lock);
    here->running = NULL;
    if (to) {
        here->load--;
        here->busy--;
    } else {
        sched_to_ready(here, v);
    }
    next_turn(here);
    spin_unlock(&here->lock);
    if (to)
        sched_enqueue(to, v);
}

/* --- Host interrupts -------------------------------------------------------------------------- */

/* A notification does not say for which vCPU it is: for each with ON set. */
static void on_wake_up(void *ctx)
{
    (void)ctx;
    struct run_queue *q = queue_here();
    spin_lock(&q->lock);
    for (struct vcpu *v = q->halted.first, *next; v; v = next) {
        next = v->next;
        if (atomic_load(&v->pi_desc->control) & PI_ON)
            wake_here(q, v);
    }
    spin_unlock(&q->lock);
}

void sched_notified(void) { on_wake_up(NULL); }

/* The host's timer serves the halted vCPUs: it fires no later than at the first of their deadlines.
 * It is set earlier, but never later, as that would be work at each wake-up; if it fires too early,
 * on_timer() sets it again. */
static void timer_by(struct run_queue *q, uint64_t deadline)
{
    if (!deadline || (q->timer && q->timer <= deadline))
        return;
    q->timer = deadline;
    apic_timer_at(deadline);
}

static COLD void on_timer(void *ctx)
{
    (void)ctx;
    struct run_queue *q = queue_here();
    q->timer = 0; /* it fires once */
    spin_lock(&q->lock);
    for (struct vcpu *v = q->halted.first, *next; v; v = next) {
        next = v->next;
        if (v->timer_deadline && rdtsc() >= v->timer_deadline)
            wake_here(q, v);
        else
            timer_by(q, v->timer_deadline);
    }
    spin_unlock(&q->lock);
}

/* A kick, or a notification that the CPU has not processed by itself. In an exit of the vCPU that
 * runs here a request is for attend(). If there is none, the fold is all that is due: the vCPU
 * computes, it is not halted. While this CPU sleeps nothing is due, as a slice begins with
 * attend(). */
static void on_kick(void *ctx)
{
    (void)ctx;
    struct vcpu *v = this_vmx_cpu()->vcpu;
    if (!v || queue_here()->running != v)
        return;
    if (atomic_load(&v->requests))
        v->alarm = 0;
    else if (atomic_load(&v->pi_desc->control) & PI_ON)
        apicv_fold(v);
}

bool sched_is_idle(const struct cpu *cpu) { return atomic_load(&queue_of(cpu)->idle); }

COLD void sched_init_cpu(void)
{
    this_vmx_cpu()->queue = queue_of(this_cpu());
    queue_here()->lock.name = "run queue";
    list_init(&queue_here()->ready);
    list_init(&queue_here()->halted);
    queue_here()->ndst = posted_ndst(this_cpu()->apic_id, apic_is_x2apic());
    if (this_cpu()->index != 0)
        return;
    irq_register(VECTOR_TIMER, on_timer, NULL);
    irq_register(VECTOR_WNV, on_wake_up, NULL);
    irq_register(VECTOR_ANV, on_kick, NULL);
    irq_register(VECTOR_KICK, on_kick, NULL);
}

/* --- The loop --------------------------------------------------------------------------------- */

/* `idle` is set under the lock, so a later sched_enqueue() kicks this CPU. IF is 0 from here to the
 * HLT in cpu_wait(), so the kick cannot come between the two and be lost. */
static void sleep_for_work(struct run_queue *q)
{
    spin_lock(&q->lock);
    next_turn(q);
    bool nothing = !q->running;
    atomic_store(&q->idle, nothing);
    spin_unlock(&q->lock);
    if (!nothing)
        return;
    /* The first CPU wakes up at each tick: it serves the console, and VMs that end. */
    uint64_t look = atomic_load(&q->load) ? 0 : this_vmx_cpu()->next_look;
    timer_by(q, this_cpu()->index == 0 ? q->tick : look);
    this_vmx_cpu()->sleeps++;
    cpu_wait();
    atomic_store(&q->idle, false);
    if (look && q->timer == look) { /* no vCPU needs it, and it shall not come into a guest */
        q->timer = 0;
        apic_timer_at(0);
    }
}

static void after_slice(struct run_queue *q, struct vcpu *v)
{
    /* The first CPU's tick ends a slice, but not a turn. One that is queued later calls share(). */
    if (atomic_load(&q->ready.first) && rdtsc() >= v->turn_end)
        wait_for_cpu(q, v);
}

static void after_hlt(struct run_queue *q, struct vcpu *v)
{
    spin_lock(&q->lock);
    bool sleeps = to_halted(q, v);
    if (sleeps)
        next_turn(q);
    spin_unlock(&q->lock);
    if (sleeps)
        timer_by(q, v->timer_deadline);
}

/* v is q->running since the last time that this CPU had the lock: a vCPU that is queued after this
 * look finds v and calls share(). */
static uint64_t slice_end(const struct run_queue *q, const struct vcpu *v, uint64_t now)
{
    bool others = atomic_load(&q->ready.first);
    if (this_cpu()->index == 0)
        return others ? MIN(v->turn_end, q->tick) : q->tick;
    return others ? v->turn_end : now + q->turn * (SCHED_ALONE_US / SCHED_SLICE_US);
}

static void run_slice(struct run_queue *q, struct vcpu *v, uint64_t now)
{
    vcpu_load(v);
    v->slice_end = slice_end(q, v, now);
    v->alarm = 0; /* a slice begins with attend() */
    TRACE(TRACE_SCHED, v->trace_id, 0, 0, 0, 0);
    enum vcpu_left left = vcpu_run(v, now);
    TRACE(TRACE_SCHED, v->trace_id, 0, 1 + (unsigned)left, 0, 0);
    switch (left) {
    case LEFT_PREEMPTED:
        after_slice(q, v);
        break;
    case LEFT_HALTED:
        after_hlt(q, v);
        break;
    case LEFT_WAIT_SIPI:
        vcpu_leave(v, VCPU_WAIT_SIPI);
        break;
    case LEFT_STOPPED:
        vcpu_leave(v, VCPU_STOPPED);
        break;
    }
}

void sched_run(bool (*done)(void))
{
    struct run_queue *q = queue_here();
    q->turn = sched_scaled(SCHED_SLICE_US) * time_tsc_khz() / 1000;
    for (;;) {
        uint64_t now = rdtsc();
        if (now >= q->tick) { /* not at each turn: done() serves console, debugger and VMs */
            if (done())
                break;
            this_cpu()->signs++;
            now = rdtsc();
            q->tick = now + q->turn * (SCHED_TICK_US / SCHED_SLICE_US);
        }
        if (q->running)
            run_slice(q, q->running, now);
        else
            sleep_for_work(q);
    }
    this_cpu()->signs = 0;
    invariant(!q->running);
}
