/* SPDX-License-Identifier: MIT */
/*
 * How the attacker tells what it did: one line per kind of attempt. BLOCKED stands there only with
 * the evidence of it behind.
 */
#pragma once
#include "guest/programs/edu.h"
#include "guest/programs/misbehave.h"

static unsigned attempts, escaped, unseen;
/* On QEMU: its unit looks at no compatibility format and records no interrupt fault, its edu takes
 * 100 ms for each DMA, so of what is tried many times over only every eighth is. */
static bool qemu;
static unsigned every(void) { return qemu ? 8 : 1; }

#define report(what, count, blocked, evidence, ...)                                                \
    do {                                                                                           \
        bool blocked_ = (blocked);                                                                 \
        attempts++;                                                                                \
        escaped += !blocked_;                                                                      \
        print("attempt=%u %s n=%lu %s: " evidence, attempts, what, (uint64_t)(count),              \
              blocked_ ? "BLOCKED" : "THROUGH", ##__VA_ARGS__);                                    \
    } while (0)

/* What no hypervisor can block there, as the machine's unit does not look at it. */
#define report_unseen(what, count, evidence, ...)                                                  \
    do {                                                                                           \
        attempts++;                                                                                \
        unseen++;                                                                                  \
        print("attempt=%u %s n=%lu UNSEEN: " evidence, attempts, what, (uint64_t)(count),          \
              ##__VA_ARGS__);                                                                      \
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
