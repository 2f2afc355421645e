/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU runs where. Each CPU has a queue of READY vCPUs, first come, first served, and a wake
 * list of HALTED ones. The first of the queue has a turn of a millisecond; a CPU with an empty
 * queue sleeps. A vCPU that no other waits behind has a longer slice. When another vCPU comes, the
 * slice ends with the turn: at once, if that is over. So the vCPU that has run longest gives way.
 * Only a wake list is searched, because a notification does not name its vCPU.
 * From: guest/life/run.c (sched_start), boot/main.c (sched_run).   To: vmx/run/run.c, place.c,
 * vmx/vcpu/load.c (each slice), vmx/vcpu/posted.c (each change of a state).
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
#include "vmx/vcpu/posted.h"
#include "vmx/run/place.h"
#include "vmx/run/run.h"
#include "vmx/run/queue.h"
#include "vmx/vcpu/request.h"
#include "arch/apic.h"
#include "arch/panic.h"
#include "arch/trace.h"
#include "arch/spinlock.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/watch.h"

static struct run_queue queues[CPU_MAX];

static struct run_queue *queue_of(const struct cpu *cpu) { return &queues[cpu->index]; }
static struct run_queue *own_queue(void) { return this_vmx_cpu()->queue; }

/* Guards the ways into and out of STOPPED and WAIT_SIPI, where a vCPU is on no queue. */
static struct spinlock start_lock = {.name = "start_lock"};

/* A vCPU with one of these requests does not fall asleep: attend() has not seen the request yet. */
#define REQUESTS_UNSEEN                                                                            \
    (VCPU_REQUEST_STOP | VCPU_REQUEST_INIT | VCPU_REQUEST_SIPI | VCPU_REQUEST_RELOAD |             \
     VCPU_REQUEST_FOLD)

/* --- State changes; the queue's lock is held -------------------------------------------------- */

static void to_ready(struct run_queue *q, struct vcpu *v)
{
    posted_to_ready(v->pi_desc);
    TRACE(TRACE_QUEUE, v->trace_id, v->state, q - queues, v->requests, 0);
    v->state = VCPU_READY;
    list_append(&q->ready, v);
}

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

/* A vCPU waits in the queue: ask the one that runs there to end its slice soon. The queue's lock is
 * held, and without it the running vCPU cannot leave. True: if that is another CPU, the caller has
 * to kick it, so that the request is seen. */
static bool share(struct run_queue *q)
{
    struct vcpu *v = q->running;
    if (!v)
        return false;
    vcpu_request(v, VCPU_REQUEST_SHARE);
    return true;
}

static void off_wake_list(struct run_queue *q, struct vcpu *v)
{
    list_remove(&q->halted, v);
    q->busy++;
}

/* True: as share(). */
static bool halted_to_ready(struct run_queue *q, struct vcpu *v)
{
    off_wake_list(q, v);
    to_ready(q, v);
    return share(q);
}

/* This is the CPU of q, so no kick is due. If it has nothing else to run, v's turn begins at once:
 * v is not READY in between. */
static void wake_here(struct run_queue *q, struct vcpu *v)
{
    if (q->running || q->ready.first) {
        (void)halted_to_ready(q, v);
    } else {
        off_wake_list(q, v);
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

/* The queue of v's home, locked; NULL if v never had one. The home may change until then. */
static struct run_queue *lock_home(struct vcpu *v)
{
    for (;;) {
        struct cpu *home = atomic_load(&v->cpu);
        if (!home)
            return NULL;
        struct run_queue *q = queue_of(home);
        spin_lock(&q->lock);
        if (atomic_load(&v->cpu) == home)
            return q;
        spin_unlock(&q->lock);
    }
}

/* --- Coming to a CPU -------------------------------------------------------------------------- */

/* v is on no list. An idle CPU needs a kick: it has looked at its queue already. */
static void enqueue_at(struct cpu *cpu, struct vcpu *v)
{
    struct run_queue *q = queue_of(cpu);
    spin_lock(&q->lock);
    atomic_store(&v->cpu, cpu);
    q->load++;
    q->busy++;
    to_ready(q, v);
    bool kick = share(q) || q->idle;
    spin_unlock(&q->lock);
    if (kick && cpu != this_cpu())
        cpu_kick(cpu);
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
        to_ready(here, v);
    }
    next_turn(here);
    spin_unlock(&here->lock);
    if (to)
        enqueue_at(to, v);
}

/* --- Starting, waking, stopping --------------------------------------------------------------- */

static COLD void start_locked(struct vcpu *v)
{
    unsigned pinned = (unsigned)v->pinned % cpu_count();
    enqueue_at(v->pinned >= 0 ? cpu_get(pinned) : place_first(v), v);
}

static bool is_away(const struct vcpu *v)
{
    return v->state == VCPU_STOPPED || v->state == VCPU_WAIT_SIPI;
}

COLD void sched_start(struct vcpu *v)
{
    spin_lock(&start_lock);
    if (is_away(v))
        start_locked(v);
    spin_unlock(&start_lock);
}

/* The CPU of a RUNNING vCPU is kicked too: the request counts from its next entry. */
void sched_wake(struct vcpu *v)
{
    struct run_queue *q = lock_home(v);
    if (!q)
        return;
    struct cpu *home = v->cpu;
    vcpu_request(v, VCPU_REQUEST_FOLD);
    bool kick = v->state == VCPU_RUNNING || q->idle;
    if (v->state == VCPU_HALTED)
        kick |= halted_to_ready(q, v);
    spin_unlock(&q->lock);
    if (kick && home != this_cpu())
        cpu_kick(home);
}

COLD void sched_await_startup(struct vcpu *v)
{
    spin_lock(&start_lock);
    v->state = VCPU_WAIT_SIPI;
    spin_unlock(&start_lock);
}

/* v shall become STOPPED: here, if v is on no CPU; else its own CPU carries it out. */
COLD void sched_request_stop(struct vcpu *v)
{
    spin_lock(&start_lock);
    if (is_away(v))
        v->state = VCPU_STOPPED;
    else
        vcpu_request(v, VCPU_REQUEST_STOP);
    spin_unlock(&start_lock);
    sched_wake(v);
}

/* One that is STOPPED, as its VM is paused or a user looks at it, is reset when it starts. A
 * STARTUP that came before the INIT does not count any more. */
COLD void vcpu_init_signal(struct vcpu *v)
{
    spin_lock(&start_lock);
    if (v->state != VCPU_WAIT_SIPI) {
        vcpu_request(v, VCPU_REQUEST_INIT); /* first, or v could run with neither */
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SIPIS);
    }
    spin_unlock(&start_lock);
    sched_wake(v);
}

/* v is WAIT_SIPI. start_lock is held. */
static COLD void start_at_sipi(struct vcpu *v)
{
    vcpu_request(v, VCPU_REQUEST_SIPI);
    atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SIPI_2);
    start_locked(v);
}

/* The end of every way out. `state` is published last: from then on another CPU may start v, or
 * free it, so before that its registers are in memory and its descriptor notifies no CPU. */
static COLD void vcpu_leave(struct vcpu *v, enum vcpu_state state)
{
    struct run_queue *q = own_queue();
    spin_lock(&start_lock);
    vcpu_release(v);
    posted_to_ready(v->pi_desc);
    spin_lock(&q->lock);
    if (q->running == v)
        q->running = NULL;
    q->load--;
    q->busy--;
    spin_unlock(&q->lock);
    /* A stop that came behind an INIT counts; then the INIT is carried out again at the start. */
    if (atomic_load(&v->requests) & VCPU_REQUEST_STOP)
        state = VCPU_STOPPED;
    uint32_t done = state == VCPU_STOPPED ? VCPU_REQUEST_STOP : VCPU_REQUEST_INIT;
    atomic_fetch_and(&v->requests, ~done);
    atomic_store(&v->state, state);
    /* A STARTUP that came between the INIT and here counts. */
    if (state == VCPU_WAIT_SIPI && (atomic_load(&v->requests) & VCPU_REQUEST_SIPI_2))
        start_at_sipi(v);
    spin_unlock(&start_lock);
}

/* v may wait in the queue of this CPU, which does not get to it while this CPU waits for v. */
static COLD void stop_here(struct vcpu *v)
{
    struct run_queue *q = own_queue();
    spin_lock(&q->lock);
    bool waits = v->state == VCPU_READY && v->cpu == this_cpu();
    if (waits)
        list_remove(&q->ready, v);
    spin_unlock(&q->lock);
    if (waits)
        vcpu_leave(v, VCPU_STOPPED);
}

COLD void sched_stop(struct vcpu *v)
{
    struct watch watch = {0};
    sched_request_stop(v);
    while (atomic_load(&v->state) != VCPU_STOPPED) {
        if (atomic_load(&v->cpu) == this_cpu())
            stop_here(v);
        watch_wait(&watch, v->cpu->index, 0, "a CPU", "to stop its vCPU");
    }
}

/* Only a vCPU that waits for a STARTUP, or has an INIT before it that makes it wait, takes one. The
 * latter has a request of its own, as attend() may be about to carry out an earlier STARTUP. */
COLD void vcpu_sipi(struct vcpu *v, uint8_t vector)
{
    spin_lock(&start_lock);
    bool waits = v->state == VCPU_WAIT_SIPI;
    if (waits || (atomic_load(&v->requests) & VCPU_REQUEST_INIT)) {
        v->sipi_vector = vector;
        vcpu_request(v, VCPU_REQUEST_SIPI_2);
    }
    if (waits)
        start_at_sipi(v);
    spin_unlock(&start_lock);
}

/* --- Host interrupts -------------------------------------------------------------------------- */

/* A notification does not say for which vCPU it is: for each with ON set. */
static void on_wake_up(void *ctx)
{
    (void)ctx;
    struct run_queue *q = own_queue();
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
    struct run_queue *q = own_queue();
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

/* Nothing to do: if a guest ran, it has exited, and that exit looks at ON. */
static void on_active_notification(void *ctx) { (void)ctx; }

bool sched_is_idle(const struct cpu *cpu) { return atomic_load(&queue_of(cpu)->idle); }

COLD void sched_init_cpu(void)
{
    this_vmx_cpu()->queue = queue_of(this_cpu());
    own_queue()->lock.name = "run queue";
    list_init(&own_queue()->ready);
    list_init(&own_queue()->halted);
    own_queue()->ndst = posted_ndst(this_cpu()->apic_id, apic_is_x2apic());
    if (this_cpu()->index != 0)
        return;
    irq_register(VECTOR_TIMER, on_timer, NULL);
    irq_register(VECTOR_WNV, on_wake_up, NULL);
    irq_register(VECTOR_ANV, on_active_notification, NULL);
}

/* --- The loop --------------------------------------------------------------------------------- */

/* `idle` is set under the lock, so a later enqueue_at() kicks this CPU. IF is 0 from here to the
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
    struct run_queue *q = own_queue();
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
