/* SPDX-License-Identifier: MIT */
/*
 * trace: switch it on and off, look at it, send it over the line. What is sent, lab/trace.py reads: its
 * form is an interface.
 * From: monitor/command.c.   To: arch/trace.c.
 */
#include "arch/trace.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "arch/time.h"
#include "monitor/command.h"
#include "monitor/explain.h"
#include "vmx/show/show.h"
#include "vmx/vcpu/vcpu.h"

#define SHOW_DEFAULT 20

static const char *const pid_states[] = {[TRACE_PID_RUNNING] = "running",
                                         [TRACE_PID_READY] = "ready",
                                         [TRACE_PID_HALTED] = "halted",
                                         [TRACE_PID_POSTED] = "posted",
                                         [TRACE_PID_TAKEN] = "taken"};

/* --- In order of time, over all CPUs ------------------------------------------------------------- */

struct merge {
    uint64_t at[CPU_MAX];
};

/* The oldest event that was not given out yet; -1: none. Returns its CPU. */
static int merge_next(struct merge *m, struct trace_event *out)
{
    int found = -1;
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct trace_event e;
        if (trace_get(i, m->at[i], &e) && (found < 0 || e.tsc < out->tsc)) {
            *out = e;
            found = (int)i;
        }
    }
    if (found >= 0)
        m->at[found]++;
    return found;
}

static uint64_t kept_by_all(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < cpu_count(); i++)
        n += trace_kept(i);
    return n;
}

static uint64_t dropped_by_all(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < cpu_count(); i++)
        n += trace_dropped(i);
    return n;
}

/* Call for each of the last `count` events, oldest first. */
static void last_events(uint64_t count, void (*each)(unsigned cpu, const struct trace_event *e))
{
    static struct merge m; /* too large for a stack of ours */
    struct trace_event e;
    uint64_t skip = kept_by_all();
    skip -= MIN(skip, count);
    m = (struct merge){0};
    for (int cpu; (cpu = merge_next(&m, &e)) >= 0;)
        if (skip > 0)
            skip--;
        else
            each((unsigned)cpu, &e);
}

/* --- Words ---------------------------------------------------------------------------------------- */

static void who(const struct trace_event *e, char *out, size_t size)
{
    unsigned id = (unsigned)FIELD_GET(TRACE_HEAD_ID, e->head);
    if (id == TRACE_NO_ID || (id & 0xff) >= vm_count())
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%s.%u", vm_get(id & 0xff)->name, id >> 8);
}

static void words(const struct trace_event *e, char *out, size_t size)
{
    uint32_t a = (uint32_t)FIELD_GET(TRACE_HEAD_A, e->head);
    unsigned info = (unsigned)FIELD_GET(TRACE_HEAD_INFO, e->head);
    const char *arrow = info & TRACE_WRITE ? "<-" : "->";
    switch (FIELD_GET(TRACE_HEAD_TYPE, e->head)) {
    case TRACE_EXIT:
        snprintf(out, size, "%s cost=%u rip=0x%lx qualification=0x%lx", exit_reason_name(info), a,
                 e->b, e->c);
        return;
    case TRACE_INJECT:
        snprintf(out, size, "vector=0x%02x info=0x%x", a & 0xff, a);
        return;
    case TRACE_POST:
        snprintf(out, size, "vector=0x%02x%s", a, info ? " notify" : "");
        return;
    case TRACE_PID:
        snprintf(out, size, "0x%lx %s control=0x%lx", e->b,
                 info <= TRACE_PID_TAKEN ? pid_states[info] : "", e->c);
        return;
    case TRACE_CONFIG:
        snprintf(out, size, BDF_FMT " reg=0x%x width=%lu %s 0x%lx", BDF_ARG((bdf_t)(a >> 16)),
                 a & 0xffff, info & ~TRACE_WRITE, arrow, e->b);
        return;
    case TRACE_MMIO:
        snprintf(out, size, "0x%lx width=%lu %s 0x%lx", e->b, info & ~TRACE_WRITE, arrow, e->c);
        return;
    case TRACE_PIO:
        snprintf(out, size, "port=0x%x width=%lu %s 0x%lx", a, info & ~TRACE_WRITE, arrow, e->b);
        return;
    case TRACE_FAULT:
        snprintf(out, size, "source-id=" BDF_FMT " reason=%x address=0x%lx", BDF_ARG((bdf_t)a),
                 info, e->b);
        return;
    case TRACE_SCHED:
        snprintf(out, size, "%s", a ? "leaves" : "runs");
        return;
    default:
        snprintf(out, size, "vector=0x%02x", a);
        return;
    }
}

static const char *type_name(const struct trace_event *e)
{
    uint64_t type = FIELD_GET(TRACE_HEAD_TYPE, e->head);
    return type < TRACE_TYPE_COUNT && trace_names[type] ? trace_names[type] : "?";
}

/* Ticks since the event before: a trace is read for what took long. */
static void show(unsigned cpu, const struct trace_event *e)
{
    static uint64_t before;
    char vcpu[24], text[120];
    who(e, vcpu, sizeof(vcpu));
    words(e, text, sizeof(text));
    say("%lu +%-8lu %u %-10s %-7s %s", e->tsc, e->tsc - MIN(before, e->tsc), cpu, vcpu,
        type_name(e), text);
    before = e->tsc;
}

static void dump(unsigned cpu, const struct trace_event *e)
{
    say("trace: e %u %lx %lx %lx %lx", cpu, e->tsc, e->head, e->b, e->c);
}

/* What the numbers of the events mean, so that a file explains itself. */
static void dump_names(void)
{
    say("trace: begin version=1 cpus=%u khz=%lu kept=%lu dropped=%lu", cpu_count(), time_tsc_khz(),
        kept_by_all(), dropped_by_all());
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
    last_events(count, raw ? dump : show);
    if (raw)
        say("trace: end");
    if (was_on && trace_start())
        say("trace: it stays off");
}

static void status(void)
{
    say("trace=%s kept=%lu dropped=%lu", trace_on ? "on" : "off", kept_by_all(), dropped_by_all());
}

static void run_trace(struct args *a)
{
    uint64_t count = SHOW_DEFAULT;
    const char *word = args_word(a);
    bool raw = word && strcmp(word, "dump") == 0;
    if (raw)
        count = UINT64_MAX;
    if (word && a->next < a->count && !args_number(a, "count", &count))
        return;
    if (!args_end(a))
        return;
    if (!word) {
        status();
    } else if (strcmp(word, "on") == 0) {
        if (trace_start())
            complain(a, "no memory for the rings");
        else
            status();
    } else if (strcmp(word, "off") == 0) {
        trace_stop();
        status();
    } else if (strcmp(word, "clear") == 0) {
        bool was_on = trace_on;
        trace_stop();
        trace_clear();
        if (was_on && trace_start())
            complain(a, "it stays off");
        status();
    } else if (raw || strcmp(word, "show") == 0) {
        read_out(raw, count);
    } else {
        complain(a, "on, off, clear, show or dump, and not %s", word);
    }
}

const struct command command_trace = {
    "trace", run_trace, "[on | off | clear | show [N] | dump [N]]",
    "what happened, event by event; dump is for ./hamlet trace", "trace show 50"};
