/* SPDX-License-Identifier: MIT */
/*
 * A broken invariant of Hamlet's own: print what, where, and the calls that led there, then stop
 * the machine. Never for anything that a guest, a device or a firmware table can cause.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

void panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
/* The same for an exception: the backtrace begins at these registers. */
void panic_from(uint64_t rip, uint64_t rbp, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
/* A CPU that hangs: the report begins with its backtrace, from where the NMI has found it. */
void panic_of(unsigned cpu, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* From now on only this CPU runs and prints, without locks. For a report before panic_from(). */
void panic_begin(void);
#define invariant(cond)                                                                            \
    do {                                                                                           \
        if (!(cond))                                                                               \
            panic("broken invariant: %s", #cond);                                                  \
    } while (0)

/* Each hook is called once, after the NMI to the other CPUs, the last added first: guest/ silences
 * its devices, then vmx/ dumps the VMCS. */
void panic_hook_add(void (*hook)(void));

/* Other CPUs are about to run. count(): how many do, with this one; send_nmi(): to one of them. */
void panic_know_others(unsigned (*count)(void), void (*send_nmi)(unsigned cpu));
/* Called by the handler of NMIs, and when an NMI caused a VM exit. If a CPU has panicked, note
 * where this one was, and stop it. */
void panic_stop_if_on(uint64_t rip, uint64_t rbp);
