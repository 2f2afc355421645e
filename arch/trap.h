/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts of the host. Hamlet runs with interrupts off. They are taken in two
 * places only: in cpu_wait() (arch/cpu.h), and as VM exits "external interrupt" (vmx/run/run.c).
 * Both end in irq_dispatch(), so a handler interrupts no other code of Hamlet, and needs no lock
 * against the code of its own CPU.
 * To: arch/idt.c, arch/trap.c (exceptions), arch/irq.c (interrupts).
 * Spec: SDM "Interrupt and Exception Handling".
 */
#pragma once
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/types.h"

/* What arch/trap.asm leaves on the stack, from low to high addresses. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint8_t vector, unused[7];
    uint64_t error_code; /* 0 where the exception has none */
    uint64_t rip, cs, rflags, rsp, ss;
};
LAYOUT(struct trap_frame, vector, 15 * 8);
LAYOUT(struct trap_frame, rip, 17 * 8);

/* In inline assembly: if the instruction at label `from` faults, the CPU continues at `to`. */
#define EXTABLE(from, to) ".pushsection .extable, \"a\"; .quad " from ", " to "; .popsection; "

void idt_init(void); /* build the IDT and load it on the bootstrap processor */
void idt_load(void); /* load it on another CPU */
/* Log the first NMI, if there was one. The caller polls, and holds no lock. */
void trap_tell_nmi(void);

#define VECTOR_COUNT 256

/* Hamlet's own vectors. Devices get VECTOR_DEVICE_FIRST..LAST from irq_alloc(). */
enum host_vector {
    VECTOR_DEVICE_FIRST = 0x30,
    VECTOR_DEVICE_LAST = 0xdf,
    VECTOR_TIMER = 0xe0, /* local APIC timer: ends cpu_wait() */
    VECTOR_KICK = 0xe1,  /* another CPU wants this one to look at its work */
    VECTOR_VTD = 0xe2,   /* fault event of the VT-d units */
    VECTOR_ANV = 0xf0,   /* active notification: posted-interrupt processing by the CPU */
    VECTOR_WNV = 0xf1,   /* wake-up notification: a halted vCPU has work */
    VECTOR_SPURIOUS = 0xff,
};

typedef void (*irq_handler)(void *ctx);

/* Install a handler at one of the fixed vectors above. A vector with two handlers: panic. */
void irq_register(uint8_t vector, irq_handler handler, void *ctx);
/* Take a device vector for this handler, the same on every CPU. -ENOSPC: all are taken. */
MUST_CHECK int irq_alloc(irq_handler handler, void *ctx);
/* Afterwards no CPU runs the handler, or will: what `ctx` points to may go. Waits for one that
 * runs on another CPU, so the caller holds no lock that this handler takes. */
void irq_free(uint8_t vector);
/* In the handler of an interrupt, or about to be? */
bool irq_is_inside(unsigned cpu);
unsigned irq_count(void); /* device vectors that are taken */

/* Run the handler of `vector` and send the EOI. The caller has interrupts off. */
void irq_dispatch(uint8_t vector);
