/* SPDX-License-Identifier: MIT */
/*
 * Memory that another CPU or a device reads or writes at the same time is accessed only through
 * these. All are sequentially consistent: on x86 that costs nothing for loads, and no reader has to
 * reason about weaker orders.
 * Spec: SDM "Locked Atomic Operations", CMPXCHG16B.
 */
#pragma once
#include "lib/types.h"

/* tests/explore/ may run another CPU or the device before each access: all interleavings. */
#ifdef HAMLET_EXPLORE
void explore_step(const void *p, const char *function, int line);
#define ATOMIC_STEP(p) explore_step(p, __func__, __LINE__)
#else
#define ATOMIC_STEP(p) ((void)0)
#endif

#define atomic_load(p)         (ATOMIC_STEP(p), __atomic_load_n(p, __ATOMIC_SEQ_CST))
#define atomic_store(p, v)     (ATOMIC_STEP(p), __atomic_store_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_exchange(p, v)  (ATOMIC_STEP(p), __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_add(p, v) (ATOMIC_STEP(p), __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_or(p, v)  (ATOMIC_STEP(p), __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_and(p, v) (ATOMIC_STEP(p), __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST))

/* If *p == *expected, set *p = desired and return true; else set *expected = *p, return false. */
#define atomic_replace(p, expected, desired)                                                       \
    (ATOMIC_STEP(p),                                                                               \
     __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))

/* A 128-bit record that hardware reads in one access (context entry, IRTE). */
struct u128 {
    uint64_t lo, hi;
} __attribute__((aligned(16)));

/* Replace all 16 bytes at once: no reader sees half of the old and half of the new entry. The loop
 * repeats only if another CPU changed the entry since it was read. */
static inline void atomic_store_128(struct u128 *p, struct u128 v)
{
    struct u128 old = *p;
    bool done;
    do {
        asm volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*p), "+a"(old.lo), "+d"(old.hi)
                     : "b"(v.lo), "c"(v.hi)
                     : "memory");
    } while (!done);
}

/* The compiler moves no access across this; the CPU may. */
static inline void compiler_barrier(void) { asm volatile("" ::: "memory"); }
