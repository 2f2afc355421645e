/* SPDX-License-Identifier: MIT */
/*
 * CPUs that hang in Hamlet. The signs of life are made where they cost no exit anything: at the
 * tick of each CPU, and by output. So a machine of one CPU has nothing that looks after it, but
 * for its waits (arch/watch.c).
 * From: boot/main.c, guest/life/run.c (the ticks).
 * To: arch/watch.c (when is it over?), arch/panic.c (panic_of).
 */
#include "vmx/run/watchdog.h"
#include "arch/panic.h"
#include "arch/trap.h"
#include "arch/watch.h"
#include "lib/atomic.h"
#include "vmx/cpu.h"
#include "vmx/run/sched.h"

static struct watch watches[CPU_MAX]; /* each is written by the one that looks at that CPU */

/* In a guest a CPU may stay for as long as the guest likes, and asleep until an interrupt comes. Of
 * the time before its first tick, and after the last, it owes no account. */
static bool owes_a_sign(struct cpu *cpu)
{
    return cpu->signs && !atomic_load(&vmx_cpu(cpu)->guest_ept) &&
           (!sched_is_idle(cpu) || irq_is_inside(cpu->index));
}

static void look_at(struct cpu *cpu)
{
    struct watch *w = &watches[cpu->index];
    if (!owes_a_sign(cpu))
        w->looks = 0;
    else if (watch_is_over(w, atomic_load(&cpu->signs)))
        panic_of(cpu->index, "cpu=%u hangs: no sign of life for %u s", cpu->index, WATCH_LOOKS);
}

void watchdog_look(void)
{
    unsigned me = this_cpu()->index;
    if (me > 1 || !watch_is_time(&this_vmx_cpu()->next_look))
        return;
    for (unsigned i = me == 0; i < (me == 0 ? cpu_count() : 1); i++)
        look_at(cpu_get(i));
}
