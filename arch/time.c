/* SPDX-License-Identifier: MIT */
/*
 * Time by the TSC, from the moment on when its speed is known.
 * From: arch/tsc.c (its speed), arch/apic.c, pci/reset.c, vtd/, vmx/run/sched.c.
 * To: arch/x86.h (RDTSC).
 * Spec: SDM "Time-Stamp Counter".
 */
#include "arch/time.h"
#include "arch/cpu.h"

/* The value before the measurement is high: waits are too long rather than too short. */
static uint64_t tsc_khz = 5000000;

void time_set_khz(uint64_t khz) { tsc_khz = khz; }
uint64_t time_tsc_khz(void) { return tsc_khz; }
uint64_t time_deadline_us(uint64_t us) { return rdtsc() + us * tsc_khz / 1000; }

void time_delay_us(uint64_t us) { (void)wait_until(false, us); }

static uint64_t spent[TIME_FOR_COUNT]; /* TSC ticks */

uint64_t time_spent(enum time_for what, uint64_t since)
{
    uint64_t now = rdtsc();
    if (this_cpu()->index == 0)
        spent[what] += now - since;
    return now;
}

bool time_is_left(struct time_wait *w, void (*relax)(void))
{
    if (!w->end)
        return false;
    w->last = time_spent(TIME_DEVICES, w->last ? w->last : rdtsc());
    if (w->last < w->end)
        relax();
    else
        w->end = 0;
    return true;
}

uint64_t time_spent_us(enum time_for what) { return spent[what] * 1000 / tsc_khz; }
