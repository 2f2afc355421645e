/* SPDX-License-Identifier: MIT */
/*
 * One message interrupt of an assigned function: the message that the guest wrote becomes an entry
 * of the interrupt-remapping table.
 * From: guest/assign/vmsi.c, guest/assign/vmsix.c.
 * To: vtd/intremap.c (the entry), vmx/run/post.c vcpu_post() (a remapped one reaches its vCPU),
 * guest/pc/vlapic_dest.c vlapic_match() (which vCPUs a message names).
 * Hot: every interrupt of a device that is not posted.
 * Spec: VT-d "Interrupt Remapping Table", "MSI and MSI-X Register Programming"; SDM "Message
 * Address Register Format", "Message Data Register Format".
 */
#include "guest/assign/irq.h"
#include "arch/apic.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "guest/assign/assign.h"
#include "guest/pc/vlapic.h"
#include "vmx/caps.h"
#include "vmx/run/post.h"
#include "vtd/vtd_regs.h"
#define LOG "irq"
#include "arch/log.h"

static const char *const delivery_names[] = {[IRQ_UNROUTED] = "unrouted",
                                             [IRQ_POSTED] = "posted",
                                             [IRQ_SOFTWARE] = "software",
                                             [IRQ_INJECTED] = "injected"};

bool irq_route_is_foreign(const struct irq_route *route)
{
    struct u128 e = vtd_irte_read(route->irte);
    return (e.lo & IRTE_P) && FIELD_GET(IRTE_SVT, e.hi) == IRTE_SVT_SID &&
           FIELD_GET(IRTE_SID, e.hi) != route->owner->requester;
}

const char *irq_delivery_name(enum irq_delivery d) { return delivery_names[d]; }

COLD enum irq_delivery irq_best_delivery(const struct assignment *a, const char **why)
{
    bool early_plan = a->config.plan == PLAN_FORWARD || a->config.plan == PLAN_INJECT;
    *why = "";
    if (!vmx_caps.posting || a->config.irq == IRQ_INJECT || early_plan) {
        *why = a->config.irq == IRQ_INJECT ? "irq=inject"
               : early_plan                ? "plan A or B"
                                           : vmx_caps.no_posting;
        return IRQ_INJECTED;
    }
    if (a->config.irq == IRQ_REMAP)
        *why = "irq=remap";
    else if (a->config.plan != PLAN_POST_HW)
        *why = "not plan D";
    else if (vtd_no_posting())
        *why = vtd_no_posting();
    return **why ? IRQ_SOFTWARE : IRQ_POSTED;
}

/* --- A remapped message ----------------------------------------------------------------------- */

static unsigned ticks;

static bool is_remapped(const struct irq_route *route)
{
    return route->delivery == IRQ_SOFTWARE || route->delivery == IRQ_INJECTED;
}

static struct vcpu *first_of(const struct vm *vm, uint64_t targets)
{
    return vm->vcpus[__builtin_ctzll(targets)];
}

/* Where the first of its vCPUs runs, waits or sleeps: the message costs no other CPU anything. */
static const struct cpu *cpu_of(const struct vcpu *first)
{
    const struct cpu *home = atomic_load(&first->cpu);
    return home ? home : cpu_get(0); /* it has not run yet */
}

COLD static void entry_lead(struct irq_route *route)
{
    route->cpu = cpu_of(first_of(route->owner->vm, route->targets));
    vtd_irte_remap(route->irte, route->cpu->apic_id, (uint8_t)route->host_vector, false);
}

static inline void post(const struct irq_route *route, struct vcpu *v)
{
    TRACE(TRACE_IRQ, v->trace_id, 0, route->vector, 0, 0);
    if (route->delivery == IRQ_INJECTED)
        vcpu_post_by_exit(v, route->vector);
    else
        vcpu_post(v, route->vector);
}

COLD static void post_all(const struct irq_route *route, uint64_t targets)
{
    for (; targets; targets &= targets - 1)
        post(route, first_of(route->owner->vm, targets));
}

/* This interrupt took time of another VM's vCPU, and its device has sent too many of them in this
 * tick. What a VM loses to its own devices is its own affair. */
static bool steals(struct assignment *a, const struct vcpu *here)
{
    if (!here || here->vm == a->vm)
        return false;
    unsigned now = atomic_load(&ticks);
    if (atomic_exchange(&a->stolen_tick, now) != now)
        atomic_store(&a->stolen, 0);
    return atomic_fetch_add(&a->stolen, 1) >= IRQ_STOLEN_MAX;
}

COLD static void entry_hold(struct irq_route *route)
{
    struct assignment *a = route->owner;
    vtd_irte_hold(route->irte);
    if (!route->held) {
        route->held = true;
        route->held_next = a->vm->held;
        atomic_store(&a->vm->held, route);
    }
    if (!a->held_told)
        log_often("vm=%s " BDF_FMT " vector=0x%02x: more than %u interrupts in a tick, while others"
                  " run: held back",
                  a->vm->name, BDF_ARG(a->fn->bdf), route->vector, IRQ_STOLEN_MAX);
    a->held_told = true;
}

/* The entry follows the first vCPU to its CPU, and is held if there are too many messages. Only the
 * holder of vm->lock changes an entry, and irq_free() waits for this handler with that lock held:
 * so if the lock is not free, the next message is early enough. */
static __attribute__((noinline)) void entry_adapt(struct irq_route *route, const struct vcpu *first,
                                                  const struct vcpu *here)
{
    struct vm *vm = route->owner->vm;
    bool hold = steals(route->owner, here);
    if ((!hold && cpu_of(first) == route->cpu) || !spin_trylock(&vm->lock))
        return;
    if (is_remapped(route) && hold) /* else the guest has changed it meanwhile */
        entry_hold(route);
    else if (is_remapped(route) && !route->held)
        entry_lead(route);
    spin_unlock(&vm->lock);
}

/* A remapped interrupt has arrived on its host vector: pass it to each of its vCPUs, most often to
 * one. If that is the vCPU that it has interrupted, it came to the right CPU, and at no other's
 * expense. */
static void remapped_arrived(void *ctx)
{
    struct irq_route *route = ctx;
    struct vm *vm = route->owner->vm;
    atomic_fetch_add(&route->count, 1);
    atomic_fetch_add(&vm->irq_count, 1);
    uint64_t targets = atomic_load(&route->targets), others = targets & (targets - 1);
    if (!targets) /* the guest has blocked it meanwhile */
        return;
    struct vcpu *first = first_of(vm, targets);
    if (others)
        post_all(route, others);
    post(route, first);
    const struct vcpu *here = vcpu_interrupted();
    if (here != first)
        entry_adapt(route, first, here);
}

/* A message that came while the entry was held is lost. So each vCPU gets one more interrupt, at
 * which its driver looks at the device. */
COLD static void held_release(struct vm *vm)
{
    struct irq_route *route = vm->held;
    atomic_store(&vm->held, NULL);
    for (; route; route = route->held_next) {
        route->held = false;
        if (!is_remapped(route))
            continue;
        entry_lead(route);
        post_all(route, route->targets);
    }
}

COLD void irq_tick(void)
{
    atomic_fetch_add(&ticks, 1);
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm)) {
        if (!atomic_load(&vm->held))
            continue;
        spin_lock(&vm->lock);
        held_release(vm);
        spin_unlock(&vm->lock);
    }
}

COLD static void held_forget(struct irq_route *route)
{
    struct irq_route **at = &route->owner->vm->held;
    while (*at && *at != route)
        at = &(*at)->held_next;
    if (*at)
        *at = route->held_next;
}

/* --- Routes ----------------------------------------------------------------------------------- */

COLD int irq_routes_alloc(struct assignment *a, struct irq_route *routes, unsigned count)
{
    int first = vtd_irte_alloc(a->requester, count);
    if (first < 0)
        return first;
    for (unsigned i = 0; i < count; i++)
        routes[i] = (struct irq_route){.owner = a, .irte = (unsigned)first + i, .host_vector = -1};
    return 0;
}

/* The host has fewer vectors than one device may have messages, so a route takes one when it needs
 * it: what VT-d posts needs none. */
static bool has_host_vector(struct irq_route *route)
{
    if (route->host_vector < 0)
        route->host_vector = irq_alloc(remapped_arrived, route);
    if (route->host_vector < 0)
        log_guest(&route->owner->vm->log_budget,
                  "vm=%s " BDF_FMT " vector=0x%02x is not delivered: no vector of the host is left",
                  route->owner->vm->name, BDF_ARG(route->owner->fn->bdf), route->vector);
    return route->host_vector >= 0;
}

COLD void irq_routes_free(struct irq_route *routes, unsigned count)
{
    vtd_irte_free(routes[0].irte, count);
    for (unsigned i = 0; i < count; i++) {
        if (routes[i].host_vector >= 0)
            irq_free((uint8_t)routes[i].host_vector);
        held_forget(&routes[i]);
        routes[i] = (struct irq_route){.host_vector = -1};
    }
}

COLD void irq_route_block(struct irq_route *route)
{
    if (route->delivery == IRQ_UNROUTED)
        return;
    vtd_irte_block(route->irte);
    route->delivery = IRQ_UNROUTED;
    route->targets = 0;
}

/* The vCPUs that the message names, a bit each; of several with lowest priority, any one. */
static uint64_t targets_of(struct vm *vm, uint64_t address, uint32_t data)
{
    uint64_t delivery = FIELD_GET(MSI_DATA_DELIVERY, data);
    bool known = delivery == APIC_DELIVERY_FIXED || delivery == APIC_DELIVERY_LOWEST;
    if (FIELD_GET(MSI_ADDRESS_BASE, address) != MSI_ADDRESS_FEE || !known ||
        FIELD_GET(MSI_DATA_VECTOR, data) < VECTOR_FIRST_LEGAL)
        return 0;
    uint64_t set = vlapic_match(vm, (uint32_t)FIELD_GET(MSI_ADDRESS_DEST, address),
                                address & MSI_ADDRESS_LOGICAL);
    return delivery == APIC_DELIVERY_LOWEST ? set & -set : set;
}

/* VT-d posts to the one descriptor that the entry names: it can neither send to several vCPUs nor
 * choose one of them. */
static enum irq_delivery choose_delivery(const struct irq_route *route, uint64_t targets,
                                         uint32_t data)
{
    const char *why;
    enum irq_delivery best = irq_best_delivery(route->owner, &why);
    bool lowest = FIELD_GET(MSI_DATA_DELIVERY, data) == APIC_DELIVERY_LOWEST;
    if (best != IRQ_POSTED || (!lowest && !(targets & (targets - 1))))
        return best;
    log_guest(&route->owner->vm->log_budget,
              "vm=%s " BDF_FMT " vector=0x%02x: %s, cannot be posted by VT-d: remapped",
              route->owner->vm->name, BDF_ARG(route->owner->fn->bdf), route->vector,
              lowest ? "lowest priority" : "several vCPUs");
    return IRQ_SOFTWARE;
}

COLD void irq_route_set(struct irq_route *route, uint64_t address, uint32_t data)
{
    struct vm *vm = route->owner->vm;
    uint8_t vector = (uint8_t)FIELD_GET(MSI_DATA_VECTOR, data);
    uint64_t targets = targets_of(vm, address, data);
    if (!targets) {
        irq_route_block(route);
        return;
    }
    if (route->delivery != IRQ_UNROUTED && route->targets == targets && route->vector == vector)
        return;
    route->targets = targets;
    route->vector = vector;
    for (uint64_t set = targets; set; set &= set - 1) /* a message is an edge */
        vcpu_eoi_exit(vm->vcpus[__builtin_ctzll(set)], vector, false);
    enum irq_delivery way = choose_delivery(route, targets, data);
    if (way != IRQ_POSTED && !has_host_vector(route)) {
        irq_route_block(route);
        return;
    }
    route->delivery = way;
    if (way == IRQ_POSTED)
        vtd_irte_post(route->irte, vcpu_descriptor(vm->vcpus[__builtin_ctzll(targets)]), vector,
                      false);
    else
        entry_lead(route);
    log_trace("vm=%s " BDF_FMT " irte=%u vector=0x%02x vcpus=0x%lx %s", vm->name,
              BDF_ARG(route->owner->fn->bdf), route->irte, vector, targets,
              delivery_names[route->delivery]);
}
