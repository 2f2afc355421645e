/* SPDX-License-Identifier: MIT */
/*
 * Time by the TSC, measured once against the ACPI timer or the PIT. For bounded waits and time
 * slices. Costs are measured in instructions, not in time (docs/measures).
 * To: arch/time.c.
 */
#pragma once
#include "arch/x86.h"

/* Measure the TSC; `pm_timer`: the port of the ACPI timer (acpi_pm_timer()), 0 if there is none. */
void time_init(uint16_t pm_timer);
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
