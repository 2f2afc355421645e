/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of a device for a vCPU that runs, that waits for its turn, that sleeps, and all of that at
 * random. Whoever raises one claims the source first, and the handler returns the claim: so each raise has
 * to be followed by exactly one run of the handler. One that is lost is never returned, one that comes
 * twice finds nothing to return.
 *   running=N   by the vCPU itself (pin=1 on a machine with two CPUs: nobody else is there)
 *   ready=N     four vectors at a time, by a vCPU that shares the CPU (vcpus=2, one CPU)
 *   halted=N    one for each HLT, by a vCPU of another CPU (vcpus=2, two CPUs)
 *   storm=N     that many of a device that sends without being asked and goes on when the program ends
 *   mixed=N     everybody to everybody, who sleeps now and then (vcpus=4, two CPUs)
 * From: tests/cases/test_posting.py.   To: docs/posting.md, arch/pid.h (the states).
 */
#include "arch/atomic.h"
#include "guest/programs/interrupts.h"

#define LAB_STORM    0x21c              /* of the lab's device: a message every so many ticks */
#define PATIENCE     UINT64_C(20000000) /* turns of a loop that does nothing */
#define PHASE        BIT(13)            /* in the count of interrupts */
#define REASON_TIMER 52                 /* SDM Appendix C: VMX-preemption timer expired */

static struct {
    struct source source;
    uint32_t claimed;
    uint64_t raised, handled, doubles;
} lines[SOURCES_MAX];

static uint64_t done, rounds, asleep, sleeps, turns;
static unsigned vcpus, line_count;

static void handler(struct interrupt_frame *frame)
{
    unsigned n = (unsigned)frame->vector - FIRST_VECTOR;

    lines[n].handled++; /* a line leads to one vCPU only */
    if (!atomic_exchange(&lines[n].claimed, 0))
        lines[n].doubles++;
}

static bool raise(unsigned n)
{
    if (atomic_exchange(&lines[n].claimed, 1))
        return false;
    atomic_fetch_add(&lines[n].raised, 1);
    source_raise(&lines[n].source);
    return true;
}

static bool is_free(unsigned n) { return !atomic_load(&lines[n].claimed); }

static void open_lines(unsigned count, bool all_to_first)
{
    line_count = 0;
    while (line_count < count &&
           source_open(&lines[line_count].source, line_count, all_to_first ? 0 : line_count))
        line_count++;
    check(line_count > 0);
}

/* Everything that was raised was handled, once. */
static void report(const char *state)
{
    uint64_t raised = 0, handled = 0, doubles = 0;

    for (unsigned i = 0; i < line_count; i++) {
        check(spin_until(is_free(i), PATIENCE));
        raised += lines[i].raised;
        handled += lines[i].handled;
        doubles += lines[i].doubles;
        lines[i].raised = lines[i].handled = lines[i].doubles = 0;
    }
    print("%s: raised=%lu handled=%lu double=%lu", state, raised, handled, doubles);
    check(raised == handled && doubles == 0);
}

/* --- Running ------------------------------------------------------------------------------------- */

static void running(uint64_t count)
{
    open_lines(1, true);
    interrupts_on();
    uint64_t timer = exits(REASON_TIMER), all = exits_all();
    for (uint64_t i = 0; i < count; i++) {
        check(raise(0));
        check(spin_until(is_free(0), PATIENCE));
    }
    all = exits_all() - all;
    print("running: interrupts=%lu exits=%lu slices=%lu", count, all, exits(REASON_TIMER) - timer);
    report("running");
}

/* --- Ready --------------------------------------------------------------------------------------- */

/* While this vCPU has the CPU, the other one has not. */
static void raise_all(void)
{
    for (uint64_t round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < line_count; i++)
            check(raise(i));
        for (unsigned i = 0; i < line_count; i++)
            check(spin_until(is_free(i), PATIENCE));
    }
    atomic_store(&done, 1);
}

static void ready(uint64_t count)
{
    open_lines(SOURCES_MAX, true);
    rounds = count / line_count;
    atomic_store(&done, 0);
    interrupts_on();
    processor_start(1, raise_all);
    while (!atomic_load(&done))
        cpu_relax();
    report("ready");
}

/* --- Halted -------------------------------------------------------------------------------------- */

static void wait_ticks(uint64_t ticks)
{
    for (uint64_t until = rdtsc() + ticks; rdtsc() < until;)
        cpu_relax();
}

static void wake_each_time(void)
{
    uint64_t long_enough = option("delay", 20000); /* for the exit of HLT */

    for (uint64_t i = 0; i < rounds; i++) {
        check(spin_until(atomic_load(&asleep), PATIENCE));
        wait_ticks(long_enough);
        atomic_store(&asleep, 0);
        check(raise(0));
    }
}

static void halted(uint64_t count)
{
    open_lines(1, true);
    rounds = count;
    processor_start(1, wake_each_time);
    for (uint64_t i = 0; i < count; i++) {
        atomic_store(&asleep, 1);
        halt();
        check(lines[0].handled == i + 1); /* each sleep was ended by one interrupt */
    }
    report("halted");
}

/* --- Mixed --------------------------------------------------------------------------------------- */

/* Marsaglia's xorshift: the same on every run. */
static uint32_t random_from(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* The last one that is awake stays so. */
static void sleep_for_a_while(void)
{
    if (atomic_fetch_add(&asleep, 1) + 1 < vcpus) {
        atomic_fetch_add(&sleeps, 1);
        halt();
        interrupts_on();
    }
    atomic_fetch_add(&asleep, UINT64_MAX);
}

static void mix(uint32_t seed)
{
    uint32_t state = seed, in_vain = 0;

    interrupts_on();
    for (uint64_t turn; (turn = atomic_load(&turns)) < rounds;) {
        uint32_t r = random_from(&state);
        if (raise(r % line_count)) {
            in_vain = 0;
            atomic_fetch_add(&turns, 1);
        } else {
            check(++in_vain < PATIENCE);
        }
        bool sleepy = turn & PHASE; /* else the CPUs change hands by slices only */
        if (sleepy && (r >> 8) % 64 == 0)
            sleep_for_a_while();
    }
}

static void mix_on_another(void)
{
    mix(apic_read(APIC_ID) * 0x9e3779b9u + 1);
    atomic_fetch_add(&done, 1);
}

static void mixed(uint64_t count)
{
    rounds = count;
    open_lines(vcpus, false);
    check(line_count == vcpus);
    for (unsigned i = 1; i < vcpus; i++)
        processor_start(i, mix_on_another);
    mix(12345);
    while (atomic_load(&done) < vcpus - 1) /* some may sleep yet */
        for (unsigned i = 1; i < line_count; i++)
            (void)raise(i);
    report("mixed");
    print("mixed: vcpus=%u sleeps=%lu", vcpus, sleeps);
}

/* --- Storm --------------------------------------------------------------------------------------- */

/* The vCPU halts and is woken up all the time; its last instruction comes in the middle of that. */
static void storm(uint64_t count)
{
    open_lines(1, true);
    edu_write(&lines[0].source.device, LAB_STORM, (uint32_t)option("period", 3000));
    while (lines[0].handled < count)
        halt();
    print("storm: handled=%lu, and it goes on", lines[0].handled);
}

int main(void)
{
    struct {
        const char *name;
        void (*run)(uint64_t count);
    } const states[] = {{"running", running},
                        {"ready", ready},
                        {"halted", halted},
                        {"mixed", mixed},
                        {"storm", storm}};

    vcpus = (unsigned)option("vcpus", 1);
    apic_on(option("x2apic", 1));
    for (unsigned i = 0; i < SOURCES_MAX; i++)
        on_interrupt((uint8_t)(FIRST_VECTOR + i), handler);
    for (unsigned i = 0; i < ARRAY_COUNT(states); i++)
        if (option(states[i].name, 0))
            states[i].run(option(states[i].name, 0));
    return 0;
}
