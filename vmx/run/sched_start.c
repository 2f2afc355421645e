/* SPDX-License-Identifier: MIT */
/*
 * How a vCPU starts and stops: the ways into and out of STOPPED and WAIT_SIPI, where it has no home
 * and is on no queue. A stop and an INIT are requests: the CPU of the vCPU carries them out.
 * From: guest/life/ (sched_start, sched_stop), guest/pc/vlapic_irq.c (INIT, STARTUP),
 * vmx/run/sched.c (vcpu_leave).
 * To: vmx/run/sched_wake.c (its queue), vmx/run/place.c (which), vmx/vcpu/load.c (vcpu_release).
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
#include "vmx/run/sched.h"
#include "vmx/run/place.h"
#include "vmx/run/queue.h"
#include "vmx/vcpu/posted.h"
#include "vmx/vcpu/request.h"
#include "arch/watch.h"

/* Guards the ways into and out of STOPPED and WAIT_SIPI, where a vCPU is on no queue. */
static struct spinlock start_lock = {.name = "start_lock"};

static COLD void start_locked(struct vcpu *v)
{
    unsigned pinned = (unsigned)v->pinned % cpu_count();
    sched_enqueue(v->pinned >= 0 ? cpu_get(pinned) : place_first(v), v);
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
COLD void vcpu_leave(struct vcpu *v, enum vcpu_state state)
{
    struct run_queue *q = queue_here();
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
    struct run_queue *q = queue_here();
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
