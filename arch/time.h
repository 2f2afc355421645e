/* SPDX-License-Identifier: MIT */
/*
 * Time by the TSC. For bounded waits and time slices. Costs are measured in instructions, not in
 * time.
 * To: arch/time.c.
 */
#pragma once
#include "arch/x86.h"

void time_set_khz(uint64_t khz); /* tsc_init() has found it */
uint64_t time_tsc_khz(void);
void time_delay_us(uint64_t us);
/* TSC value `us` microseconds from now. */
uint64_t time_deadline_us(uint64_t us);

/* Wait until cond holds (true) or the time is over (false), and call relax() between two looks.
 * There is a last look after the end, as the CPU may have been stopped before it. */
#define wait_with(relax, cond, us)                                                                 \
    ({                                                                                             \
        uint64_t deadline_ = time_deadline_us(us);                                                 \
        bool done_, late_ = false;                                                                 \
        while (!(done_ = (cond)) && !late_)                                                        \
            if (!(late_ = rdtsc() >= deadline_))                                                   \
                relax();                                                                           \
        done_;                                                                                     \
    })
#define wait_until(cond, us) wait_with(cpu_relax, cond, us)
