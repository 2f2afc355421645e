/* SPDX-License-Identifier: MIT */
/*
 * A lock that another CPU holds, or, by a mistake, this one.
 * From: arch/spinlock.h (spin_lock).   To: arch/watch.c.
 */
#include "arch/spinlock.h"
#include "arch/cpu.h"
#include "arch/watch.h"

/* The holder is not known: it is one of the CPUs whose stacks the report shows. */
COLD SPIN_KEEPS void spin_wait(const struct spinlock *l, uint32_t ticket)
{
    struct watch w = {0};
    for (uint32_t serving; (serving = atomic_load(&l->serving)) != ticket;)
        watch_wait(&w, this_cpu()->index, serving, "the lock", l->name);
}
