/* SPDX-License-Identifier: MIT */
/*
 * A unit records blocked requests while two CPUs take its records: the one that gets the event, and
 * one that polls. The unit never goes deaf: when all is quiet, the next fault raises an event. And
 * each record is reported once. In every interleaving of the real vtd/fault.c.
 * From: make unit, make explore.   To: vtd/fault.c, tests/explore/explore.c.
 * Spec: VT-d "Primary Fault Logging", "Fault Event Control Register".
 */
#include "vtd/fault.c"
#include "tests/explore/explore.h"
#include <stdio.h>
#include <string.h>

enum { ON_CPU0, DEVICE, POLLER };
enum { EVENT = 1, TICK = 2 };
#define RECORDS 2
#define BUDGET  3 /* so many looks and records until the tick */
#define AT      16

struct vtd_state vtd;

static struct world {
    struct cpu cpus[3];
    uint32_t pending; /* at CPU 0: the unit's event; a tick, as long as the event is masked */
    uint32_t status, full[RECORDS], next, masked, waits;
    uint32_t recorded, reported, last_ticks;
} w;
static const char in_wait[] = "cpu_wait";
static unsigned faults, polls;

struct cpu *this_cpu(void) { return &w.cpus[explore_current() % 3]; }
uint32_t apic_id(void) { return 0; }
enum log_level log_threshold;
void log_guest_write(int *budget, const char *s, const char *fmt, ...)
{
    (void)budget, (void)s, (void)fmt;
}

/* --- The unit --------------------------------------------------------------------------------- */

static void event(void)
{
    if (w.masked)
        w.waits = 1;
    else
        w.pending |= EVENT;
}

/* A condition is an event only if no bit of the status was set before. */
static void request_blocked(void)
{
    uint32_t before = w.status;
    if (before & FSTS_PFO)
        return;
    if (w.full[w.next]) {
        w.status |= (uint32_t)FSTS_PFO;
    } else {
        w.full[w.next] = 1;
        w.next = (w.next + 1) % RECORDS;
        w.status |= (uint32_t)FSTS_PPF;
        w.recorded++;
    }
    if (!before)
        event();
}

uint32_t vtd_read32(const struct vtd_unit *u, unsigned reg)
{
    (void)u, (void)reg;
    return atomic_load(&w.status);
}

uint64_t vtd_read64(const struct vtd_unit *u, unsigned reg)
{
    unsigned n = (reg - AT * FRCD_SIZE) / FRCD_SIZE;
    (void)u;
    return reg % FRCD_SIZE ? (atomic_load(&w.full[n]) ? FRCD_F : 0) : 0;
}

static void record_empty(unsigned n)
{
    w.full[n] = 0;
    for (unsigned i = 0; i < RECORDS; i++)
        if (w.full[i])
            return;
    w.status &= ~(uint32_t)FSTS_PPF;
}

void vtd_write32(struct vtd_unit *u, unsigned reg, uint32_t v)
{
    (void)u;
    (void)atomic_load(&w.status); /* another may be first */
    if (reg == VTD_FSTS) {
        w.status &= ~(v & (uint32_t)FSTS_PFO);
    } else if (reg == VTD_FECTL) {
        w.masked = v == (uint32_t)FECTL_IM;
        w.pending = (w.pending & EVENT) | (w.masked ? TICK : 0);
        if (!w.masked && w.waits)
            w.pending |= EVENT;
        w.waits &= w.masked;
    } else {
        record_empty((reg - FRCD_F_OFFSET - AT * FRCD_SIZE) / FRCD_SIZE);
    }
    if (!w.status)
        w.waits = 0;
}

/* --- Who acts --------------------------------------------------------------------------------- */

static void cpu0(void)
{
    for (;;) {
        if (explore_choose(&w.pending, EVENT | TICK, in_wait) == 0) {
            w.pending &= ~(uint32_t)EVENT;
            fault_interrupt(NULL);
        } else {
            w.last_ticks += explore_has_ended(DEVICE) && explore_has_ended(POLLER);
            vtd_fault_tick();
        }
        if (w.last_ticks == 2) /* what they have not done, none will */
            w.pending &= EVENT;
    }
}

static void device(void)
{
    for (unsigned i = 0; i < faults; i++) {
        explore_choose(NULL, 1, "the device faults");
        request_blocked();
    }
}

static void poller(void)
{
    for (unsigned i = 0; i < polls; i++)
        if (explore_choose(NULL, 3, "a guest asks for its faults, or not") == 0)
            vtd_fault_poll();
}

static void reported(const struct vtd_fault *f)
{
    (void)f;
    w.reported++;
}

static void at_end(void)
{
    if (explore_waits_for(ON_CPU0) != in_wait)
        explore_failed("CPU 0 waits for ever in %s", explore_waits_for(ON_CPU0));
    if (!explore_has_ended(DEVICE) || !explore_has_ended(POLLER))
        explore_failed("an actor waits for ever");
    if (w.status || w.masked)
        explore_failed("the unit is deaf: status=0x%x masked=%u", w.status, w.masked);
    if (w.reported != w.recorded)
        explore_failed("%u recorded, %u reported", w.recorded, w.reported);
}

int main(int argc, char **argv)
{
    bool deep = argc > 1 && strcmp(argv[1], "deep") == 0;
    faults = deep ? 7 : 5;
    polls = deep ? 2 : 1;
    struct vtd_unit *u = &vtd.units[0];
    vtd.unit_count = 1;
    vtd.fault_handler = reported;
    u->usable = true;
    u->cap = FIELD_SET(CAP_FRO, AT) | FIELD_SET(CAP_NFR, RECORDS - 1);
    u->faults_seen = FAULTS_A_TICK - BUDGET;
    explore_actor("cpu0", cpu0);
    explore_actor("device", device);
    explore_actor("poller", poller);
    explore_watch(&w, sizeof(w));
    explore_watch(&u->faults_seen, sizeof(u->faults_seen));
    explore_keep(&w, sizeof(w));
    explore_keep(u, sizeof(*u));
    explore_keep(&vtd.fault_lock, sizeof(vtd.fault_lock));
    struct explore_result r = explore_all(at_end);
    if (!r.ends)
        explore_failed("no interleaving ends");
    printf("explore: a unit's faults: faults=%u: states=%lu steps=%lu longest=%u ends=%lu, never "
           "deaf, each reported once\n",
           faults, r.states, r.steps, r.longest, r.ends);
    return 0;
}
