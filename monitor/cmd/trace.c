/* SPDX-License-Identifier: MIT */
/*
 * trace: switch it on and off, look at it, send it over the line. What is sent, lab/trace.py reads:
 * its form is an interface.
 * From: monitor/term/command.c.   To: arch/trace.c.
 */
#include "arch/time.h"
#include "arch/trace.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "monitor/explain/explain.h"
#include "vmx/reasons.h"
#include "vmx/vcpu/vcpu.h"

#define SHOW_DEFAULT 20

static const char *const pid_states[] = {[TRACE_PID_RUNNING] = "running",
                                         [TRACE_PID_READY] = "ready",
                                         [TRACE_PID_HALTED] = "halted",
                                         [TRACE_PID_POSTED] = "posted",
                                         [TRACE_PID_TAKEN] = "taken"};

/* --- In order of time, over all CPUs ---------------------------------------------------------- */

static uint64_t next[CPU_MAX]; /* of each CPU's events, the first that was not given out yet */

/* The oldest event that was not given out yet. Returns its CPU; -1: there is none. */
static int next_event(struct trace_event *out)
{
    int found = -1;
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct trace_event e;
        if (trace_get(i, next[i], &e) && (found < 0 || e.tsc < out->tsc)) {
            *out = e;
            found = (int)i;
        }
    }
    if (found >= 0)
        next[found]++;
    return found;
}

static uint64_t of_all_cpus(uint64_t (*count)(unsigned cpu))
{
    uint64_t n = 0;
    for (unsigned i = 0; i < cpu_count(); i++)
        n += count(i);
    return n;
}

/* Call for each of the last `count` events, oldest first. */
static void last_events(uint64_t count, void (*each)(unsigned cpu, const struct trace_event *e))
{
    struct trace_event e;
    uint64_t skip = of_all_cpus(trace_kept);
    skip -= MIN(skip, count);
    memset(next, 0, sizeof(next));
    for (int cpu; (cpu = next_event(&e)) >= 0;)
        if (skip > 0)
            skip--;
        else
            each((unsigned)cpu, &e);
}

/* --- Words ------------------------------------------------------------------------------------ */

static struct text vcpu_of(const struct trace_event *e)
{
    unsigned id = (unsigned)FIELD_GET(TRACE_HEAD_ID, e->head);
    struct text t = {0};
    if (id == TRACE_NO_ID || (id & 0xff) >= vm_count())
        text_add(&t, "-");
    else
        text_add(&t, "%s.%u", vm_get(id & 0xff)->name, id >> 8);
    return t;
}

static struct text facts_of(const struct trace_event *e)
{
    uint32_t a = (uint32_t)FIELD_GET(TRACE_HEAD_A, e->head);
    unsigned info = (unsigned)FIELD_GET(TRACE_HEAD_INFO, e->head);
    const char *arrow = info & TRACE_WRITE ? "<-" : "->";
    unsigned width = info & ~(unsigned)TRACE_WRITE;
    struct text t = {0};
    switch (FIELD_GET(TRACE_HEAD_TYPE, e->head)) {
    case TRACE_EXIT:
        text_add(&t, "%s cost=%u rip=0x%lx qualification=0x%lx", exit_reason_name(info), a, e->b,
                 e->c);
        break;
    case TRACE_INJECT:
        text_add(&t, "vector=0x%02x info=0x%x", a & 0xff, a);
        break;
    case TRACE_POST:
        text_add(&t, "vector=0x%02x%s", a, info ? " notify" : "");
        break;
    case TRACE_PID:
        text_add(&t, "0x%lx %s control=0x%lx", e->b,
                 info <= TRACE_PID_TAKEN ? pid_states[info] : "", e->c);
        break;
    case TRACE_CONFIG:
        text_add(&t, BDF_FMT " reg=0x%x width=%u %s 0x%lx", BDF_ARG((bdf_t)(a >> 16)), a & 0xffff,
                 width, arrow, e->b);
        break;
    case TRACE_MMIO:
        text_add(&t, "0x%lx width=%u %s 0x%lx", e->b, width, arrow, e->c);
        break;
    case TRACE_PIO:
        text_add(&t, "port=0x%x width=%u %s 0x%lx", a, width, arrow, e->b);
        break;
    case TRACE_FAULT:
        text_add(&t, "source-id=" BDF_FMT " reason=%x address=0x%lx", BDF_ARG((bdf_t)a), info,
                 e->b);
        break;
    case TRACE_SCHED:
        text_add(&t, "%s", a ? "leaves" : "runs");
        break;
    default:
        text_add(&t, "vector=0x%02x", a);
    }
    return t;
}

static const char *type_name(const struct trace_event *e)
{
    uint64_t type = FIELD_GET(TRACE_HEAD_TYPE, e->head);
    return type < TRACE_TYPE_COUNT && trace_names[type] ? trace_names[type] : "?";
}

/* Ticks since the event before: a trace is read for what took long. */
static void say_event(unsigned cpu, const struct trace_event *e)
{
    static uint64_t before;
    say("%lu +%-8lu %u %-10s %-7s %s", e->tsc, e->tsc - MIN(before, e->tsc), cpu, vcpu_of(e).at,
        type_name(e), facts_of(e).at);
    before = e->tsc;
}

static void dump_event(unsigned cpu, const struct trace_event *e)
{
    say("trace: e %u %lx %lx %lx %lx", cpu, e->tsc, e->head, e->b, e->c);
}

/* What the numbers of the events mean, so that a file explains itself. */
static void dump_names(void)
{
    say("trace: begin version=1 cpus=%u khz=%lu kept=%lu dropped=%lu", cpu_count(), time_tsc_khz(),
        of_all_cpus(trace_kept), of_all_cpus(trace_dropped));
    for (unsigned i = 1; i < TRACE_TYPE_COUNT; i++)
        say("trace: type %u %s", i, trace_names[i]);
    for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
        if (strcmp(exit_reason_name(i), "unknown") != 0)
            say("trace: reason %u %s", i, exit_reason_name(i));
    for (size_t i = 0; i < vm_count(); i++) {
        say("trace: vm %lu %s", i, vm_get(i)->name);
        for (unsigned n = 0; n < vm_get(i)->vcpu_count; n++)
            say("trace: pid %lx %x", ptr_hpa(vm_get(i)->vcpus[n]->pi_desc).v, TRACE_ID(i, n));
    }
}

/* While it is read, it stands still. */
static void read_out(bool raw, uint64_t count)
{
    bool was_on = trace_on;
    trace_stop();
    if (raw)
        dump_names();
    last_events(count, raw ? dump_event : say_event);
    if (raw)
        say("trace: end");
    if (was_on)
        IGNORE(trace_start()); /* it has its memory already */
}

static void read_command(struct args *a, bool raw)
{
    uint64_t count = raw ? UINT64_MAX : SHOW_DEFAULT;
    if ((!args_peek(a) || args_number(a, "count", &count)) && args_end(a))
        read_out(raw, count);
}

void cmd_trace(struct args *a)
{
    bool raw = args_is(a, "dump");
    if (raw || args_is(a, "show")) {
        read_command(a, raw);
        return;
    }
    bool clear = args_is(a, "clear"), on = trace_on;
    if (args_peek(a) && !clear) {
        on = args_is(a, "on");
        if (!on && !args_is(a, "off")) {
            complain(a, "on, off, clear, show or dump, and not %s", args_peek(a));
            return;
        }
    }
    if (!args_end(a))
        return;
    trace_stop();
    if (clear)
        trace_clear();
    if (on && trace_start())
        complain(a, "no memory for the rings");
    say("trace=%s kept=%lu dropped=%lu", trace_on ? "on" : "off", of_all_cpus(trace_kept),
        of_all_cpus(trace_dropped));
}
