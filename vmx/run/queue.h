/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a CPU. Private to vmx/run/.
 * From: vmx/run/sched.c, which writes it; vmx/run/place.c, vmx/run/post.c.
 */
#pragma once
#include "arch/spinlock.h"
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
