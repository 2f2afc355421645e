/* SPDX-License-Identifier: MIT */
/*
 * What every unit test links with: the console, kept in a buffer, and a panic that ends the test.
 * All weak: a test that links the real source gets the real one.
 */
#include "arch/log.h"
#include "arch/options.h"
#include "arch/panic.h"
#include "arch/spinlock.h"
#include "arch/task.h"
#include "arch/time.h"
#include "arch/trace.h"
#include "arch/watch.h"
#include "tests/unit/stubs.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

WEAK enum log_level log_threshold = LOG_TRACE;
WEAK char log_reason[LOG_REASON_MAX];
WEAK struct options options;

char stub_log[16384];
jmp_buf stub_panic_jump;
bool stub_panic_expected;

static size_t used; /* of stub_log */

static void append(int length) { used = MIN(used + (size_t)length, sizeof(stub_log) - 1); }

static void keep(const char *prefix, const char *fmt, va_list args)
{
    char line[512];
    vsnprintf(line, sizeof(line), fmt, args);
    append(snprintf(stub_log + used, sizeof(stub_log) - used, "%s%s\n", prefix, line));
}

void stub_log_clear(void)
{
    stub_log[0] = '\0';
    used = 0;
}

static void keep_log(const char *subsystem, const char *fmt, va_list args)
{
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%s: ", subsystem);
    keep(prefix, fmt, args);
}

/* A test is one thread. */
WEAK void spin_wait(const struct spinlock *l, uint32_t ticket)
{
    (void)ticket;
    panic("the lock \"%s\" is taken twice", l->name);
}

WEAK void watch_alive(void) {}
WEAK void watch_wait(struct watch *w, unsigned cpu, uint64_t sign, const char *whom,
                     const char *what)
{
    (void)w, (void)cpu, (void)sign, (void)whom, (void)what;
}

WEAK void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    keep_log(subsystem, fmt, args);
    va_end(args);
    va_start(args, fmt);
    if (level == LOG_ERROR && !log_reason[0])
        vsnprintf(log_reason, LOG_REASON_MAX, fmt, args);
    va_end(args);
}

WEAK void log_guest_write(int *budget, const char *subsystem, const char *fmt, ...)
{
    va_list args;
    (void)budget;
    va_start(args, fmt);
    keep_log(subsystem, fmt, args);
    va_end(args);
}

WEAK void log_often_write(int *budget, const char *subsystem, const char *fmt, ...)
{
    va_list args;
    (void)budget;
    va_start(args, fmt);
    keep_log(subsystem, fmt, args);
    va_end(args);
}

WEAK void console_line(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    keep("", fmt, args);
    va_end(args);
}

WEAK void console_piece(uint32_t *turn, const char *name, const char *text, bool line_ends)
{
    append(snprintf(stub_log + used, sizeof(stub_log) - used, "%s%s%s%s", *turn ? "" : name,
                    *turn ? "" : "| ", text, line_ends ? "\n" : ""));
    *turn = !line_ends;
}

WEAK void panic_at(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    keep("panic: ", fmt, args);
    va_end(args);
    if (stub_panic_expected)
        longjmp(stub_panic_jump, 1);
    fprintf(stderr, "%s:%d: unexpected panic\n%s", file, line, stub_log);
    abort();
}

WEAK bool trace_on;
WEAK void trace_write(uint64_t head, uint64_t b, uint64_t c) { (void)head, (void)b, (void)c; }

WEAK void task_copy(void *to, const void *from, size_t size)
{
    if (from)
        memcpy(to, from, size);
    else
        memset(to, 0, size);
}

WEAK uint64_t time_spent(enum time_for what, uint64_t since) { return (void)what, since; }

WEAK bool time_is_left(struct time_wait *w, void (*relax)(void))
{
    bool goes_on = w->end;
    if (goes_on && rdtsc() < w->end)
        relax();
    else
        w->end = 0;
    return goes_on;
}

WEAK void panic_hook_add(void (*hook)(void)) { (void)hook; }
