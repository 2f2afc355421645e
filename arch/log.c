/* SPDX-License-Identifier: MIT */
/*
 * Lines on the console. One lock is held for a whole line; after a panic the lock is ignored.
 * From: everywhere (log_error, log_info, log_trace, console_line).
 * To: lib/printf.c, arch/terminal.c.
 */
#include "arch/log.h"
#include "lib/atomic.h"
#include "lib/bits.h"
#include "arch/cpu.h"
#include "arch/io.h"
#include "lib/printf.h"
#include "arch/spinlock.h"
#include "lib/string.h"
#include "arch/terminal.h"
#include "arch/watch.h"

#define LINE_MAX   512
#define PROMPT_MAX 240

#define LEVEL_MAX  16
#define ERASE      "\r\033[K" /* the line under the cursor; ECMA-48 "Erase in Line" */

static uint16_t report_port; /* 0: none */
static struct spinlock lock = {.name = "log"};
static bool lock_is_ignored;

enum log_level log_threshold = LOG_INFO;
char log_reason[LOG_REASON_MAX];
void (*console_copy)(const char *line, size_t length);

/* Subsystems with a level of their own. Only the monitor changes them. They need no lock: a CPU
 * that reads during a change prints a line too many or too few. */
static struct {
    char name[12];
    enum log_level level;
} levels[LEVEL_MAX];
static unsigned level_count;
static enum log_level level_of_rest = LOG_INFO;

/* The last line of the terminal: the line that the user is typing. */
static struct {
    char text[PROMPT_MAX];
    size_t length;
} prompt;

/* A guest's line on the terminal that has no end yet may go on, until another line is printed. */
static struct {
    uint32_t turn; /* of the last piece of a guest's line */
    bool open;
} piece;

void console_report(const void *bytes, size_t size)
{
    for (const uint8_t *at = bytes; report_port && size--; at++)
        out8(report_port, *at);
    watch_alive();
}

void console_report_line(const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(line, LINE_MAX - 1, fmt, args);
    va_end(args);
    line[length] = '\n';
    console_report(line, (size_t)length + 1);
}

/* Make room for a line: it begins where a line begins. Requires the lock. */
static void begin_line(void)
{
    if (prompt.length)
        terminal_write(ERASE, sizeof(ERASE) - 1);
    if (piece.open)
        terminal_write("\n", 1);
    piece.open = false;
}

/* After a panic the holder of the lock may be this CPU, or one that was stopped: take no lock. */
static void write_line(const char *text, size_t size)
{
    bool locked = !atomic_load(&lock_is_ignored);
    if (locked)
        spin_lock(&lock);
    begin_line();
    terminal_write(text, size);
    if (strncmp(text, "hamlet: ", 8) == 0)
        console_report(text, size);
    if (locked) {
        terminal_write(prompt.text, prompt.length);
        spin_unlock(&lock);
    }
}

void console_piece(uint32_t *turn, const char *name, const char *text, bool line_ends)
{
    spin_lock(&lock);
    if (!piece.open || *turn != piece.turn) {
        begin_line();
        terminal_write(name, strlen(name));
        terminal_write("| ", 2);
    }
    terminal_write(text, strlen(text));
    piece.open = !line_ends && !prompt.length; /* what stands before the prompt would be erased */
    if (!piece.open)
        terminal_write("\n", 1);
    *turn = ++piece.turn;
    terminal_write(prompt.text, prompt.length);
    spin_unlock(&lock);
}

void console_ignore_lock(void) { atomic_store(&lock_is_ignored, true); }

void console_prompt(const char *text, size_t size)
{
    spin_lock(&lock);
    begin_line();
    prompt.length = MIN(size, (size_t)PROMPT_MAX);
    memcpy(prompt.text, text, prompt.length);
    terminal_write(prompt.text, prompt.length);
    spin_unlock(&lock);
}

void console_echo(char c)
{
    spin_lock(&lock);
    if (prompt.length < PROMPT_MAX)
        prompt.text[prompt.length++] = c;
    terminal_write(&c, 1);
    spin_unlock(&lock);
}

void console_start(uint16_t port_of_reports) { report_port = port_of_reports; }

/* `length` is that of the whole text; `line` may hold only a part. End it with a newline. */
static void finish_line(char line[LINE_MAX], size_t length)
{
    length = MIN(length, LINE_MAX - 2);
    line[length] = '\n';
    write_line(line, length + 1);
}

void console_line(const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(line, LINE_MAX, fmt, args);
    va_end(args);
    if (console_copy && this_cpu()->index == 0)
        console_copy(line, MIN((size_t)length, (size_t)LINE_MAX - 1));
    finish_line(line, (size_t)length);
}

void console_draw(const char *fmt, ...)
{
    char text[LINE_MAX];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(text, LINE_MAX, fmt, args);
    va_end(args);
    spin_lock(&lock);
    terminal_write(text, MIN((size_t)length, (size_t)LINE_MAX - 1));
    spin_unlock(&lock);
}

static enum log_level *own_level(const char *subsystem)
{
    for (unsigned i = 0; i < level_count; i++)
        if (strcmp(levels[i].name, subsystem) == 0)
            return &levels[i].level;
    return NULL;
}

enum log_level log_level_of(const char *subsystem)
{
    const enum log_level *own = subsystem ? own_level(subsystem) : NULL;
    return own ? *own : level_of_rest;
}

int log_level_set(const char *subsystem, enum log_level level)
{
    enum log_level *own = subsystem ? own_level(subsystem) : NULL;
    if (!subsystem) {
        level_count = 0;
        level_of_rest = level;
    } else if (own) {
        *own = level;
    } else if (level_count == LEVEL_MAX || strlen(subsystem) >= sizeof(levels[0].name)) {
        return -ENOSPC;
    } else {
        memcpy(levels[level_count].name, subsystem, strlen(subsystem) + 1);
        levels[level_count++].level = level;
    }
    log_threshold = level_of_rest;
    for (unsigned i = 0; i < level_count; i++)
        log_threshold = MAX(log_threshold, levels[i].level);
    return 0;
}

static void log_line(enum log_level level, const char *subsystem, const char *fmt, va_list args)
{
    if (level > log_threshold || level > log_level_of(subsystem))
        return;
    char line[LINE_MAX];
    int head = snprintf(line, LINE_MAX, "[%u] %s: ", this_cpu()->index, subsystem);
    int rest = vsnprintf(line + head, LINE_MAX - (size_t)head, fmt, args);
    if (level == LOG_ERROR && !log_reason[0])
        snprintf(log_reason, LOG_REASON_MAX, "%s", line + head);
    finish_line(line, (size_t)(head + rest));
}

void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_line(level, subsystem, fmt, args);
    va_end(args);
}

void log_often_write(int *budget, const char *subsystem, const char *fmt, ...)
{
    if (*budget <= 0)
        return;
    --*budget;
    va_list args;
    va_start(args, fmt);
    log_line(LOG_ERROR, subsystem, fmt, args);
    va_end(args);
}

void log_guest_write(int *budget, const char *subsystem, const char *fmt, ...)
{
    if (*budget <= 0)
        return;
    va_list args;
    va_start(args, fmt);
    log_line(LOG_INFO, subsystem, fmt, args);
    va_end(args);
    if (--*budget == 0)
        log_write(LOG_INFO, subsystem, "further lines of this kind are kept back");
}
