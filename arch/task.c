/* SPDX-License-Identifier: MIT */
/*
 * A second stack of the bootstrap processor: what runs on it can stop in the middle of a function,
 * and go on there later, with all its variables. So a wait of 100 ms is one line where it belongs,
 * and no vCPU waits for it.
 * From: arch/task.h.   To: arch/terminal.c (terminal_poll), arch/line.c.
 */
#include "arch/task.h"
#include "arch/cpu.h"
#include "arch/line.h"
#include "arch/terminal.h"
#include "lib/string.h"

#define TURN_US 1000    /* of a long copy, without a pause */
#define PIECE   SIZE_2M /* some 0.2 ms */

static struct {
    uint64_t inside, outside; /* RSP of the one that does not run */
    void (*work)(void);
    bool runs, paused;
    uint64_t turn_end; /* TSC */
} task;

/* Keep the stack pointer in *from, and go on where `to` was kept. */
static __attribute__((naked, noinline)) void stack_switch(uint64_t *from __attribute__((unused)),
                                                          uint64_t to __attribute__((unused)))
{
    asm("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15;"
        "mov %rsp, (%rdi); mov %rsi, %rsp;"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");
}

/* The first function on the second stack. */
static void task_main(void)
{
    for (;;) {
        task.work();
        task.paused = false;
        stack_switch(&task.inside, task.outside);
    }
}

/* As if task_main() had been called there, and had called stack_switch(): six registers, RBP = 0 is
 * the end of a backtrace. */
static void stack_prepare(void)
{
    static uint64_t stack[CPU_STACK_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
    uint64_t *top = stack + ARRAY_COUNT(stack) - 2;
    *top = (uintptr_t)task_main;
    task.inside = (uintptr_t)(top - 6);
}

bool task_run(void (*work)(void))
{
    if (!task.inside)
        stack_prepare();
    task.work = work;
    task.runs = task.paused = true;
    task.turn_end = time_deadline_us(TURN_US);
    stack_switch(&task.outside, task.inside);
    task.runs = false;
    return !task.paused;
}

void task_pause(void)
{
    terminal_poll();
    line_poll();
    if (task.runs)
        stack_switch(&task.inside, task.outside);
    else
        cpu_relax();
}

void task_delay_us(uint64_t us) { (void)task_wait_until(false, us); }

void task_copy(void *to, const void *from, size_t size)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    uint64_t since = rdtsc();
    for (size_t at = 0, piece; at < size; at += piece) {
        piece = MIN(size - at, PIECE);
        if (s)
            memcpy(d + at, s + at, piece);
        else
            memset(d + at, 0, piece);
        if (task.runs && rdtsc() >= task.turn_end)
            task_pause();
    }
    (void)time_spent(TIME_MEMORY, since);
}
