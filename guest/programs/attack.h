/* SPDX-License-Identifier: MIT */
/*
 * How the attacker tells what it did: one line per kind of attempt. BLOCKED stands there only with the
 * evidence of it behind.
 */
#pragma once
#include "guest/programs/edu.h"
#include "guest/programs/misbehave.h"

static unsigned attempts, escaped;

#define report(what, count, blocked, evidence, ...)                                                \
    do {                                                                                           \
        bool blocked_ = (blocked);                                                                 \
        attempts++;                                                                                \
        escaped += !blocked_;                                                                      \
        print("attempt=%u %s n=%lu %s: " evidence, attempts, what, (uint64_t)(count),              \
              blocked_ ? "BLOCKED" : "THROUGH", ##__VA_ARGS__);                                    \
    } while (0)

static inline uint64_t faults(void) { return hypercall(HC_FAULTS, 0); }

/* rdmsr, wrmsr: the vector of the exception, or NO_EXCEPTION. */
static inline uint64_t rdmsr_fault(uint32_t msr)
{
    return exception_of("mov %%eax, %%ecx; rdmsr", msr);
}
static inline uint64_t wrmsr_ones_fault(uint32_t msr)
{
    return exception_of("mov %%eax, %%ecx; mov $-1, %%eax; mov $-1, %%edx; wrmsr", msr);
}
