/* SPDX-License-Identifier: MIT */
/*
 * Is something still alive? A sign of life that stays the same for 20 looks, one a second, is that
 * of a CPU that hangs, or of a lock that is never given back: a panic, whose report names it. Looks
 * are counted, and not the time: a machine that was stopped for a minute has missed one.
 * From: vmx/run/watchdog.c (CPUs), arch/spinlock.c, waits without an end, output.
 * To: arch/watch.c.
 */
#pragma once
#include "lib/types.h"

#define WATCH_LOOKS 20

struct watch {
    uint64_t next;  /* TSC of the next look */
    uint64_t sign;  /* what the last look has seen */
    unsigned looks; /* in a row that have seen it */
};

extern uint64_t watch_look_us; /* from one look to the next: a second, but in a test */

/* A sign of life of this CPU, in work that may take many seconds: output. A CPU that makes no turns
 * of the scheduler yet, or no more, owes none. */
void watch_alive(void);
/* Is it time for a look? Then *next, a TSC, is set to a second later. */
bool watch_is_time(uint64_t *next);
/* A look: true if the sign of life is the same as at WATCH_LOOKS looks before it. */
bool watch_is_over(struct watch *w, uint64_t sign);
/* Once in each turn of a wait that has no end of its own, until `sign` changes: its 20th second is
 * the end. `cpu` is the one to blame; whom and what the wait is for are words of the report. */
void watch_wait(struct watch *w, unsigned cpu, uint64_t sign, const char *whom, const char *what);
/* end() does not return: panic_of(). Before, such a wait goes on. */
void watch_init(void (*end)(unsigned cpu, const char *fmt, ...));
