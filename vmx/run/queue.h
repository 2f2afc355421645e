/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a CPU, and how a vCPU comes into it and leaves it. Private to vmx/run/.
 * From: vmx/run/sched.c, sched_start.c, sched_wake.c, which write it; vmx/run/place.c, post.c.
 * To: vmx/run/sched_wake.c, sched_start.c.
 */
#pragma once
#include "arch/spinlock.h"
#include "vmx/cpu.h"
#include "vmx/run/vcpu_list.h"

struct run_queue {
    struct spinlock lock;
    struct vcpu_list ready, halted; /* halted: the wake list */
    struct vcpu *running;           /* RUNNING here; NULL: none is. Only its CPU changes it */
    unsigned load;                  /* vCPUs whose home this is */
    unsigned busy;                  /* those of them that are not halted */
    bool idle;                      /* asleep, or about to be */
    uint64_t turn;                  /* TSC ticks that each has while another waits */
    uint64_t ndst;                  /* its CPU, as a descriptor names it: posted_ndst() */
    uint64_t tick;                  /* TSC at which its CPU asks done() again */
    uint64_t timer;                 /* TSC at which its CPU's timer fires; 0: it is off */
};

static inline struct run_queue *queue_here(void) { return this_vmx_cpu()->queue; }

/* From HALTED to another state. The queue's lock is held. */
static inline void queue_off_wake_list(struct run_queue *q, struct vcpu *v)
{
    list_remove(&q->halted, v);
    q->busy++;
}

/* vmx/run/sched_wake.c */
/* v waits in the queue of its home, whose lock is held. */
void sched_to_ready(struct run_queue *q, struct vcpu *v);
/* HALTED -> READY; the lock of q is held. True: the CPU of q is in a guest. If that is another CPU,
 * kick it, so that it learns that v waits. */
bool sched_wake_locked(struct run_queue *q, struct vcpu *v);
/* v is on no list: `cpu` becomes its home, where it is READY. No queue's lock is held. */
void sched_enqueue(struct cpu *cpu, struct vcpu *v);

/* vmx/run/sched_start.c: v leaves its home, which is this CPU, for STOPPED or WAIT_SIPI. It is on
 * no list, and no lock is held. */
void vcpu_leave(struct vcpu *v, enum vcpu_state state);
