/* SPDX-License-Identifier: MIT */
/*
 * A ticket lock: CPUs get it in the order in which they asked. Hamlet runs with interrupts off
 * (arch/trap.h), so no interrupt handler can wait for a lock that its own CPU holds. The
 * handler of NMIs could, and so takes no lock.
 * From: everywhere.
 */
#pragma once
#include "arch/x86.h"
#include "lib/atomic.h"

struct spinlock {
    uint32_t next, serving;
};

#ifdef HAMLET_EXPLORE /* the explorer does not run a CPU that waits for a lock */
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
#else
static inline void spin_lock(struct spinlock *l)
{
    uint32_t ticket = atomic_fetch_add(&l->next, 1);
    while (atomic_load(&l->serving) != ticket)
        cpu_relax();
}

/* Take the lock if it is free; false: it is not. */
static inline bool spin_trylock(struct spinlock *l)
{
    uint32_t ticket = atomic_load(&l->serving);
    return atomic_replace(&l->next, &ticket, ticket + 1);
}

static inline void spin_unlock(struct spinlock *l)
{
    /* Only the holder writes `serving`. Release order is enough, and costs no fence. */
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}
#endif
