/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts of the host. Hamlet runs with interrupts off; they are taken in two
 * places only: in cpu_wait() (arch/cpu.h), and as VM exits "external interrupt" (vmx/exit/intr.c).
 * Both end in irq_dispatch(), so a handler never interrupts anything and needs no lock against itself.
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

/* In inline assembly: should the instruction at label `from` fault, go on at label `to`. */
#define EXTABLE(from, to) ".pushsection .extable, \"a\"; .quad " from ", " to "; .popsection; "

void trap_init(void); /* build the IDT and load it on this CPU */
void trap_load(void); /* load it on another CPU */
/* Log the first NMI, if there was one. To be called now and then, with no lock held. */
void trap_tell_nmi(void);

/* Vectors of Hamlet's own; devices get VECTOR_DEVICE_FIRST..LAST from irq_alloc(). */
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

/* Install a handler at one of the fixed vectors above. Taking one twice is our bug. */
void irq_register(uint8_t vector, irq_handler handler, void *ctx);
/* A free device vector with this handler, the same on every CPU; -ENOSPC if all are taken. */
MUST_CHECK int irq_alloc(irq_handler handler, void *ctx);
void irq_free(uint8_t vector);
unsigned irq_count(void); /* vectors that were allocated */

/* Run the handler of `vector` and send the EOI. Called with interrupts off. */
void irq_dispatch(uint8_t vector);

/* An MSR that may not exist: -EIO on #GP instead of a panic. */
MUST_CHECK int rdmsr_safe(uint32_t msr, uint64_t *out);
/* A byte that may not be mapped: -EFAULT on #PF instead of a panic. */
MUST_CHECK int read8_safe(const void *at, uint8_t *out);
