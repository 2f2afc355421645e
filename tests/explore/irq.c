/* SPDX-License-Identifier: MIT */
/*
 * A vector is freed while its interrupts arrive: a guest resets its device on one CPU, which frees
 * the routes of the device's interrupts, and another CPU takes such an interrupt at that time. No
 * handler runs with what was freed, in any interleaving of the real arch/irq.c.
 * From: make unit, make explore.   To: arch/irq.c, tests/explore/explore.c.
 * Spec: none; it is a promise of irq_free() in arch/trap.h.
 */
#include "arch/irq.c"
#include "tests/explore/explore.h"
#include <stdio.h>
#include <string.h>

enum { ON_CPU0, DEVICE, GUEST };

/* What guest/assign/irq.c keeps for one message of a device. */
struct route {
    uint64_t alive;
    uint64_t taken;
};

static struct world {
    struct cpu cpus[3];
    struct route routes[2];
    uint32_t pending; /* bit 0: an interrupt of the vector waits in the local APIC of CPU 0 */
    uint32_t vector;
} w;
static const char in_wait[] = "cpu_wait";
static unsigned messages;

struct cpu *this_cpu(void) { return &w.cpus[explore_current() % 3]; }
bool apic_in_service(uint8_t vector) { return vector != 0; }
void apic_eoi(void) {}
enum log_level log_threshold;
void log_write(enum log_level level, const char *s, const char *fmt, ...)
{
    (void)level, (void)s, (void)fmt;
}
void log_guest_write(int *budget, const char *s, const char *fmt, ...)
{
    (void)budget, (void)s, (void)fmt;
}
void panic_at(const char *file, int line, const char *fmt, ...)
{
    explore_failed("panic at %s:%d: %s", file, line, fmt);
}

static void arrived(void *ctx)
{
    struct route *r = ctx;
    if (!atomic_load(&r->alive))
        explore_failed("the handler was given a route that is freed");
    r->taken++;
    if (!atomic_load(&r->alive))
        explore_failed("a route was freed under its handler");
}

static void cpu0(void)
{
    for (;;) {
        explore_choose(&w.pending, 1, in_wait);
        w.pending = 0;
        irq_dispatch((uint8_t)w.vector);
    }
}

static void device(void)
{
    for (unsigned i = 0; i < messages; i++) {
        explore_choose(NULL, 1, "the device sends");
        w.pending = 1;
    }
}

/* The device is reset; then another message takes the same vector at once. */
static void guest(void)
{
    irq_free((uint8_t)w.vector);
    atomic_store(&w.routes[0].alive, 0);
    w.routes[1].alive = 1;
    next_device = 0;
    w.vector = (uint32_t)irq_alloc(arrived, &w.routes[1]);
}

static void at_end(void)
{
    if (explore_waits_for(ON_CPU0) != in_wait)
        explore_failed("CPU 0 waits for ever in %s", explore_waits_for(ON_CPU0));
    if (!explore_has_ended(DEVICE) || !explore_has_ended(GUEST))
        explore_failed("an actor waits for ever");
}

int main(int argc, char **argv)
{
    messages = argc > 1 && strcmp(argv[1], "deep") == 0 ? 4 : 2;
    for (unsigned i = 0; i < ARRAY_COUNT(w.cpus); i++)
        w.cpus[i].index = i;
    w.routes[0].alive = 1;
    w.vector = (uint32_t)irq_alloc(arrived, &w.routes[0]);
    explore_actor("cpu0", cpu0);
    explore_actor("device", device);
    explore_actor("guest", guest);
    explore_watch(&irqs[w.vector], sizeof(irqs[0]));
    explore_watch(&w, sizeof(w));
    explore_watch(inside, 3 * sizeof(inside[0]));
    explore_keep(&w, sizeof(w));
    explore_keep(inside, 3 * sizeof(inside[0]));
    explore_keep(&irqs[w.vector], sizeof(irqs[0]));
    explore_keep(&irqs_lock, 8);
    struct explore_result r = explore_all(at_end);
    if (!r.ends)
        explore_failed("no interleaving ends");
    printf("explore: a vector is freed: messages=%u: states=%lu steps=%lu longest=%u ends=%lu, no "
           "handler has what was freed\n",
           messages, r.states, r.steps, r.longest, r.ends);
    return 0;
}
