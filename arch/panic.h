/* SPDX-License-Identifier: MIT */
/*
 * Our own broken invariant: say what, where and how we got there, then stop the machine.
 * Never for anything that a guest, a device or a firmware table can cause.
 */
#pragma once
#include <stdint.h>

void panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define invariant(cond)                                                                            \
    do {                                                                                           \
        if (!(cond))                                                                               \
            panic("broken invariant: %s", #cond);                                                  \
    } while (0)

/* Called once before anything is printed: silence devices (guest/), dump the VMCS (vmx/). */
void panic_hook_add(void (*hook)(void));

/* Print the call chain from this frame pointer on, by symbol name, at most 32 frames. */
void backtrace(uint64_t rip, uint64_t rbp);
