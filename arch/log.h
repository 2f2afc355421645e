/* SPDX-License-Identifier: MIT */
/*
 * Lines on the console: "[cpu] subsystem: text". A file says `#define LOG "vtd"` before it includes
 * this header, which comes last. Tests and people grep these lines, so facts are written key=value.
 * From: everywhere.   To: lib/printf.c (formats), arch/uart.c (bytes).
 *
 * error: something that should not have happened, at boot or in the machine. info: milestones.
 * trace: everything else, compiled in, printed with log=trace. What a guest can cause at will is
 * never above trace, or goes through log_guest(), which is limited in rate.
 */
#pragma once
#include <stdarg.h>
#include "lib/errno.h"
#include "lib/types.h"

enum log_level { LOG_ERROR, LOG_INFO, LOG_TRACE };

extern enum log_level log_threshold; /* the highest of all levels: constant time to say no */
/* Print up to `level` for one subsystem, or for all (NULL: forget what was said of single ones).
 * -ENOSPC: too many subsystems, or a name that none has. */
int log_level_set(const char *subsystem, enum log_level level);
enum log_level log_level_of(const char *subsystem);

void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_ERROR, LOG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, LOG, __VA_ARGS__)
#define log_trace(...)                                                                             \
    do {                                                                                           \
        if (log_threshold >= LOG_TRACE)                                                            \
            log_write(LOG_TRACE, LOG, __VA_ARGS__);                                                \
    } while (0)

/* The same for a source that may be hostile, until its budget of lines, which counts down, is used up; the
 * last line says that more are kept back. */
void log_guest_write(int *budget, const char *subsystem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_GUEST_BUDGET       32 /* to start with */
#define log_guest(budget, ...) log_guest_write(budget, LOG, __VA_ARGS__)

/* Log why, where it is born, and give the code to return. */
#define FAIL(err, ...)         (log_error(__VA_ARGS__), -(err))

/* A whole line, without the "[cpu] subsystem:" in front: reports ("hamlet: vm=...") and what guests
 * print. Lines of different CPUs never mix. */
void console_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Who gets a copy of what the bootstrap processor says there, a line without its end; NULL: nobody. */
extern void (*console_copy)(const char *line, size_t length);
/* The same bytes as they are, e.g. the unfinished prompt of a guest. */
void console_write(const char *text, size_t size);
/* The console's port is set up (or is none): print what was kept so far; from now on lines go out. */
void console_start(void);
/* For a panic: from here on the lock of the console is not taken. */
void console_ignore_lock(void);
/* What stands behind the last line, while somebody types: taken away before a line is printed, and put
 * back after it. size 0: nothing. */
void console_prompt(const char *text, size_t size);
void console_echo(char c); /* one more character of it */
