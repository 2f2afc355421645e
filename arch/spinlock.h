/* SPDX-License-Identifier: MIT */
/*
 * Ticket lock: first come, first served. Hamlet runs with interrupts off (arch/trap.h), so a holder
 * is never interrupted by somebody who wants the same lock.
 */
#pragma once
#include "lib/atomic.h"
#include "arch/x86.h"

struct spinlock {
    uint32_t next, serving;
};

#ifdef HAMLET_EXPLORE /* who waits is not run: the explorer has no time to spin */
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
#else
static inline void spin_lock(struct spinlock *l)
{
    uint32_t ticket = atomic_fetch_add(&l->next, 1);
    while (atomic_load(&l->serving) != ticket)
        cpu_relax();
}

static inline void spin_unlock(struct spinlock *l)
{
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}
#endif
