/* SPDX-License-Identifier: MIT */
/*
 * One message interrupt of an assigned function, from the message that the guest wrote to the entry of
 * the interrupt-remapping table that makes it come true.
 * From: guest/vmsi.c, guest/vmsix.c.
 * To: vtd/intremap.c (the entry), vmx/inject.c vcpu_post() (where a remapped one ends).
 * Spec: VT-d "Interrupt Remapping Table", "MSI and MSI-X Register Programming"; SDM "Message Address
 * Register Format", "Message Data Register Format".
 */
#define LOG "irq"
#include "guest/irq.h"
#include "arch/apic.h"
#include "arch/log.h"
#include "arch/options.h"
#include "arch/trap.h"
#include "guest/assign.h"
#include "guest/vlapic.h"

#define MSI_ADDRESS_BASE    BITS(63, 20)
#define MSI_ADDRESS_FEE     0xfee
#define MSI_ADDRESS_DEST    BITS(19, 12)
#define MSI_ADDRESS_LOGICAL BIT(2)
#define MSI_DATA_VECTOR     BITS(7, 0)
#define MSI_DATA_DELIVERY   BITS(10, 8)
#define VECTOR_FIRST_LEGAL  16 /* SDM "Valid Interrupt Vectors" */

static const char *const delivery_names[] = {
    [IRQ_UNROUTED] = "unrouted",
    [IRQ_REMAPPED] = "remapped",
    [IRQ_POSTED] = "posted",
};

const char *irq_delivery_name(enum irq_delivery d) { return delivery_names[d]; }

/* A remapped interrupt has arrived on its host vector; the same descriptor takes it. */
static void remapped_arrived(void *ctx)
{
    struct irq_route *route = ctx;

    route->count++;
    route->owner->vm->irq_count++;
    if (route->target)
        vcpu_post(route->target, route->vector);
}

int irq_routes_alloc(struct assignment *a, struct irq_route *routes, unsigned count)
{
    int first = vtd_irte_alloc(a->requester, count);

    if (first < 0)
        return first;
    for (unsigned i = 0; i < count; i++)
        routes[i] = (struct irq_route){.owner = a, .irte = (unsigned)first + i, .host_vector = -1};
    for (unsigned i = 0; i < count; i++) {
        routes[i].host_vector = irq_alloc(remapped_arrived, &routes[i]);
        if (routes[i].host_vector < 0) {
            irq_routes_free(routes, count);
            return -ENOSPC;
        }
    }
    return 0;
}

void irq_routes_free(struct irq_route *routes, unsigned count)
{
    vtd_irte_free(routes[0].irte, count);
    for (unsigned i = 0; i < count; i++) {
        if (routes[i].host_vector >= 0)
            irq_free((uint8_t)routes[i].host_vector);
        routes[i] = (struct irq_route){.host_vector = -1};
    }
}

void irq_route_block(struct irq_route *route)
{
    if (route->delivery == IRQ_UNROUTED)
        return;
    vtd_irte_block(route->irte);
    route->delivery = IRQ_UNROUTED;
    route->target = NULL;
}

/* Whom the message names; NULL: nobody. Of several, the first: said once, as it is not what was asked. */
static struct vcpu *target_of(struct vm *vm, uint64_t address)
{
    uint64_t set = vlapic_match(vm, (uint32_t)FIELD_GET(MSI_ADDRESS_DEST, address),
                                address & MSI_ADDRESS_LOGICAL);

    if (set & (set - 1))
        log_guest(&vm->log_budget, "vm=%s message to several vCPUs: remapped to the first",
                  vm->name);
    return set ? vm->vcpus[__builtin_ctzll(set)] : NULL;
}

/* VT-d can post to a vCPU with a descriptor, unless the configuration wants to see it done otherwise. */
static bool may_post(const struct irq_route *route)
{
    return options.post == POST_HW && route->owner->config.irq == IRQ_POST &&
           route->owner->config.plan == PLAN_D && vtd_can_post() &&
           vcpu_descriptor(route->target) != NULL;
}

void irq_route_set(struct irq_route *route, uint64_t address, uint32_t data)
{
    uint64_t delivery = FIELD_GET(MSI_DATA_DELIVERY, data);
    uint8_t vector = (uint8_t)FIELD_GET(MSI_DATA_VECTOR, data);
    struct vcpu *target = NULL;

    if (FIELD_GET(MSI_ADDRESS_BASE, address) == MSI_ADDRESS_FEE && vector >= VECTOR_FIRST_LEGAL &&
        (delivery == APIC_DELIVERY_FIXED || delivery == APIC_DELIVERY_LOWEST))
        target = target_of(route->owner->vm, address);
    if (!target) {
        irq_route_block(route);
        return;
    }
    if (route->delivery != IRQ_UNROUTED && route->target == target && route->vector == vector)
        return;
    route->target = target;
    route->vector = vector;
    if (may_post(route)) {
        vtd_irte_post(route->irte, vcpu_descriptor(target), vector, false);
        route->delivery = IRQ_POSTED;
    } else {
        vtd_irte_remap(route->irte, cpu_get(0)->apic_id, (uint8_t)route->host_vector, false);
        route->delivery = IRQ_REMAPPED;
    }
    log_trace("vm=%s " BDF_FMT " irte=%u vector=0x%02x vcpu=%u %s", route->owner->vm->name,
              BDF_ARG(route->owner->fn->bdf), route->irte, vector, target->index,
              delivery_names[route->delivery]);
}
