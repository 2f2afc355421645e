/* SPDX-License-Identifier: MIT */
/*
 * The rings. Only its own CPU writes to a ring, so a write needs no lock.
 * From: vmx/, vtd/, guest/ (TRACE), monitor/cmd/trace.c, monitor/term/console.c.   To: arch/page.c.
 * INVARIANT: event n of a CPU is at n % TRACE_RING, until event n + TRACE_RING replaces it.
 */
#include "arch/trace.h"
#include "arch/page.h"
#include "arch/x86.h"
#include "lib/atomic.h"

#define RING_PAGES (TRACE_RING * sizeof(struct trace_event) / PAGE_SIZE)

#ifndef TRACE_NEVER
bool trace_on;
#endif

const char *const trace_names[TRACE_TYPE_COUNT] = {
    [TRACE_EXIT] = "exit", [TRACE_INJECT] = "inject", [TRACE_POST] = "post",
    [TRACE_PID] = "pid",   [TRACE_CONFIG] = "config", [TRACE_MMIO] = "mmio",
    [TRACE_PIO] = "pio",   [TRACE_FAULT] = "fault",   [TRACE_SCHED] = "sched",
    [TRACE_IRQ] = "irq",   [TRACE_QUEUE] = "queue",
};

void trace_write(uint64_t head, uint64_t b, uint64_t c)
{
    struct trace_event *e = trace_slot(this_cpu());
    e->tsc = rdtsc();
    e->head = head;
    e->b = b;
    e->c = c;
}

int trace_start(void)
{
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);
        if (!cpu->trace)
            cpu->trace = pages_alloc(RING_PAGES, PAGE_SIZE);
        if (!cpu->trace)
            return -ENOMEM;
    }
#ifndef TRACE_NEVER
    atomic_store(&trace_on, true);
#endif
    return 0;
}

/* Another CPU may still be writing one event, which the reader may see in part. */
void trace_stop(void)
{
#ifndef TRACE_NEVER
    atomic_store(&trace_on, false);
#endif
}

void trace_clear(void)
{
    for (unsigned i = 0; i < cpu_count(); i++)
        cpu_get(i)->trace_count = 0;
}

uint64_t trace_kept(unsigned cpu) { return MIN(cpu_get(cpu)->trace_count, (uint64_t)TRACE_RING); }

uint64_t trace_dropped(unsigned cpu) { return cpu_get(cpu)->trace_count - trace_kept(cpu); }

bool trace_at(unsigned cpu, uint64_t n, struct trace_event *out)
{
    *out = cpu_get(cpu)->trace[n % TRACE_RING];
    return atomic_load(&cpu_get(cpu)->trace_count) - n < TRACE_RING;
}

bool trace_get(unsigned cpu, uint64_t n, struct trace_event *out)
{
    if (n >= trace_kept(cpu))
        return false;
    *out = cpu_get(cpu)->trace[(trace_dropped(cpu) + n) % TRACE_RING];
    return true;
}
