/* SPDX-License-Identifier: MIT */
/*
 * One struct per logical processor. GS leads to that of the CPU on which the code runs.
 * To: arch/cpu.c.
 * Spec: SDM "Multiple-Processor (MP) Initialization", "Task Management in 64-bit Mode".
 */
#pragma once
#include "lib/types.h"

#define CPU_MAX        256
#define CPU_STACK_SIZE (4 * PAGE_SIZE)

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* ist[0]: #DF, ist[1]: NMI, ist[2]: #MC, each on a stack of its own */
    uint64_t reserved2;
    uint16_t reserved3, iomap_base;
} __attribute__((packed));

/* Of a hybrid machine's CPU, as leaf 1AH of CPUID has it: slower and smaller, or faster. */
enum cpu_kind { CPU_OF_ONE_KIND = 0, CPU_ATOM = 0x20, CPU_CORE = 0x40 };

struct cpu {
    struct cpu *self; /* %gs:0 */
    uint32_t index;   /* 0 is the bootstrap processor */
    uint32_t apic_id;
    uint8_t *stack_top;
    bool online, refused; /* arch/cpu.c: the end of its start */
    bool in_time;         /* arch/skew.c: its TSC agrees with that of the first CPU */
    /* arch/cpu.c: equal for CPUs of one core, of one socket; the ring of the core's threads */
    uint32_t core, socket;
    struct cpu *next_thread;
    enum cpu_kind kind; /* arch/cpu.c */
    int64_t skew;       /* arch/skew.c: by so many ticks its TSC was ahead, and was set; or 0 */
    uint64_t signs;     /* of life, counted; 0: none is due yet. arch/watch.h */

    /* arch/trace.c */
    struct trace_event *trace; /* TRACE_RING events; NULL: tracing was never on */
    uint64_t trace_count;      /* events ever written */

    /* What vmx/ keeps of this CPU: struct vmx_cpu (vmx/cpu.h). */
    uint8_t vmx[64] __attribute__((aligned(64)));

    uint64_t gdt[7]; /* null, code64, data, (spare), (spare), TSS (two slots) */
    struct tss tss;
};

#define GDT_CODE 0x08
#define GDT_DATA 0x10
#define GDT_TSS  0x28

#ifdef HAMLET_UNIT /* a host test chooses the CPU that it plays */
struct cpu *this_cpu(void);
#else
static inline struct cpu *this_cpu(void)
{
    struct cpu *c;
    asm("mov %%gs:0, %0" : "=r"(c));
    return c;
}
#endif

/* Set up struct cpu 0, its GDT, TSS and GS base. The first call of all: this_cpu() needs it. */
void cpu_init_boot(void);
/* Start every other CPU that the MADT names, until `limit` are online (0: no limit). Each calls
 * join(), and, if that is true, runs entry(), which does not return. A CPU that does not join
 * within a second is logged and left out. Returns the number of CPUs online, with the first. */
unsigned cpu_start_all(unsigned limit, bool (*join)(void), void (*entry)(void));
unsigned cpu_count(void);
unsigned cpu_left_out(void); /* CPUs that did not join, each with its line in the log */
struct cpu *cpu_get(unsigned index);

/* Sleep until an interrupt was handled. Only here does Hamlet's own code run with IF = 1. */
void cpu_wait(void);
/* Make another CPU leave its guest or its sleep and look for work (VECTOR_KICK). */
void cpu_kick(struct cpu *cpu);
