/* SPDX-License-Identifier: MIT */
/*
 * One message interrupt of an assigned function, on its way to a vCPU:
 *   device -> IRTE (source-id verified)
 *     -> posted:   VT-d writes the descriptor of the vCPU; no exit, and no instruction of Hamlet
 *     -> software: a host vector, whose handler writes the descriptor as VT-d would
 *     -> injected: a host vector, whose handler makes the vCPU exit; its next entry injects
 * From: guest/assign/vmsi.c, guest/assign/vmsix.c (the guest has written a message).
 * To: guest/assign/irq.c.
 * Spec: VT-d "Interrupt Remapping"; SDM "Message Signalled Interrupts".
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

struct assignment;

/* IRQ_UNROUTED: the IRTE is blocked. The others: the best first. */
enum irq_delivery { IRQ_UNROUTED, IRQ_POSTED, IRQ_SOFTWARE, IRQ_INJECTED };

struct irq_route {
    struct assignment *owner;
    unsigned irte;    /* index in the interrupt-remapping table */
    int host_vector;  /* allocated when a remapped form is first needed; -1: not yet */
    uint64_t targets; /* the vCPUs that get it, a bit each */
    uint8_t vector;   /* that the guest chose */
    enum irq_delivery delivery;
    uint64_t count;              /* interrupts that came through Hamlet */
    const struct cpu *cpu;       /* remapped: to which the entry leads */
    struct irq_route *held_next; /* in vm->held */
    bool held;                   /* in vm->held: its entry is not present until the next tick */
};

/* A remapped message costs the CPU that takes it an interrupt. A device may send so many in a tick
 * while a vCPU of another VM runs there; the entries of those above are held until the tick. */
#define IRQ_STOLEN_MAX 16

/* `count` routes (a power of two, contiguous IRTEs) for a function, each blocked until it is set.
 * -ENOSPC: the table has no such block. The caller of this and the next three holds vm->lock. */
MUST_CHECK int irq_routes_alloc(struct assignment *a, struct irq_route *routes, unsigned count);
void irq_routes_free(struct irq_route *routes, unsigned count);
/* The guest wrote this message: the route leads where it says. A message that would reach no vCPU
 * (not 0xFEEx_xxxx, vector below 16, no such vCPU) blocks the route, and so does a lack of host
 * vectors. SDM "Message Address Register Format". */
void irq_route_set(struct irq_route *route, uint64_t address, uint32_t data);
void irq_route_block(struct irq_route *route);
/* Once a tick, on the bootstrap processor: what was held goes on. */
void irq_tick(void);
/* Its entry is present, and for another source-id than that of its device. */
bool irq_route_is_foreign(const struct irq_route *route);
const char *irq_delivery_name(enum irq_delivery d);
/* The best delivery that this device may have; *why: the obstacle to a better one, or "". */
enum irq_delivery irq_best_delivery(const struct assignment *a, const char **why);
