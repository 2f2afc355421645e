/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of the host: a handler for each vector, and vectors for devices.
 * From: arch/trap.asm, vmx/run/run.c (irq_dispatch); vtd/init.c, vmx/run/sched.c (irq_register);
 * guest/assign/irq.c, guest/assign/intx.c (irq_alloc).
 * To: arch/apic.c (EOI); the registered handlers.
 * Contract: arch/trap.h.
 * Hot: every interrupt of the host.
 * Spec: SDM "Interrupt Acceptance for Fixed Interrupts", "Signaling Interrupt Servicing
 * Completion", "Spurious Interrupt".
 */
#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/panic.h"
#include "arch/spinlock.h"
#include "arch/trap.h"
#include "arch/watch.h"
#include "arch/x86.h"
#include "lib/atomic.h"
#define LOG "trap"
#include "arch/log.h"

#define DEVICE_VECTORS (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)

/* The lock is for changes. irq_dispatch() takes no lock: `handler` is written after `ctx`, and who
 * frees a vector waits for the CPUs that are in its handler. */
static struct irq {
    irq_handler handler;
    void *ctx;
    bool was_used;        /* freed: an interrupt that its owner's device sent may still arrive */
    uint64_t stray_count; /* arrived without a handler */
} irqs[VECTOR_COUNT];
static struct spinlock irqs_lock = {.name = "vectors"};
/* By CPU: the interrupt whose handler it may be in, each in a cache line of its own; 0: none. */
static struct {
    uint8_t vector;
} __attribute__((aligned(64))) inside[CPU_MAX];
static unsigned next_device; /* where the next search begins, counted from VECTOR_DEVICE_FIRST */

/* These need no handler: their arrival ends cpu_wait() or a guest's run. */
static bool is_only_a_wakeup(uint8_t vector)
{
    return vector == VECTOR_TIMER || vector == VECTOR_KICK || vector == VECTOR_ANV ||
           vector == VECTOR_WNV;
}

/* A spurious one is not in service, and its EOI would end another's. It has the vector of the SVR,
 * or one of the 8259s, which lie below those of devices. */
static bool wants_eoi(uint8_t vector)
{
    bool may_be_spurious = vector == VECTOR_SPURIOUS || vector < VECTOR_DEVICE_FIRST;
    return !may_be_spurious || apic_in_service(vector);
}

static COLD void no_handler(struct irq *irq, uint8_t vector)
{
    if (!is_only_a_wakeup(vector) && vector != VECTOR_SPURIOUS && !irq->was_used &&
        atomic_fetch_add(&irq->stray_count, 1) == 0)
        log_often("interrupt at vector 0x%02x has no handler", vector);
}

void irq_dispatch(uint8_t vector)
{
    uint8_t *here = &inside[this_cpu()->index].vector;
    struct irq *irq = &irqs[vector];
    atomic_store(here, vector); /* announced before the look: irq_free() sees one */
    irq_handler handler = atomic_load(&irq->handler);
    if (handler)
        handler(irq->ctx);
    else
        no_handler(irq, vector);
    uint8_t ended = atomic_exchange(here, 0); /* `vector` again: no handler is interrupted */
    if (wants_eoi(ended))
        apic_eoi();
}

void irq_register(uint8_t vector, irq_handler handler, void *ctx)
{
    spin_lock(&irqs_lock);
    if (irqs[vector].handler)
        panic("vector 0x%02x is registered twice", vector);
    irqs[vector].ctx = ctx;
    atomic_store(&irqs[vector].handler, handler);
    spin_unlock(&irqs_lock);
}

/* Vectors are taken in turn, so the one that was freed last is reused last: its former owner's
 * interrupts have arrived by then. */
int irq_alloc(irq_handler handler, void *ctx)
{
    int found = -ENOSPC;
    spin_lock(&irqs_lock);
    for (unsigned i = 0; i < DEVICE_VECTORS && found < 0; i++) {
        unsigned v = VECTOR_DEVICE_FIRST + (next_device + i) % DEVICE_VECTORS;
        if (irqs[v].handler)
            continue;
        irqs[v].ctx = ctx;
        atomic_store(&irqs[v].handler, handler);
        next_device = v + 1 - VECTOR_DEVICE_FIRST;
        found = (int)v;
    }
    spin_unlock(&irqs_lock);
    return found;
}

unsigned irq_count(void)
{
    unsigned n = 0;
    for (int v = VECTOR_DEVICE_FIRST; v <= VECTOR_DEVICE_LAST; v++)
        n += irqs[v].handler != NULL;
    return n;
}

void irq_free(uint8_t vector)
{
    struct watch watch = {0};
    irqs[vector].was_used = true;
    atomic_store(&irqs[vector].handler, NULL);
    for (unsigned i = 0; i < CPU_MAX; i++)
        while (i != this_cpu()->index && atomic_load(&inside[i].vector) == vector)
            watch_wait(&watch, i, 0, "a CPU", "to leave a handler");
}

bool irq_is_inside(unsigned cpu) { return atomic_load(&inside[cpu].vector); }
