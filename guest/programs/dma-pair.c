/* SPDX-License-Identifier: MIT */
/*
 * One of two VMs that have a device each and use the same guest-physical addresses: a pattern of
 * its own (seed=) goes out of RAM into the device and back, round after round, while the other
 * does the same. If a byte of one ever reached the other, both would see it: the whole
 * neighbourhood is compared. After rounds=N it ends, or when a key is typed.
 * To: guest/core/memory.c vm_map(), vtd/context.c.
 */
#include "guest/programs/edu.h"

#define WORDS 1024 /* as much as the device's buffer holds */
#define GPA   0x600000

static uint64_t pattern(uint64_t seed, uint64_t round, unsigned i)
{
    return (seed << 56 ^ round << 24 ^ i) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Memory [0, WORDS/2) goes out, [WORDS/2, WORDS) comes back; the pages around stay as they are. */
static void one_round(const struct edu *e, uint64_t *memory, uint64_t seed, uint64_t round)
{
    const unsigned half = WORDS / 4;
    for (unsigned i = 0; i < half; i++) {
        memory[i] = pattern(seed, round, i);
        memory[half + i] = 0;
    }
    check(edu_dma(e, (uint64_t)memory, half * 8, false));
    check(edu_dma(e, (uint64_t)(memory + half), half * 8, true));
    for (unsigned i = 0; i < half; i++)
        check(memory[i] == pattern(seed, round, i) && memory[half + i] == memory[i]);
    for (unsigned i = 2 * half; i < WORDS; i++)
        check(memory[i] == ~seed);
}

int main(void)
{
    struct edu e = edu_open();
    uint64_t *memory = (uint64_t *)GPA;
    uint64_t seed = option("seed", 1), rounds = option("rounds", 1000);
    for (unsigned i = 0; i < WORDS; i++)
        memory[i] = ~seed;
    print("gpa=0x%x is hpa=0x%lx", GPA, hypercall(HC_HOST_ADDRESS, GPA));
    uint64_t round = 0;
    for (; round < rounds && !key_typed(); round++) {
        one_round(&e, memory, seed, round);
        if (round % (rounds / 4) == 0)
            print("round %lu", round);
    }
    check(hypercall(HC_FAULTS, 0) == 0);
    print("rounds=%lu bytes=%lu, each in its place", round, round * WORDS / 2 * 8);
    return 0;
}
