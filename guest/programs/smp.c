/* SPDX-License-Identifier: MIT */
/*
 * A guest with two processors or more: each of the others is started by INIT and STARTUP IPIs in
 * real mode, finds its way to 64-bit mode, and answers IPIs; all of them count together.
 *   computing=N  N pings to one that does not sleep, and its exits (cpus=2)
 *   fair=TICKS   how far each one comes in that time
 *   last=1       one that is asleep with interrupts off ends the VM at an NMI; all others sleep
 *   switches=N   what it costs that one leaves the CPU and another comes (cpus=2, on one CPU)
 * To: guest/pc/vlapic_irq.c (ICR), vmx/run/sched_start.c vcpu_sipi(), vmx/run/run.c.
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
#include "lib/atomic.h"
#include "guest/programs/lib/guest.h"

#define PATIENCE 200000000
#define ROUNDS   10000
#define PING     0x60
#define ODD_TIME 777 /* ticks */

static uint64_t online, total, pings, go, done;
static uint64_t computing_exits, turns[PROCESSORS_MAX];

/* What a kernel does on an IPI that reports a changed page table: a TLB shootdown. */
static void ping(struct interrupt_frame *frame)
{
    asm volatile("invlpg (%0)" ::"r"(frame->rsp) : "memory");
    write_cr3(read_cr3());
    atomic_fetch_add(&pings, 1);
}

static void ap_main(void)
{
    while (!atomic_load(&go))
        cpu_relax();
    for (unsigned i = 0; i < ROUNDS; i++)
        atomic_fetch_add(&total, 1);
    atomic_fetch_add(&online, UINT64_MAX); /* one less that counts */
    for (;;)
        halt(); /* a ping wakes it up */
}

static void computes(void)
{
    interrupts_on();
    uint64_t before = exits_all();
    atomic_store(&online, 1);
    while (!atomic_load(&done))
        cpu_relax();
    computing_exits = exits_all() - before;
    atomic_store(&online, 0);
}

/* With posting the CPU of the receiver takes it by itself, and flushes its TLB by itself. */
static void ping_one_that_computes(uint64_t count)
{
    processor_start(1, computes);
    check(spin_until(atomic_load(&online) == 1, PATIENCE));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t before = atomic_load(&pings);
        send_ipi(1, PING);
        check(spin_until(atomic_load(&pings) == before + 1, PATIENCE));
    }
    atomic_store(&done, 1);
    check(spin_until(atomic_load(&online) == 0, PATIENCE));
    print("computing: pings=%lu exits=%lu", count, computing_exits);
}

static void takes_turns(void)
{
    uint64_t *mine = &turns[apic_read(APIC_ID)];
    while (!atomic_load(&go))
        cpu_relax();
    while (atomic_load(&go))
        ++*mine;
}

static void see_who_is_fair(unsigned cpus, uint64_t ticks)
{
    atomic_store(&go, 0);
    for (unsigned id = 1; id < cpus; id++)
        processor_start(id, takes_turns);
    uint64_t end = rdtsc() + ticks;
    atomic_store(&go, 1);
    while (rdtsc() < end)
        for (unsigned i = 0; i < 1000; i++)
            turns[0] += atomic_load(&go); /* as much work as theirs */
    atomic_store(&go, 0);
    for (unsigned id = 0; id < cpus; id++)
        print("fair: processor=%u turns=%lu", id, turns[id]);
}

static struct {
    uint64_t who, least, count;
    uint64_t tsc[2]; /* of each, when it was here last */
    uint64_t asleep; /* processor 1: 0 or 1 */
} last = {.least = UINT64_MAX};

/* A processor that finds the other one's mark has just come back: until then Hamlet had the CPU.
 * The least counts: on the bootstrap processor Hamlet also looks after its VMs now and then. All
 * switches could come at just these moments; so one processor sleeps a while after each fourth, and
 * each time another while.
 * Looking and leaving one's own mark is one instruction: between two, slices of always the same
 * length could end each time. */
static void see_switches(uint64_t who, uint64_t count)
{
    unsigned turn = 0;
    while (atomic_load(&last.count) < count) {
        uint64_t was = atomic_exchange(&last.who, who), now = rdtsc();
        if (was != who && last.tsc[was]) {
            last.least = MIN(last.least, now - last.tsc[was]);
            last.count++;
            turn++;
        }
        if (who == 1 && turn == 4) {
            turn = 0;
            atomic_store(&last.asleep, 1);
            last.tsc[1] = rdtsc();
            halt();
        }
        if (who == 0 && atomic_exchange(&last.asleep, 0)) {
            for (uint64_t until = rdtsc() + ODD_TIME * last.count; rdtsc() < until;)
                cpu_relax();
            send_ipi(1, PING);
        }
        last.tsc[who] = rdtsc();
    }
}

static void see_switches_too(void) { see_switches(1, option("switches", 0)); }

static void measure_switches(uint64_t count)
{
    processor_start(1, see_switches_too);
    see_switches(0, count);
    print("bench vcpu_switch=%lu", last.least);
}

static void ends_it(struct interrupt_frame *frame)
{
    (void)frame;
    quit(0);
}

static void sleeps(void)
{
    for (;;)
        asm volatile("cli; hlt");
}

static void wakes_the_first_and_sleeps(void)
{
    send_ipi(0, PING);
    sleeps();
}

/* The NMI is under way when no processor executes anything any more. The first one's turn has just
 * begun, so that, with all on one CPU, it ends by its HLT. */
static void leave_the_end_to_another(unsigned cpus)
{
    on_interrupt(VECTOR_NMI, ends_it);
    for (unsigned id = cpus - 1; id > 0; id--)
        processor_start(id, id > 1 ? sleeps : wakes_the_first_and_sleeps);
    halt();
    send_ipi(1, (uint32_t)(FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_NMI) | APIC_ICR_ASSERT));
    sleeps();
}

int main(void)
{
    unsigned cpus = (unsigned)option("cpus", 2);
    on_interrupt(PING, ping);
    apic_on(true);
    for (unsigned id = 1; id < cpus; id++)
        processor_start(id, ap_main);
    atomic_store(&online, cpus - 1);
    print("%u processors", cpus);
    atomic_store(&go, 1);
    for (unsigned i = 0; i < ROUNDS; i++)
        atomic_fetch_add(&total, 1);
    check(spin_until(atomic_load(&online) == 0, PATIENCE));
    check(atomic_load(&total) == (uint64_t)ROUNDS * cpus);
    print("counted to %lu together", total);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = atomic_load(&pings);
        for (unsigned id = 1; id < cpus; id++)
            send_ipi(id, PING);
        check(spin_until(atomic_load(&pings) == before + cpus - 1, PATIENCE));
    }
    print("each of the others answered 100 pings");
    if (option("computing", 0))
        ping_one_that_computes(option("computing", 0));
    if (option("fair", 0))
        see_who_is_fair(cpus, option("fair", 0));
    if (option("switches", 0))
        measure_switches(option("switches", 0));
    if (option("last", 0))
        leave_the_end_to_another(cpus);
    if (option("wait", 0)) /* without end: it is looked at in the monitor */
        print("waits");
    while (option("wait", 0))
        cpu_relax();
    return 0;
}
