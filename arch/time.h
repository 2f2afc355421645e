/* SPDX-License-Identifier: MIT */
/*
 * Time by the TSC. For bounded waits and time slices. Costs are measured in instructions, not in
 * time. What the boot waits for is counted: all else that it takes is Hamlet's own work.
 * To: arch/time.c.
 */
#pragma once
#include "arch/x86.h"

void time_set_khz(uint64_t khz); /* tsc_init() has found it */
uint64_t time_tsc_khz(void);
void time_delay_us(uint64_t us);
/* TSC value `us` microseconds from now. */
uint64_t time_deadline_us(uint64_t us);

/* What the bootstrap processor spends beside its own work. While a task pauses (arch/task.h) others
 * run, so the sums tell of the boot alone. */
enum time_for {
    TIME_SERIAL,  /* the console's line takes no byte yet */
    TIME_MEMORY,  /* is cleared, or a kernel copied into it */
    TIME_DEVICES, /* resets, a clock that is measured, other CPUs that start */
    TIME_FOR_COUNT,
};
uint64_t time_spent(enum time_for what, uint64_t since); /* from that TSC to the one it returns */
uint64_t time_spent_us(enum time_for what);

/* A wait with an end, of wait_with(). */
struct time_wait {
    uint64_t end;  /* TSC; 0: it is over */
    uint64_t last; /* TSC of the last look */
};
/* Call relax(), unless the time is over. There is one more look after the end, as the CPU may have
 * been stopped before it; then the answer is false. */
bool time_is_left(struct time_wait *w, void (*relax)(void));

/* Wait until cond holds (true) or the time is over (false), and call relax() between two looks. */
#define wait_with(relax, cond, us)                                                                 \
    ({                                                                                             \
        struct time_wait wait_ = {.end = time_deadline_us(us)};                                    \
        bool done_;                                                                                \
        while (!(done_ = (cond)) && time_is_left(&wait_, relax))                                   \
            ;                                                                                      \
        done_;                                                                                     \
    })
#define wait_until(cond, us) wait_with(cpu_relax, cond, us)
