/* SPDX-License-Identifier: MIT */
/*
 * Lines on the console. One lock, taken for a whole line; a panic does not ask for it.
 * From: everywhere (log_error, log_info, log_trace, console_line).   To: arch/printf.c, arch/uart.c.
 */
#include "arch/log.h"
#include "arch/bits.h"
#include "arch/cpu.h"
#include "arch/panic.h"
#include "arch/printf.h"
#include "arch/spinlock.h"
#include "arch/string.h"
#include "arch/uart.h"

#define LINE_MAX  512
#define EARLY_MAX 2048

enum log_level log_threshold = LOG_INFO;

static struct spinlock lock;

/* What is said before the console's port is known: complaints about the command line, mostly. */
static struct {
    char text[EARLY_MAX];
    size_t length;
    bool over;
} early;

static void emit(const char *text, size_t size)
{
    if (early.over) {
        uart_write(text, size);
        return;
    }
    size = MIN(size, EARLY_MAX - early.length);
    memcpy(early.text + early.length, text, size);
    early.length += size;
}

/* A CPU that panics may itself hold the lock, or another one that was stopped. */
static void write_locked(const char *text, size_t size)
{
    if (panic_is_on()) {
        emit(text, size);
        return;
    }
    spin_lock(&lock);
    emit(text, size);
    spin_unlock(&lock);
}

void console_start(void)
{
    early.over = true;
    uart_write(early.text, early.length);
}

void console_write(const char *text, size_t size) { write_locked(text, size); }

/* `line` holds `length` characters, or as many as fit; end it with a newline. */
static void finish_line(char line[LINE_MAX], size_t length)
{
    length = MIN(length, LINE_MAX - 2);
    line[length] = '\n';
    write_locked(line, length + 1);
}

void console_line(const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(line, LINE_MAX, fmt, args);
    va_end(args);
    finish_line(line, (size_t)length);
}

void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    if (level > log_threshold)
        return;
    char line[LINE_MAX];
    int head = snprintf(line, LINE_MAX, "[%u] %s: ", this_cpu()->index, subsystem);
    va_list args;
    va_start(args, fmt);
    int rest = vsnprintf(line + head, LINE_MAX - (size_t)head, fmt, args);
    va_end(args);
    finish_line(line, (size_t)(head + rest));
}
