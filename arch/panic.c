/* SPDX-License-Identifier: MIT */
/*
 * The end of a run that must not go on: silence the devices, say what and where, stop every CPU.
 * From: everywhere, by panic() and invariant(); arch/trap.c for exceptions.
 * To: arch/symbol.c (names), arch/log.c (which takes no lock from here on).
 */
#include "arch/panic.h"
#include "arch/apic.h"
#include "lib/atomic.h"
#include "lib/bits.h"
#include "arch/cpu.h"
#include "arch/layout.h"
#include "lib/printf.h"
#include "arch/symbol.h"
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
static uint32_t panic_owner; /* index + 1 of the first CPU that panicked; 0: all is well */

/* Where each of the others was when the NMI came. */
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

/* Each once, even if it panics itself. */
static void call_hooks(void)
{
    while (hook_count > 0)
        hooks[--hook_count]();
}

/* A frame is { the caller's frame, the return address }. The chain climbs, and ends with frame 0. */
static bool next_frame(uint64_t *rip, uint64_t *rbp)
{
    if (*rbp < (uintptr_t)image_start || !IS_ALIGNED(*rbp, 8))
        return false;
    const uint64_t *frame = (const uint64_t *)*rbp;
    *rip = frame[1];
    *rbp = frame[0] > *rbp ? frame[0] : 0;
    return *rip >= (uintptr_t)image_start && *rip < (uintptr_t)text_end;
}

/* A line per frame for people, and one line for a program. */
static void backtrace(unsigned cpu, uint64_t rip, uint64_t rbp)
{
    char name[80];
    struct text chain = {0};
    int n = 0;
    do {
        /* in the CALL, not behind it: that may be another's */
        symbol_name(n == 0 ? rip : rip - 1, name, sizeof(name));
        log_error("  #%d %016lx %s", n, rip, name);
        if (chain.used + sizeof(name) < TEXT_MAX)
            text_add(&chain, "%s%s", n ? "," : "", name);
    } while (++n < FRAME_MAX && next_frame(&rip, &rbp));
    console_line("hamlet: panic cpu=%u trace=%s", cpu, chain.at);
}

/* An exception in the middle of a backtrace ends the panic; so the others come last. */
static void backtrace_others(void)
{
    for (unsigned i = 0; i < cpu_count(); i++) {
        if (i == this_cpu()->index)
            continue;
        if (!wait_until(atomic_load(&stopped[i].there), OTHERS_WAIT_US)) {
            log_error("cpu=%u does not answer", i);
            continue;
        }
        log_error("cpu=%u was here:", i);
        backtrace(i, stopped[i].rip, stopped[i].rbp);
    }
}

void panic_begin(void)
{
    static unsigned depth; /* the owner's own */
    uint32_t owner = 0, me = this_cpu()->index + 1;
    if (atomic_replace(&panic_owner, &owner, me)) {
        console_ignore_lock();
        apic_nmi_others();
    } else if (owner != me || ++depth > DEPTH_MAX) {
        stop(); /* another CPU is printing, or we only get deeper into trouble */
    }
    call_hooks();
}

static void __attribute__((noreturn))
die(uint64_t rip, uint64_t rbp, const char *file, int line, const char *fmt, va_list args)
{
    char text[256];
    vsnprintf(text, sizeof(text), fmt, args);
    panic_begin();
    if (file)
        log_error("%s:%d: %s", file, line, text);
    else
        log_error("%s", text);
    backtrace(this_cpu()->index, rip, rbp);
    backtrace_others();
    console_line("hamlet: panic cpu=%u rip=0x%lx text=\"%s\"", this_cpu()->index, rip, text);
    stop();
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    die((uintptr_t)__builtin_return_address(0), *(uint64_t *)__builtin_frame_address(0), file, line,
        fmt, args);
}

void panic_from(uint64_t rip, uint64_t rbp, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    die(rip, rbp, NULL, 0, fmt, args);
}
