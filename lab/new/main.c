/* SPDX-License-Identifier: MIT */
/*
 * A kernel to start from: it says hello, looks for the device that it was given, lets it compute,
 * and moves a pattern through it by DMA. The value that main() returns is its exit status.
 * From: lab/project.py copies it.
 * To: guest/programs/lib/guest.h (what there is to call), guest/programs/edu.h (the device).
 */
#include "guest/programs/edu.h"

static uint32_t source[64], target[64];

static void compute(const struct edu *e, uint32_t n)
{
    trace_mark("compute"); /* a name in a recorded run: ./hamlet run --trace */
    edu_write(e, EDU_FACTORIAL, n);
    check(spin_until(!(edu_read(e, EDU_STATUS) & EDU_STATUS_COMPUTING), 1000000));
    print("factorial of %u is %u", n, edu_read(e, EDU_FACTORIAL));
}

static void move(const struct edu *e)
{
    for (unsigned i = 0; i < ARRAY_COUNT(source); i++)
        source[i] = i * i;
    trace_mark("move");
    check(edu_dma(e, (uint64_t)source, sizeof(source), false));
    check(edu_dma(e, (uint64_t)target, sizeof(target), true));
    check(memcmp(source, target, sizeof(source)) == 0);
    print("%lu bytes came back", sizeof(target));
}

int main(void)
{
    print("Hello, this is a kernel of my own.");
    struct edu e = edu_open(); /* ends with a line if there is none */
    compute(&e, 5);
    move(&e);
    return 0;
}
