/* SPDX-License-Identifier: MIT */
/*
 * For guests that do what they must not: run it, and tell which exception came of it.
 */
#pragma once
#include "guest/programs/lib/guest.h"

static uint64_t seen_vector, seen_error, resume_at;

static void note_exception(struct interrupt_frame *frame)
{
    seen_vector = frame->vector;
    seen_error = frame->error;
    frame->rip = resume_at;
}

#define NO_EXCEPTION 256
/* The vector of the exception that `instruction` (assembly text, may change RAX) raises. */
#define exception_of(instruction, input)                                                           \
    ({                                                                                             \
        seen_vector = NO_EXCEPTION;                                                                \
        uint64_t scratch_ = (uint64_t)(input);                                                     \
        asm volatile("lea 1f(%%rip), %%rcx\n\t"                                                    \
                     "mov %%rcx, %1\n\t" instruction "\n1:"                                        \
                     : "+a"(scratch_), "=m"(resume_at)                                             \
                     :                                                                             \
                     : "rcx", "rdx", "memory");                                                    \
        seen_vector;                                                                               \
    })

static inline void catch_exceptions(void)
{
    for (unsigned v = 0; v < 32; v++)
        on_interrupt((uint8_t)v, note_exception);
}
