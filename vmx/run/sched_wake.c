/* SPDX-License-Identifier: MIT */
/*
 * How a vCPU comes into the queue of a CPU, from any CPU: it starts, migrates, or is woken up by
 * another one. What a CPU does with its own queue is in vmx/run/sched.c, with the invariants.
 * From: vmx/run/sched_start.c (a start), vmx/run/sched.c (a migration), vmx/run/post.c and guest/
 * (sched_wake).   To: vmx/vcpu/posted.c, arch/cpu.c (cpu_kick).
 * Hot: each wake-up by another vCPU.
 */
#include "vmx/run/sched.h"
#include "vmx/run/queue.h"
#include "vmx/vcpu/posted.h"
#include "vmx/vcpu/request.h"
#include "arch/trace.h"

void sched_to_ready(struct run_queue *q, struct vcpu *v)
{
    posted_to_ready(v->pi_desc);
    TRACE(TRACE_QUEUE, v->trace_id, v->state, v->cpu->index, v->requests, 0);
    v->state = VCPU_READY;
    list_append(&q->ready, v);
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

bool sched_wake_locked(struct run_queue *q, struct vcpu *v)
{
    queue_off_wake_list(q, v);
    sched_to_ready(q, v);
    return share(q);
}

/* v is on no list. An idle CPU needs a kick: it has looked at its queue already. */
void sched_enqueue(struct cpu *cpu, struct vcpu *v)
{
    struct run_queue *q = vmx_cpu(cpu)->queue;
    spin_lock(&q->lock);
    atomic_store(&v->cpu, cpu);
    q->load++;
    q->busy++;
    sched_to_ready(q, v);
    bool kick = share(q) || q->idle;
    spin_unlock(&q->lock);
    if (kick && cpu != this_cpu())
        cpu_kick(cpu);
}

/* The queue of v's home, locked; NULL if v never had one. The home may change until then. */
static struct run_queue *lock_home(struct vcpu *v)
{
    for (;;) {
        struct cpu *home = atomic_load(&v->cpu);
        if (!home)
            return NULL;
        struct run_queue *q = vmx_cpu(home)->queue;
        spin_lock(&q->lock);
        if (atomic_load(&v->cpu) == home)
            return q;
        spin_unlock(&q->lock);
    }
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
        kick |= sched_wake_locked(q, v);
    spin_unlock(&q->lock);
    if (kick && home != this_cpu())
        cpu_kick(home);
}
