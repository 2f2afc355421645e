/* SPDX-License-Identifier: MIT */
/*
 * The trace: for each CPU a ring of events in memory, in the order in which they happened. While
 * the trace is off, an event costs the test of one flag. While it is on, each event is stored
 * whole; the newest replaces the oldest.
 * From: vmx/, vtd/, guest/ (events), monitor/cmd/trace.c (reader).
 * To: arch/trace.c, lab/trace.py.
 */
#pragma once
#include "arch/cpu.h"
#include "lib/bits.h"
#include "lib/errno.h"

/* The types, and what info, a, b and c hold. trace_names[] and lab/trace.py follow this list. */
enum trace_type {
    /* info: basic reason, a: TSC ticks to the next entry, b: RIP, c: qualification */
    TRACE_EXIT = 1,
    TRACE_INJECT, /* a: VM-entry interruption information */
    TRACE_POST,   /* a: vector, info: 1 if a notification is due */
    TRACE_PID, /* info: enum trace_pid, a: vector of the last two, b: descriptor, c: control word */
    TRACE_CONFIG, /* info: width, bit 7: write; a: source-id 31:16, register 15:0; b: value */
    TRACE_MMIO,   /* info: the same; b: address, c: value */
    TRACE_PIO,    /* info: the same; a: port, b: value */
    TRACE_FAULT,  /* info: reason, a: source-id, b: address or index of the entry */
    TRACE_SCHED,  /* a: 0: begins a slice; else 1 + the reason why it left its CPU */
    TRACE_IRQ,    /* a: vector of the guest: a remapped interrupt came through Hamlet */
    TRACE_QUEUE,  /* at the end of the run queue of CPU a; info: enum vcpu_state until now, b: its
                     requests (vmx/vcpu/vcpu.h). The CPU of the event has done it */
    TRACE_TYPE_COUNT
};
enum trace_pid {
    TRACE_PID_RUNNING = 1, /* a second one: ON is set, for what was posted to a ready vCPU */
    TRACE_PID_READY,
    TRACE_PID_HALTED,
    TRACE_PID_POSTED, /* by software; Hamlet cannot see what VT-d posts */
    TRACE_PID_TAKEN,  /* each vector, when PIR is folded by software; not when the CPU does it */
};
#define TRACE_WRITE BIT(7)

struct trace_event {
    uint64_t tsc;
    uint64_t head; /* TRACE_HEAD */
    uint64_t b, c;
};
static_assert(sizeof(struct trace_event) == 32, "two to a cache line");

#define TRACE_HEAD_TYPE BITS(7, 0)
#define TRACE_HEAD_ID   BITS(23, 8) /* of the vCPU: struct vcpu.trace_id */
#define TRACE_HEAD_INFO BITS(31, 24)
#define TRACE_HEAD_A    BITS(63, 32)
#define TRACE_HEAD(type, id, info, a)                                                              \
    ((uint64_t)(type) | (uint64_t)(uint16_t)(id) << 8 | (uint64_t)(uint8_t)(info) << 24 |          \
     (uint64_t)(uint32_t)(a) << 32)
#define TRACE_ID(vm, vcpu) ((uint16_t)((vm) | (vcpu) << 8))
#define TRACE_NO_ID        0xffff

#define TRACE_RING         8192 /* events per CPU */

#ifdef TRACE_NEVER /* to see what the flag costs: make bench */
#define trace_on false
#else
extern bool trace_on; /* true: every CPU has its ring */
#endif

/* Where the next event of this CPU goes. */
static inline struct trace_event *trace_slot(struct cpu *cpu)
{
    return &cpu->trace[cpu->trace_count++ % TRACE_RING];
}
void trace_write(uint64_t head, uint64_t b, uint64_t c);
#define TRACE(type, id, info, a, b, c)                                                             \
    do {                                                                                           \
        if (__builtin_expect(trace_on, 0))                                                         \
            trace_write(TRACE_HEAD(type, id, info, a), b, c);                                      \
    } while (0)

/* Event n of a CPU, counted from the first ever, while others may be written. False: it was
 * replaced. */
bool trace_at(unsigned cpu, uint64_t n, struct trace_event *out);
/* Allocate the rings, if there are none, and switch the trace on. -ENOMEM. */
MUST_CHECK int trace_start(void);
void trace_stop(void);
void trace_clear(void); /* only while the trace is off */
/* The n-th oldest event that a CPU's ring holds; false: there are no more. Only while it is off. */
bool trace_get(unsigned cpu, uint64_t n, struct trace_event *out);
uint64_t trace_dropped(unsigned cpu); /* the number of events that were replaced */
uint64_t trace_kept(unsigned cpu);    /* and that of those in the ring */
extern const char *const trace_names[TRACE_TYPE_COUNT];
