/* SPDX-License-Identifier: MIT */
/*
 * How much of its CPU's time this program gets: it computes for a number of instructions. In the
 * lab a tick of the TSC is one instruction, so those that passed more are another's.
 * From: tests/cases/test_posting.py.   To: guest/assign/irq.c (the messages of a neighbour).
 */
#include "guest/programs/lib/guest.h"

int main(void)
{
    uint64_t turns = option("turns", 10000000), n = turns, begin = rdtsc();
    asm volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
    print("share=%lu percent", 2 * turns * 100 / (rdtsc() - begin));
    return 0;
}
