/* SPDX-License-Identifier: MIT */
/*
 * Time by the TSC, from the moment on when its speed is known.
 * From: arch/tsc.c (its speed), arch/apic.c, pci/reset.c, vtd/, vmx/run/sched.c.
 * To: arch/x86.h (RDTSC).
 * Spec: SDM "Time-Stamp Counter".
 */
#include "arch/time.h"

/* The value before the measurement is high: waits are too long rather than too short. */
static uint64_t tsc_khz = 5000000;

void time_set_khz(uint64_t khz) { tsc_khz = khz; }
uint64_t time_tsc_khz(void) { return tsc_khz; }
uint64_t time_deadline_us(uint64_t us) { return rdtsc() + us * tsc_khz / 1000; }

void time_delay_us(uint64_t us)
{
    uint64_t end = time_deadline_us(us);
    while (rdtsc() < end)
        cpu_relax();
}
