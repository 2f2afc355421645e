/* SPDX-License-Identifier: MIT */
/*
 * Our own broken invariant: say what, where and how we got there, then stop the machine.
 * Never for anything that a guest, a device or a firmware table can cause.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

void panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
/* The same for an exception: the call chain begins at these registers. */
void panic_from(uint64_t rip, uint64_t rbp, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
/* From here on only this CPU prints, without locks, and the others stop. For reports before panic_from. */
void panic_begin(void);
#define invariant(cond)                                                                            \
    do {                                                                                           \
        if (!(cond))                                                                               \
            panic("broken invariant: %s", #cond);                                                  \
    } while (0)

/* Called once, as soon as panic_begin() has told the other CPUs to stop, the last added first: silence
 * devices (guest/), then dump the VMCS (vmx/). */
void panic_hook_add(void (*hook)(void));

/* If some CPU has panicked, note where this one was, and stop. A panic sends an NMI to the other CPUs; the
 * handler of NMIs calls this, also if the NMI came as a VM exit. */
void panic_stop_if_on(uint64_t rip, uint64_t rbp);
