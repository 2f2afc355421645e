/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU runs where. Each CPU has a queue of vCPUs that are READY, first come, first served, a slice
 * of a millisecond each, and a wake list of those that are HALTED; a CPU with nothing to run sleeps. A
 * vCPU that has a CPU for itself is left alone: its slice is long, and cut short when another comes.
 * To choose the next one takes as long with one as with many. Only a wake list is looked through, as a
 * notification does not say for whom it is.
 * From: guest/life/run.c (sched_start), boot/main.c (sched_run).   To: vmx/run/run.c (vcpu_run).
 * Spec: SDM "Posted-Interrupt Processing"; the three states and their descriptors: lib/pi_desc.h.
 *
 * INVARIANTS
 *   A vCPU's registers are in a CPU only if v->cpu is that CPU, and only that CPU changes v->cpu of a
 *   vCPU that is not STOPPED or WAIT_SIPI. So a migration needs no word with anybody else.
 *   A vCPU is on the wake list before its descriptor says WNV: a notification always finds it.
 *   Whoever changes a request sets it first and looks at the state after; whoever falls asleep does the
 *   opposite. So one of the two sees the other.
 * Host interrupts are taken in two places (arch/trap.h), where no lock of this file is held.
 */
#include "vmx/run/sched.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/posted.h"
#include "vmx/run/run.h"
#include "vmx/run/vcpu_list.h"
#include "arch/apic.h"
#include "arch/panic.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "arch/spinlock.h"

struct run_queue {
    struct spinlock lock;
    struct vcpu_list ready, halted; /* the wake list */
    unsigned load;                  /* vCPUs whose home this is */
    unsigned busy;                  /* those of them that are not halted */
    bool idle;                      /* asleep, or about to be */
    uint64_t tick;                  /* TSC at which its CPU asks done() again */
};
static struct run_queue queues[CPU_MAX];

static struct run_queue *queue_of(const struct cpu *cpu) { return &queues[cpu->index]; }
static struct run_queue *own_queue(void) { return this_vmx_cpu()->queue; }

/* STOPPED and WAIT_SIPI have no home whose lock could guard them. Taken before any queue's lock. */
static struct spinlock start_lock;

/* What must not wait for the next interrupt: attend() has not seen it yet. */
#define REQUESTS_UNSEEN                                                                            \
    (VCPU_REQUEST_STOP | VCPU_REQUEST_INIT | VCPU_REQUEST_SIPI | VCPU_REQUEST_RELOAD |             \
     VCPU_REQUEST_FOLD)

/* --- State changes; the queue's lock is held --------------------------------------------------- */

static void to_ready(struct run_queue *q, struct vcpu *v)
{
    posted_to_ready(v->pi_desc);
    v->state = VCPU_READY;
    list_append(&q->ready, v);
}

static void to_running(struct vcpu *v)
{
    posted_to_running(v->pi_desc, this_cpu()->apic_id, apic_is_x2apic());
    v->state = VCPU_RUNNING;
    /* While SN was 1 nothing set ON: look at PIR in any case. */
    atomic_fetch_or(&v->requests, VCPU_REQUEST_FOLD);
}

/* Somebody waits behind what runs on `cpu`, whose queue's lock is held. True: it has to be kicked, so that
 * it notices. What is loaded there cannot go away without that lock. */
static bool share(struct cpu *cpu)
{
    struct vcpu *v = atomic_load(&vmx_cpu(cpu)->vcpu);
    if (!v || v->state != VCPU_RUNNING)
        return false;
    atomic_fetch_or(&v->requests, VCPU_REQUEST_SHARE);
    return cpu != this_cpu();
}

static void halted_to_ready(struct run_queue *q, struct vcpu *v)
{
    list_remove(&q->halted, v);
    q->busy++;
    to_ready(q, v);
}

/* False: there is work after all, v stays awake. */
static bool to_halted(struct run_queue *q, struct vcpu *v)
{
    v->state = VCPU_HALTED;
    list_append(&q->halted, v);
    bool sleeps = posted_to_halted(v->pi_desc, this_cpu()->apic_id, apic_is_x2apic());
    if (sleeps && !(atomic_load(&v->requests) & REQUESTS_UNSEEN)) {
        q->busy--;
        return true;
    }
    list_remove(&q->halted, v);
    to_running(v);
    return false;
}

/* The queue of v's home, locked; NULL if it never had one. The home may move until the lock is taken. */
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

/* --- Choosing a CPU ---------------------------------------------------------------------------- */

static struct cpu *least_loaded(void)
{
    struct cpu *best = this_cpu();
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);
        if (vmx_cpu(cpu)->queue && queue_of(cpu)->load < queue_of(best)->load)
            best = cpu;
    }
    return best;
}

/* The CPU that fewest vCPUs want, if they are fewer than here; else NULL. One less is enough: then CPUs and
 * vCPUs change by turns, and three vCPUs on two CPUs come equally far. */
static struct cpu *lighter_cpu(void)
{
    unsigned least = own_queue()->busy;
    struct cpu *best = NULL;
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);
        unsigned busy = vmx_cpu(cpu)->queue ? atomic_load(&queue_of(cpu)->busy) : least;
        if (busy >= least)
            continue;
        least = busy;
        best = cpu;
    }
    return best;
}

static void enqueue_at(struct cpu *cpu, struct vcpu *v)
{
    struct run_queue *q = queue_of(cpu);
    spin_lock(&q->lock);
    atomic_store(&v->cpu, cpu);
    q->load++;
    q->busy++;
    to_ready(q, v);
    bool kick = share(cpu) || (q->idle && cpu != this_cpu());
    spin_unlock(&q->lock);
    if (kick)
        cpu_kick(cpu);
}

/* v, on no list and of this CPU, waits for a CPU: a lighter one, if it may go there, else its home. */
static void wait_for_cpu(struct vcpu *v)
{
    struct cpu *to = v->pinned < 0 ? lighter_cpu() : NULL;
    struct run_queue *here = own_queue();
    if (to && this_vmx_cpu()->vcpu == v)
        vcpu_unload(v);
    spin_lock(&here->lock);
    here->load--;
    here->busy--;
    spin_unlock(&here->lock);
    enqueue_at(to ? to : this_cpu(), v);
}

/* --- Starting, waking, stopping ---------------------------------------------------------------- */

unsigned sched_load(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < cpu_count(); i++)
        n += atomic_load(&queues[i].load);
    return n;
}

static void start_locked(struct vcpu *v)
{
    struct cpu *cpu = v->pinned >= 0 ? cpu_get((unsigned)v->pinned % cpu_count()) : least_loaded();
    enqueue_at(cpu, v);
}

static bool is_away(const struct vcpu *v)
{
    return v->state == VCPU_STOPPED || v->state == VCPU_WAIT_SIPI;
}

void sched_start(struct vcpu *v)
{
    spin_lock(&start_lock);
    if (is_away(v))
        start_locked(v);
    spin_unlock(&start_lock);
}

void sched_wake(struct vcpu *v)
{
    struct run_queue *q = lock_home(v);
    if (!q)
        return;
    struct cpu *home = v->cpu;
    atomic_fetch_or(&v->requests, VCPU_REQUEST_FOLD);
    bool kick = home != this_cpu() && (v->state == VCPU_RUNNING || q->idle);
    if (v->state == VCPU_HALTED) {
        halted_to_ready(q, v);
        kick |= share(home);
    }
    spin_unlock(&q->lock);
    if (kick)
        cpu_kick(home);
}

void sched_request_stop(struct vcpu *v)
{
    spin_lock(&start_lock);
    if (is_away(v))
        v->state = VCPU_STOPPED;
    else
        atomic_fetch_or(&v->requests, VCPU_REQUEST_STOP);
    spin_unlock(&start_lock);
    sched_wake(v);
}

/* The end of every way out: its registers are in memory, its descriptor notifies nobody. */
static void vcpu_leave(struct vcpu *v, enum vcpu_state state)
{
    struct run_queue *q = own_queue();
    if (this_vmx_cpu()->vcpu == v)
        vcpu_unload(v);
    posted_to_ready(v->pi_desc);
    spin_lock(&q->lock);
    q->load--;
    q->busy--;
    spin_unlock(&q->lock);
    atomic_fetch_and(&v->requests, ~(uint32_t)(VCPU_REQUEST_STOP | VCPU_REQUEST_INIT));
    atomic_store(&v->state, state);
}

static void after_stop(struct vcpu *v)
{
    spin_lock(&start_lock);
    vcpu_leave(v, VCPU_STOPPED);
    spin_unlock(&start_lock);
}

/* v waits in the queue of this very CPU, whose turn does not come while we wait. */
static void stop_here(struct vcpu *v)
{
    struct run_queue *q = own_queue();
    spin_lock(&q->lock);
    bool waits = v->state == VCPU_READY && v->cpu == this_cpu();
    if (waits)
        list_remove(&q->ready, v);
    spin_unlock(&q->lock);
    if (waits)
        after_stop(v);
}

void sched_stop(struct vcpu *v)
{
    sched_request_stop(v);
    while (atomic_load(&v->state) != VCPU_STOPPED) {
        if (atomic_load(&v->cpu) == this_cpu())
            stop_here(v);
        cpu_relax();
    }
}

void vcpu_init_signal(struct vcpu *v)
{
    spin_lock(&start_lock);
    if (is_away(v))
        v->state = VCPU_WAIT_SIPI;
    else
        atomic_fetch_or(&v->requests, VCPU_REQUEST_INIT);
    spin_unlock(&start_lock);
    sched_wake(v);
}

void vcpu_sipi(struct vcpu *v, uint8_t vector)
{
    spin_lock(&start_lock);
    if (v->state == VCPU_WAIT_SIPI || (atomic_load(&v->requests) & VCPU_REQUEST_INIT)) {
        v->sipi_vector = vector;
        atomic_fetch_or(&v->requests, VCPU_REQUEST_SIPI);
    }
    if (v->state == VCPU_WAIT_SIPI)
        start_locked(v);
    spin_unlock(&start_lock);
}

bool sched_knows(const struct vcpu *v)
{
    bool found = false;
    for (unsigned i = 0; i < CPU_MAX && !found; i++) {
        spin_lock(&queues[i].lock);
        found = list_holds(&queues[i].ready, v) || list_holds(&queues[i].halted, v);
        spin_unlock(&queues[i].lock);
    }
    return found;
}

/* --- Host interrupts --------------------------------------------------------------------------- */

static bool has_notification(const struct vcpu *v)
{
    return atomic_load(&v->pi_desc->control) & PI_ON;
}

static bool timer_is_due(const struct vcpu *v)
{
    return v->timer_deadline && rdtsc() >= v->timer_deadline;
}

/* Move every halted vCPU of this CPU that `due` names to READY. */
static void wake_those(bool (*due)(const struct vcpu *))
{
    struct run_queue *q = own_queue();
    spin_lock(&q->lock);
    for (struct vcpu *v = q->halted.first, *next; v; v = next) {
        next = v->next;
        if (!due(v))
            continue;
        halted_to_ready(q, v);
        (void)share(this_cpu());
    }
    spin_unlock(&q->lock);
}

void sched_notified(void) { wake_those(has_notification); }

/* The host's timer stands in for those of the halted vCPUs; `latest` bounds a sleep. */
static void arm_host_timer(uint64_t latest)
{
    struct run_queue *q = own_queue();
    uint64_t first = latest;
    spin_lock(&q->lock);
    for (struct vcpu *v = q->halted.first; v; v = v->next)
        if (v->timer_deadline && (!first || v->timer_deadline < first))
            first = v->timer_deadline;
    spin_unlock(&q->lock);
    apic_timer_at(first);
}

static void on_timer(void *ctx)
{
    (void)ctx;
    wake_those(timer_is_due);
    arm_host_timer(0);
}

static void on_wake_up(void *ctx)
{
    (void)ctx;
    sched_notified();
}

/* The exit that it caused is all that was wanted: ON is looked at before the next entry. */
static void on_active_notification(void *ctx) { (void)ctx; }

void sched_init_cpu(void)
{
    this_vmx_cpu()->queue = queue_of(this_cpu());
    if (this_cpu()->index != 0)
        return;
    irq_register(VECTOR_TIMER, on_timer, NULL);
    irq_register(VECTOR_WNV, on_wake_up, NULL);
    irq_register(VECTOR_ANV, on_active_notification, NULL);
}

/* --- The loop ---------------------------------------------------------------------------------- */

static struct vcpu *pick(struct run_queue *q)
{
    spin_lock(&q->lock);
    struct vcpu *v = q->ready.first;
    if (v) {
        list_remove(&q->ready, v);
        to_running(v);
    }
    spin_unlock(&q->lock);
    return v;
}

/* IF = 0 from the look at the queue to the HLT: whoever puts something in it later, kicks. */
static void sleep_for_work(struct run_queue *q)
{
    spin_lock(&q->lock);
    bool nothing = !q->ready.first;
    atomic_store(&q->idle, nothing);
    spin_unlock(&q->lock);
    if (nothing) {
        bool ticks =
            this_cpu()->index == 0; /* it looks after the console, and after VMs that end */
        arm_host_timer(ticks ? q->tick : 0);
        this_vmx_cpu()->sleeps++;
        cpu_wait();
        atomic_store(&q->idle, false);
        arm_host_timer(0); /* no tick into a guest */
    }
}

static struct vcpu *after_slice(struct run_queue *q, struct vcpu *v)
{
    spin_lock(&q->lock);
    bool others = q->ready.first;
    spin_unlock(&q->lock);
    if (!others)
        return v;
    wait_for_cpu(v);
    return NULL;
}

static struct vcpu *after_hlt(struct run_queue *q, struct vcpu *v)
{
    spin_lock(&q->lock);
    bool asleep = to_halted(q, v);
    spin_unlock(&q->lock);
    if (!asleep)
        return v;
    if (v->timer_deadline)
        arm_host_timer(0);
    return NULL;
}

/* INIT was taken. A STARTUP that came in the meantime counts. */
static void after_init(struct vcpu *v)
{
    spin_lock(&start_lock);
    vcpu_leave(v, VCPU_WAIT_SIPI);
    if (atomic_load(&v->requests) & VCPU_REQUEST_SIPI)
        start_locked(v);
    spin_unlock(&start_lock);
}

/* Whoever comes into the queue after this look finds v loaded here, and makes it share. */
static uint64_t slice_end(struct run_queue *q)
{
    spin_lock(&q->lock);
    bool others = q->ready.first;
    spin_unlock(&q->lock);
    uint64_t end = sched_deadline(others ? SCHED_SLICE_US : SCHED_ALONE_US);
    return this_cpu()->index == 0 ? MIN(end, q->tick) : end;
}

/* One slice. Returns v if it keeps this CPU. */
static struct vcpu *run_slice(struct run_queue *q, struct vcpu *v)
{
    vcpu_load(v);
    v->slice_end = slice_end(q);
    TRACE(TRACE_SCHED, v->trace_id, 0, 0, 0, 0);
    enum vcpu_left left = vcpu_run(v);
    TRACE(TRACE_SCHED, v->trace_id, 0, 1 + (unsigned)left, 0, 0);
    switch (left) {
    case LEFT_PREEMPTED:
        return after_slice(q, v);
    case LEFT_HALTED:
        return after_hlt(q, v);
    case LEFT_WAIT_SIPI:
        after_init(v);
        return NULL;
    case LEFT_STOPPED:
        after_stop(v);
        return NULL;
    }
    return NULL;
}

void sched_run(bool (*done)(void))
{
    struct run_queue *q = own_queue();
    struct vcpu *v = NULL;
    for (;;) {
        if (rdtsc() >= q->tick) { /* not at each turn: it looks after console, debugger and VMs */
            if (done())
                break;
            q->tick = sched_deadline(SCHED_TICK_US);
        }
        if (!v)
            v = pick(q);
        if (v)
            v = run_slice(q, v);
        else
            sleep_for_work(q);
    }
    if (v)
        wait_for_cpu(v);
}
