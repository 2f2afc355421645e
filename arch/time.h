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

/* Wait until cond holds (true) or the time is over (false). cond is evaluated at least once, and
 * once more after the end, as the CPU may have been stopped between two looks. */
#define wait_until(cond, us)                                                                       \
    ({                                                                                             \
        uint64_t deadline_ = time_deadline_us(us);                                                 \
        bool done_ = (cond);                                                                       \
        while (!done_ && rdtsc() < deadline_) {                                                    \
            cpu_relax();                                                                           \
            done_ = (cond);                                                                        \
        }                                                                                          \
        done_ || (cond);                                                                           \
    })
