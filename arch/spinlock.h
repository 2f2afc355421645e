/* SPDX-License-Identifier: MIT */
/*
 * A ticket lock: CPUs get it in the order in which they asked. Hamlet runs with interrupts off
 * (arch/trap.h), so no interrupt handler can wait for a lock that its own CPU holds. The
 * handler of NMIs could, and so takes no lock.
 * From: everywhere.   To: arch/spinlock.c (spin_wait).
 */
#pragma once
#include "arch/x86.h"
#include "lib/atomic.h"

struct spinlock {
    uint32_t next, serving;
    const char *name; /* of docs/architecture.md, "Locks" */
};

#ifdef HAMLET_EXPLORE /* the explorer does not run a CPU that waits for a lock */
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
#else
/* The compiler learns that the call changes no register: so a lock that is free costs the code
 * around it none. */
#ifdef HAMLET_UNIT
#define SPIN_WAIT(l, ticket) spin_wait(l, ticket)
#define SPIN_KEEPS
#else
#define SPIN_WAIT(l, ticket) asm volatile("call spin_wait" ::"D"(l), "S"(ticket) : "memory")
#define SPIN_KEEPS           __attribute__((no_caller_saved_registers))
#endif
/* Until it is the turn of `ticket`. A lock that one CPU keeps for 20 seconds is a panic. */
SPIN_KEEPS void spin_wait(const struct spinlock *l, uint32_t ticket);

static inline void spin_lock(struct spinlock *l)
{
    uint32_t ticket = atomic_fetch_add(&l->next, 1);
    if (__builtin_expect(atomic_load(&l->serving) != ticket, 0))
        SPIN_WAIT(l, ticket);
}

/* Take the lock if it is free; false: it is not. */
static inline bool spin_trylock(struct spinlock *l)
{
    uint32_t ticket = atomic_load(&l->serving);
    return atomic_replace(&l->next, &ticket, ticket + 1);
}

static inline void spin_unlock(struct spinlock *l)
{
    /* Only the holder writes `serving`, so LOCK is not needed; stores reach memory in order. */
    asm volatile("incl %0" : "+m"(l->serving)::"cc", "memory");
}
#endif
