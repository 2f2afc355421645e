/* SPDX-License-Identifier: MIT */
/*
 * One message interrupt of an assigned function, on its way to a vCPU:
 *   device -> IRTE (source-id verified)
 *     -> posted:   into the descriptor of the vCPU, by VT-d; no exit, and no instruction of ours
 *     -> software: a host vector, whose handler posts into the same descriptor as VT-d would
 *     -> injected: a host vector, whose handler makes the vCPU exit and gives it the interrupt at its entry
 * From: guest/assign/vmsi.c, guest/assign/vmsix.c (where the guest wrote its vector).
 * To: vtd/intremap.c, vmx/vcpu/inject.c.
 * Spec: VT-d "Interrupt Remapping"; SDM "Message Signalled Interrupts".
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

struct assignment;

/* Best first, but for the first. */
enum irq_delivery { IRQ_UNROUTED, IRQ_POSTED, IRQ_SOFTWARE, IRQ_INJECTED };

struct irq_route {
    struct assignment *owner;
    unsigned irte;    /* index in the interrupt-remapping table */
    int host_vector;  /* of the remapped form, from when it was first needed; -1: not yet */
    uint64_t targets; /* vCPUs it goes to, a bit each */
    uint8_t vector;   /* that the guest chose */
    enum irq_delivery delivery;
    uint64_t count; /* interrupts that came through Hamlet */
};

/* `count` routes (a power of two, contiguous IRTEs) for a function; blocked until set. */
MUST_CHECK int irq_routes_alloc(struct assignment *a, struct irq_route *routes, unsigned count);
void irq_routes_free(struct irq_route *routes, unsigned count);
/* The guest wrote this message: lead the route there. A message that makes no sense (not 0xFEEx_xxxx,
 * vector below 16, no such vCPU) blocks the route, as it would reach nobody. */
void irq_route_set(struct irq_route *route, uint64_t address, uint32_t data);
void irq_route_block(struct irq_route *route);
const char *irq_delivery_name(enum irq_delivery d);
/* The best way of delivery that this device may have; *why: what is in the way of a better one, or "". */
enum irq_delivery irq_best_delivery(const struct assignment *a, const char **why);
