/* SPDX-License-Identifier: MIT */
/*
 * trace: switch it on and off, look at it, send it over the line. lab/trace.py reads the lines that
 * begin with "trace:": their form is an interface.
 * From: monitor/term/command.c.   To: arch/trace.c.
 */
#include "arch/options.h"
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
    const struct vm *vm = id == TRACE_NO_ID ? NULL : vm_get(id & 0xff);
    return vm ? text_of("%s.%u", vm->name, id >> 8) : text_of("-");
}

static struct text facts_of(const struct trace_event *e)
{
    uint32_t a = (uint32_t)FIELD_GET(TRACE_HEAD_A, e->head);
    unsigned info = (unsigned)FIELD_GET(TRACE_HEAD_INFO, e->head);
    const char *arrow = info & TRACE_WRITE ? "<-" : "->";
    unsigned width = info & ~(unsigned)TRACE_WRITE;
    switch (FIELD_GET(TRACE_HEAD_TYPE, e->head)) {
    case TRACE_EXIT:
        return text_of("%s cost=%u rip=0x%lx qualification=0x%lx", exit_reason_name(info), a, e->b,
                       e->c);
    case TRACE_INJECT:
        return text_of("vector=0x%02x info=0x%x", a & 0xff, a);
    case TRACE_POST:
        return text_of("vector=0x%02x%s", a, info ? " notify" : "");
    case TRACE_PID:
        return text_of("0x%lx %s control=0x%lx", e->b,
                       info <= TRACE_PID_TAKEN ? pid_states[info] : "", e->c);
    case TRACE_CONFIG:
        return text_of(BDF_FMT " reg=0x%x width=%u %s 0x%lx", BDF_ARG((bdf_t)(a >> 16)), a & 0xffff,
                       width, arrow, e->b);
    case TRACE_MMIO:
        return text_of("0x%lx width=%u %s 0x%lx", e->b, width, arrow, e->c);
    case TRACE_PIO:
        return text_of("port=0x%x width=%u %s 0x%lx", a, width, arrow, e->b);
    case TRACE_FAULT:
        return text_of("source-id=" BDF_FMT " reason=%x address=0x%lx", BDF_ARG((bdf_t)a), info,
                       e->b);
    case TRACE_SCHED:
        return text_of("%s", a ? "leaves" : "runs");
    case TRACE_QUEUE:
        return text_of("cpu=%u requests=0x%lx", a, e->b);
    default:
        return text_of("vector=0x%02x", a);
    }
}

/* The second column is the time since the event before, in ticks of the TSC. */
static void say_event(unsigned cpu, const struct trace_event *e)
{
    static uint64_t before;
    uint64_t type = FIELD_GET(TRACE_HEAD_TYPE, e->head);
    const char *name = type < TRACE_TYPE_COUNT ? trace_names[type] : NULL;
    say("%lu +%-8lu %u %-10s %-7s %s", e->tsc, e->tsc - MIN(before, e->tsc), cpu, vcpu_of(e).at,
        name ? name : "?", facts_of(e).at);
    before = e->tsc;
}

static void dump_event(unsigned cpu, const struct trace_event *e)
{
    say("trace: e %u %lx %lx %lx %lx", cpu, e->tsc, e->head, e->b, e->c);
}

/* The names behind the numbers of the events, so that lab/trace.py needs no other file. */
static void dump_names(void (*line)(const char *fmt, ...))
{
    line("trace: begin version=1 cpus=%u khz=%lu kept=%lu dropped=%lu", cpu_count(), time_tsc_khz(),
         of_all_cpus(trace_kept), of_all_cpus(trace_dropped));
    for (unsigned i = 1; i < TRACE_TYPE_COUNT; i++)
        line("trace: type %u %s", i, trace_names[i]);
    for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
        if (strcmp(exit_reason_name(i), "unknown") != 0)
            line("trace: reason %u %s", i, exit_reason_name(i));
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm)) {
        line("trace: vm %u %s", vm->index, vm->name);
        for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
            line("trace: pid %lx %x", ptr_hpa(v->pi_desc).v, TRACE_ID(vm->index, v->index));
    }
}

/* The trace stands still while it is read out. */
static void read_out(struct args *a, bool raw)
{
    uint64_t count = raw ? UINT64_MAX : SHOW_DEFAULT;
    bool was_on = trace_on;
    if ((args_peek(a) && !args_number(a, "count", &count)) || !args_end(a))
        return;
    trace_stop();
    if (raw)
        dump_names(console_line);
    last_events(count, raw ? dump_event : say_event);
    if (raw)
        say("trace: end");
    if (was_on)
        IGNORE(trace_start()); /* it has its memory already */
}

/* A record of the stream: this byte, the CPU, a struct trace_event. */
#define RECORD 2

static void send_event(unsigned cpu, const struct trace_event *e)
{
    uint8_t head[] = {RECORD, (uint8_t)cpu};
    console_report(head, sizeof(head));
    console_report(e, sizeof(*e));
}

/* The events of a CPU up to `count` that were not sent yet. */
static void send_events(unsigned cpu, uint64_t *sent, uint64_t count)
{
    struct trace_event e;
    while (*sent < count) {
        if (trace_at(cpu, *sent, &e)) {
            send_event(cpu, &e);
            ++*sent;
        } else {
            console_report_line("trace: lost %u %lu", cpu, count - *sent);
            *sent = count;
        }
    }
}

/* Another CPU may be writing its last event. */
void cmd_trace_stream(bool all)
{
    static uint64_t sent[CPU_MAX];
    static bool begun;
    if (!options.report || !trace_on)
        return;
    if (!begun)
        dump_names(console_report_line);
    begun = true;
    for (unsigned i = 0; i < cpu_count(); i++) {
        uint64_t count = atomic_load(&cpu_get(i)->trace_count);
        bool open = !all && cpu_get(i) != this_cpu() && count;
        send_events(i, &sent[i], count - open);
    }
}

void cmd_trace(struct args *a)
{
    bool raw = args_is(a, "dump");
    if (raw || args_is(a, "show")) {
        read_out(a, raw);
        return;
    }
    bool clear = args_is(a, "clear"), off = !clear && args_is(a, "off"),
         on = !clear && !off && args_is(a, "on");
    if (args_peek(a) && !clear && !off && !on) {
        complain(a, "on, off, clear, show or dump, and not %s", args_peek(a));
        return;
    }
    if (!args_end(a))
        return;
    on |= trace_on && !off;
    trace_stop();
    if (clear)
        trace_clear();
    if (on && trace_start())
        complain(a, "no memory for the rings");
    say("trace=%s kept=%lu dropped=%lu", trace_on ? "on" : "off", of_all_cpus(trace_kept),
        of_all_cpus(trace_dropped));
}
