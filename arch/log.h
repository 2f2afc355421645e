/* SPDX-License-Identifier: MIT */
/*
 * Lines on the console: "[cpu] subsystem: text". A source defines LOG, its subsystem, and then
 * includes this header, as its last. Tests and people grep these lines: facts are key=value.
 * From: everywhere.   To: lib/printf.c (formats), arch/terminal.c (bytes).
 *
 * error: an event that should not happen, at boot or in the machine. info: milestones. trace: the
 * rest, which is compiled in, and printed with log=trace. A line that a guest can cause at will is
 * a trace line, or goes through log_guest(), which limits their number.
 */
#pragma once
#include <stdarg.h>
#include "lib/errno.h"
#include "lib/types.h"

enum log_level { LOG_ERROR, LOG_INFO, LOG_TRACE };

extern enum log_level log_threshold; /* the highest of all levels: a cheap test before formatting */
/* Print up to `level` for one subsystem; NULL: for all, also for those set before by name. -ENOSPC:
 * too many subsystems have a level of their own, or the name is too long. */
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

/* The same for a guest, until its *budget of lines is used up, which counts down to 0. Then one
 * line announces that more are kept back. */
void log_guest_write(int *budget, const char *subsystem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_GUEST_BUDGET       32 /* to start with */
#define log_guest(budget, ...) log_guest_write(budget, LOG, __VA_ARGS__)

/* Log the reason where the error is found; the value is the code to return. */
#define FAIL(err, ...)         (log_error(__VA_ARGS__), -(err))

/* The same two where a guest can be the cause, again and again, and it is not known which, or its
 * budget is for something else: the place in the source has a budget. tests/lint/budgets.py finds
 * such places. */
#define log_often(...)                                                                             \
    ({                                                                                             \
        static int budget_ = LOG_GUEST_BUDGET;                                                     \
        log_guest(&budget_, __VA_ARGS__);                                                          \
    })
#define FAIL_OFTEN(err, ...)                                                                       \
    ({                                                                                             \
        static int budget_ = LOG_GUEST_BUDGET;                                                     \
        log_often_write(&budget_, LOG, __VA_ARGS__);                                               \
        -(err);                                                                                    \
    })
void log_often_write(int *budget, const char *subsystem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The first error that was logged since the caller of a step set its first byte to 0: why that step
 * failed. */
#define LOG_REASON_MAX 112
extern char log_reason[LOG_REASON_MAX];

/* A whole line, without "[cpu] subsystem:" in front: reports ("hamlet: vm=...") and the output of
 * guests. Lines of different CPUs never mix. */
void console_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For programs: bytes, or a line, to the port of report= alone. Nothing that a guest prints goes
 * there. The lines of console_line() that begin with "hamlet: " do, too. */
void console_report(const void *bytes, size_t size);
void console_report_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Gets a copy of each such line of the bootstrap processor, without the newline. NULL: no copy. */
extern void (*console_copy)(const char *line, size_t length);
/* A piece of a guest's line, which goes on later if it does not end: the prompt of a guest that
 * waits for input. *turn: of the line's last piece, as this function left it. If another line was
 * printed since then, this piece begins a line too, with the name. So no guest writes a line that
 * does not begin with its name. */
void console_piece(uint32_t *turn, const char *name, const char *text, bool line_ends);
/* Not a line, but what leaves the cursor where the lines go on: a picture above them. */
void console_draw(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* port_of_reports: of report=; 0: none. */
void console_start(uint16_t port_of_reports);
/* For a panic: from now on no CPU takes the lock of the console. */
void console_ignore_lock(void);
/* The text behind the last line, which the user is typing. It is erased before a line is printed,
 * and written again after the line. size 0: there is none. */
void console_prompt(const char *text, size_t size);
void console_echo(char c); /* add one character to that text */
