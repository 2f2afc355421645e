/* SPDX-License-Identifier: MIT */
/*
 * Signs of life, and waits that would have no end.
 * From: vmx/run/watchdog.c, arch/spinlock.c, arch/irq.c, vmx/ept_flush.c, vmx/run/sched_start.c,
 * arch/terminal.c, arch/log.c, boot/main.c.
 * To: arch/time.c.   Contract: arch/watch.h.
 */
#include "arch/watch.h"
#include "arch/cpu.h"
#include "arch/time.h"

uint64_t watch_look_us = 1000000;
static void (*on_end)(unsigned cpu, const char *fmt, ...);

void watch_init(void (*end)(unsigned cpu, const char *fmt, ...)) { on_end = end; }

void watch_alive(void)
{
    struct cpu *me = this_cpu();
    me->signs += me->signs != 0;
}

bool watch_is_time(uint64_t *next)
{
    if (rdtsc() < *next)
        return false;
    *next = time_deadline_us(watch_look_us);
    return true;
}

bool watch_is_over(struct watch *w, uint64_t sign)
{
    if (sign != w->sign) {
        w->sign = sign;
        w->looks = 0;
    }
    return ++w->looks > WATCH_LOOKS;
}

/* A CPU in a queue that moves is alive itself. */
COLD void watch_wait(struct watch *w, unsigned cpu, uint64_t sign, const char *whom,
                     const char *what)
{
    cpu_relax();
    if (!watch_is_time(&w->next))
        return;
    if (watch_is_over(w, sign) && on_end)
        on_end(cpu, "waited %u s in vain for %s %s: cpu=%u", WATCH_LOOKS, whom, what, cpu);
    if (w->looks == 1)
        watch_alive();
}
