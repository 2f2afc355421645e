/* SPDX-License-Identifier: MIT */
/*
 * The end of a run that must not continue: stop the other CPUs, silence the devices, print what
 * happened and where, halt.
 * From: everywhere, by panic() and invariant(); arch/trap.c (exceptions, NMI), arch/cpu.c
 * (panic_know_others).
 * To: arch/symbol.c (names), arch/log.c (console_ignore_lock), arch/terminal.c.
 */
#include "arch/panic.h"
#include "lib/atomic.h"
#include "lib/bits.h"
#include "arch/cpu.h"
#include "arch/layout.h"
#include "lib/printf.h"
#include "arch/symbol.h"
#include "arch/terminal.h"
#include "lib/text.h"
#include "arch/time.h"
#define LOG "panic"
#include "arch/log.h"

#define HOOK_MAX       4
#define FRAME_MAX      32
#define DEPTH_MAX      4
#define OTHERS_WAIT_US 10000

static void (*hooks[HOOK_MAX])(void);
static unsigned hook_count;
static uint32_t panic_owner; /* index + 1 of the first CPU that panicked; 0: none has */

/* How to count and to stop the other CPUs; NULL: there are none. arch/cpu.c knows, which itself
 * uses this file. */
static unsigned (*count_cpus)(void);
static void (*nmi_to)(unsigned cpu);

void panic_know_others(unsigned (*count)(void), void (*send_nmi)(unsigned cpu))
{
    count_cpus = count;
    nmi_to = send_nmi;
}

/* One by one. A CPU that Hamlet has not started may sit in a loop of the firmware, without an IDT:
 * an NMI to all others would shut it down there, which resets the machine. */
static void stop_others(void)
{
    for (unsigned i = 0; count_cpus && i < count_cpus(); i++)
        if (i != this_cpu()->index)
            nmi_to(i);
}

/* Where each of the other CPUs was when the NMI arrived. */
static struct {
    uint64_t rip, rbp;
    bool there;
} stopped[CPU_MAX];

static void __attribute__((noreturn)) stop(void)
{
    for (;;)
        asm volatile("cli; hlt");
}

void panic_stop_if_on(uint64_t rip, uint64_t rbp)
{
    if (!atomic_load(&panic_owner))
        return;
    stopped[this_cpu()->index].rip = rip;
    stopped[this_cpu()->index].rbp = rbp;
    atomic_store(&stopped[this_cpu()->index].there, true);
    stop();
}

void panic_hook_add(void (*hook)(void))
{
    invariant(hook_count < HOOK_MAX);
    hooks[hook_count++] = hook;
}

/* A frame holds the caller's frame pointer, then the return address. The chain climbs through the
 * stack; frame pointer 0 ends it. */
static bool next_frame(uint64_t *rip, uint64_t *rbp)
{
    if (*rbp < (uintptr_t)image_start || !IS_ALIGNED(*rbp, 8))
        return false;
    const uint64_t *frame = (const uint64_t *)*rbp;
    *rip = frame[1];
    *rbp = frame[0] > *rbp ? frame[0] : 0;
    return *rip >= (uintptr_t)image_start && *rip < (uintptr_t)text_end;
}

/* Print one line per frame for people, and one line for programs. */
static void backtrace(unsigned cpu, uint64_t rip, uint64_t rbp)
{
    char name[80];
    struct text chain = {0};
    int n = 0;
    do {
        /* An address in the CALL: the one behind it may belong to the next function. */
        symbol_name(n == 0 ? rip : rip - 1, name, sizeof(name));
        log_error("  #%d %016lx %s", n, rip, name);
        if (chain.used + sizeof(name) < TEXT_MAX)
            text_add(&chain, "%s%s", n ? "," : "", name);
    } while (++n < FRAME_MAX && next_frame(&rip, &rbp));
    console_line("hamlet: panic cpu=%u trace=%s", cpu, chain.at);
}

static void backtrace_other(unsigned cpu)
{
    if (!wait_until(atomic_load(&stopped[cpu].there), OTHERS_WAIT_US)) {
        log_error("cpu=%u does not answer", cpu);
        return;
    }
    log_error("cpu=%u was here:", cpu);
    backtrace(cpu, stopped[cpu].rip, stopped[cpu].rbp);
}

static void take_over(void)
{
    static unsigned depth; /* the owner's own */
    uint32_t owner = 0, me = this_cpu()->index + 1;
    if (atomic_replace(&panic_owner, &owner, me)) {
        console_ignore_lock();
        terminal_for_panic();
        stop_others();
    } else if (owner != me || ++depth > DEPTH_MAX) {
        stop(); /* another CPU prints the report, or this one panics in its own panic */
    }
}

static void call_hooks(void)
{
    /* A hook leaves the list before its call, so that a hook that panics is not called again. */
    while (hook_count > 0)
        hooks[--hook_count]();
}

void panic_begin(void)
{
    take_over();
    call_hooks();
}

/* The report is about `cpu`: ours, with these registers, or one that hangs. Then it begins with the
 * backtrace of that one, and the hooks come later, as what this CPU has loaded is not the cause. A
 * broken stack of another CPU can cause an exception here, which ends the report: so they are last.
 */
static void __attribute__((noreturn)) die(unsigned cpu, uint64_t rip, uint64_t rbp,
                                          const char *file, int line, const char *fmt, va_list args)
{
    unsigned me = this_cpu()->index;
    char text[256];
    vsnprintf(text, sizeof(text), fmt, args);
    take_over();
    if (cpu == me)
        call_hooks();
    if (file)
        log_error("%s:%d: %s", file, line, text);
    else
        log_error("%s", text);
    if (cpu != me)
        backtrace_other(cpu);
    call_hooks();
    backtrace(me, rip, rbp);
    for (unsigned i = 0; count_cpus && i < count_cpus(); i++)
        if (i != me && i != cpu)
            backtrace_other(i);
    console_line("hamlet: panic cpu=%u rip=0x%lx text=\"%s\"", cpu,
                 cpu == me ? rip : stopped[cpu].rip, text);
    stop();
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    /* Minus 1: inside the call, which may be the last instruction of its function. */
    uint64_t rip = (uintptr_t)__builtin_return_address(0) - 1;
    die(this_cpu()->index, rip, *(uint64_t *)__builtin_frame_address(0), file, line, fmt, args);
}

void panic_from(uint64_t rip, uint64_t rbp, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    die(this_cpu()->index, rip, rbp, NULL, 0, fmt, args);
}

void panic_of(unsigned cpu, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    die(cpu, (uintptr_t)__builtin_return_address(0) - 1, *(uint64_t *)__builtin_frame_address(0),
        NULL, 0, fmt, args);
}
