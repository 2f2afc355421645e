/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of a device for a vCPU that runs, that waits for its turn, that sleeps, and all of
 * that at random. The vCPU that raises one claims the source first, and the handler returns the
 * claim: exactly one run of the handler has to follow each raise. The claim of a lost interrupt is
 * never returned; an interrupt that comes twice finds nothing to return.
 *   running=N   by the vCPU itself (pin=1 on a machine with two CPUs: it has one alone)
 *   ready=N     four vectors at a time, by a vCPU that shares the CPU (vcpus=2, one CPU)
 *   halted=N    one for each HLT, by a vCPU of another CPU (vcpus=2, two CPUs)
 *   mixed=N     every vCPU to every other (vcpus=4, two CPUs); by turns of phase=8192 each
 *               computes, or sleeps one time in awake=64
 *   moved=N     while the device sends, vector and vCPU change under it (vcpus=2)
 *   several=N   one message for two vCPUs, then for any of them, then for one (vcpus=2, two CPUs);
 *               with x2apic=0 also for a logical address that one of them takes later
 *   storm=N     that many of a device that sends unasked and goes on when the program ends
 *   detached=1  the device sends until it is taken away; meanwhile the vCPU sleeps, or with
 *               busy=1 computes
 * From: tests/cases/test_posting.py.   To: docs/posting.md, lib/pi_desc.h (the states).
 */
#include "lib/atomic.h"
#include "guest/programs/interrupts.h"

#define LAB_STORM    0x21c              /* of the lab's device: a message every so many ticks */
#define PATIENCE     UINT64_C(20000000) /* turns of a loop that does nothing */
#define BETWEEN      2000
#define XAPIC_BITS   BITS(31, 24) /* of APIC_ID and APIC_LDR, in xAPIC mode */
#define REASON_TIMER 52           /* SDM Appendix C: VMX-preemption timer expired */

static struct {
    struct source source;
    uint32_t claimed;
    uint64_t raised, handled, doubles;
} lines[SOURCES_MAX];

static uint64_t done, rounds, asleep, sleeps, turns, phase, awake;
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

static void wait_ticks(uint64_t ticks)
{
    for (uint64_t until = rdtsc() + ticks; rdtsc() < until;)
        cpu_relax();
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

/* --- Running ---------------------------------------------------------------------------------- */

static void running(uint64_t count)
{
    trace_mark("running");
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

/* --- Ready ------------------------------------------------------------------------------------ */

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
    trace_mark("ready");
    open_lines(SOURCES_MAX, true);
    rounds = count / line_count;
    atomic_store(&done, 0);
    interrupts_on();
    processor_start(1, raise_all);
    while (!atomic_load(&done))
        cpu_relax();
    report("ready");
}

/* --- Halted ----------------------------------------------------------------------------------- */

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
    trace_mark("halted");
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

/* --- Mixed ------------------------------------------------------------------------------------ */

/* Marsaglia's xorshift: the same on every run. */
static uint32_t random_from(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* The last one that is awake stays so. Interrupts are off from the look at `turns` to the HLT, so
 * that no vCPU misses the interrupt of those that have come to their end. */
static void sleep_for_a_while(void)
{
    interrupts_off();
    if (atomic_fetch_add(&asleep, 1) + 1 < vcpus && atomic_load(&turns) < rounds) {
        atomic_fetch_add(&sleeps, 1);
        halt();
    }
    interrupts_on();
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
        bool sleepy = turn / phase % 2; /* else the CPUs change hands by slices only */
        if (sleepy && (r >> 8) % awake == 0)
            sleep_for_a_while();
    }
}

static bool all_are_up;

/* A vCPU that comes to its end wakes the first, which wakes the others. */
static void mix_on_another(void)
{
    while (!atomic_load(&all_are_up)) /* else a device posts to a vCPU that has never run */
        cpu_relax();
    mix(apic_read(APIC_ID) * 0x9e3779b9u + 1);
    (void)raise(0);
    atomic_fetch_add(&done, 1);
}

static void mixed(uint64_t count)
{
    rounds = count;
    phase = option("phase", 8192);
    awake = option("awake", 64);
    open_lines(vcpus, false);
    check(line_count == vcpus);
    for (unsigned i = 1; i < vcpus; i++)
        processor_start(i, mix_on_another);
    atomic_store(&all_are_up, true);
    mix(12345);
    /* Some may sleep yet. Those who do not need some time between two interrupts to come
     * to their end. */
    while (!spin_until(atomic_load(&done) == vcpus - 1, BETWEEN))
        for (unsigned i = 1; i < line_count; i++)
            (void)raise(i);
    report("mixed");
    print("mixed: vcpus=%u sleeps=%lu", vcpus, sleeps);
}

/* --- Moved ------------------------------------------------------------------------------------ */

static void moved_handler(struct interrupt_frame *frame)
{
    (void)frame; /* whichever of the two vectors, on whichever of the two vCPUs */
    atomic_fetch_add(&lines[0].handled, 1);
    if (!atomic_exchange(&lines[0].claimed, 0))
        atomic_fetch_add(&lines[0].doubles, 1);
}

/* Not at once: a vCPU that gets one interrupt upon another comes to nothing else. */
static void raise_one_by_one(void)
{
    interrupts_on();
    for (uint64_t i = 0; i < rounds; i++) {
        check(raise(0));
        check(spin_until(is_free(0), PATIENCE));
        wait_ticks(i % 64 * 64);
    }
    atomic_store(&done, 1);
}

/* One field of the entry at a time, unmasked: what is raised comes as it was said before
 * or after, once. */
static void moved(uint64_t count)
{
    uint64_t changes;
    open_lines(1, true);
    char *entry = pci_msix_entry(lines[0].source.device.bdf, 0);
    check(entry != NULL);
    on_interrupt(FIRST_VECTOR, moved_handler);
    on_interrupt(FIRST_VECTOR + 1, moved_handler);
    rounds = count;
    interrupts_on();
    processor_start(1, raise_one_by_one);
    for (changes = 0; !atomic_load(&done); changes++) {
        unsigned to = changes / 2 % 2;
        if (changes % 2)
            mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS, MESSAGE_ADDRESS(to));
        else
            mmio_write32(entry + PCI_MSIX_ENTRY_DATA, FIRST_VECTOR + to);
    }
    report("moved");
    print("moved: changes=%lu", changes);
}

/* --- Several ---------------------------------------------------------------------------------- */

static uint64_t mine[2]; /* by vCPU */

static unsigned self(void)
{
    return x2apic_mode ? apic_read(APIC_ID) : (unsigned)FIELD_GET(XAPIC_BITS, apic_read(APIC_ID));
}

static void count_mine(struct interrupt_frame *frame)
{
    (void)frame;
    atomic_fetch_add(&mine[self()], 1);
}

static uint32_t ldr; /* of the second vCPU, in xAPIC mode; 0: it may keep its own */

static void listen(void)
{
    interrupts_on();
    while (!atomic_load(&done)) {
        if (atomic_load(&ldr))
            apic_write(APIC_LDR, (uint32_t)FIELD_SET(XAPIC_BITS, atomic_exchange(&ldr, 0)));
        cpu_relax();
    }
}

static void second_gets_ldr(uint32_t value)
{
    atomic_store(&ldr, value);
    check(spin_until(atomic_load(&ldr) == 0, PATIENCE));
    wait_ticks(BETWEEN); /* it has taken the value, and is about to write it */
}

static void aim(uint32_t address, uint32_t data)
{
    char *entry = pci_msix_entry(lines[0].source.device.bdf, 0);
    check(entry != NULL);
    mmio_write32(entry + PCI_MSIX_ENTRY_CONTROL, PCI_MSIX_ENTRY_MASK);
    mmio_write32(entry + PCI_MSIX_ENTRY_ADDRESS, address);
    mmio_write32(entry + PCI_MSIX_ENTRY_DATA, data);
    mmio_write32(entry + PCI_MSIX_ENTRY_CONTROL, 0);
}

/* `each` of the two get it. */
static void send(const char *whom, uint64_t count, unsigned each)
{
    mine[0] = mine[1] = 0;
    for (uint64_t i = 1; i <= count; i++) {
        source_raise(&lines[0].source);
        check(spin_until(atomic_load(&mine[0]) + atomic_load(&mine[1]) >= i * each, PATIENCE));
    }
    print("%s: raised=%lu vcpu0=%lu vcpu1=%lu", whom, count, mine[0], mine[1]);
}

static void send_to(const char *whom, uint32_t address, uint32_t data, uint64_t count,
                    unsigned each)
{
    aim(address, data);
    send(whom, count, each);
}

static void several(uint64_t count)
{
    const uint32_t both = MESSAGE_ADDRESS(3) | (uint32_t)MESSAGE_LOGICAL; /* a bit each */
    const uint32_t lowest = (uint32_t)FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_LOWEST);
    open_lines(1, true);
    on_interrupt(FIRST_VECTOR, count_mine);
    interrupts_on();
    processor_start(1, listen);
    if (!x2apic_mode) {
        apic_write(APIC_LDR, (uint32_t)FIELD_SET(XAPIC_BITS, 1));
        second_gets_ldr(2);
    }
    send_to("both", both, FIRST_VECTOR, count, 2);
    send_to("any", both, lowest | FIRST_VECTOR, count, 1);
    send_to("one", MESSAGE_ADDRESS(1), FIRST_VECTOR, count, 1);
    if (!x2apic_mode) {
        aim(MESSAGE_ADDRESS(4) | (uint32_t)MESSAGE_LOGICAL, FIRST_VECTOR); /* of no vCPU yet */
        second_gets_ldr(4);
        send("moved", count, 1);
    }
    atomic_store(&done, 1);
}

/* --- Storm ------------------------------------------------------------------------------------ */

/* The vCPU halts and is woken up all the time; its last instruction comes in the middle of that. */
static void storm(uint64_t count)
{
    open_lines(1, true);
    edu_write(&lines[0].source.device, LAB_STORM, (uint32_t)option("period", 3000));
    while (lines[0].handled < count)
        halt();
    print("storm: handled=%lu, and it goes on", lines[0].handled);
}

/* --- Detached --------------------------------------------------------------------------------- */

#define TICK 0x61

static void tick(struct interrupt_frame *frame) { (void)frame; } /* look again */

static bool is_there(void) { return edu_read(&lines[0].source.device, EDU_ID) != UINT32_MAX; }

static void wait_for_nothing(bool busy, uint64_t ticks)
{
    for (uint64_t until = rdtsc() + ticks; rdtsc() < until;) {
        if (!busy)
            halt();
        interrupts_on();
    }
}

static void detached(uint64_t yes)
{
    bool busy = option("busy", 0);
    uint32_t period = (uint32_t)option("period", 3000);
    (void)yes;
    open_lines(1, true);
    if (vcpus > 1)
        processor_start(1, listen); /* another vCPU for this CPU */
    on_interrupt(TICK, tick);
    apic_write(APIC_LVT_TIMER,
               TICK | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, APIC_TIMER_PERIODIC));
    apic_write(APIC_TIMER_INITIAL, 50 * period);
    edu_write(&lines[0].source.device, LAB_STORM, period);
    print("detached: it sends");
    while (is_there())
        wait_for_nothing(busy, period);
    uint64_t handled = lines[0].handled;
    wait_for_nothing(busy, UINT64_C(100) * period);
    check(handled > 0);
    print("detached: handled=%lu, %lu of them later", handled, lines[0].handled - handled);
}

int main(void)
{
    struct {
        const char *name;
        void (*run)(uint64_t count);
    } const states[] = {{"running", running}, {"ready", ready},      {"halted", halted},
                        {"mixed", mixed},     {"moved", moved},      {"several", several},
                        {"storm", storm},     {"detached", detached}};

    vcpus = (unsigned)option("vcpus", 1);
    apic_on(option("x2apic", 1));
    for (unsigned i = 0; i < SOURCES_MAX; i++)
        on_interrupt((uint8_t)(FIRST_VECTOR + i), handler);
    for (unsigned i = 0; i < ARRAY_COUNT(states); i++)
        if (option(states[i].name, 0))
            states[i].run(option(states[i].name, 0));
    while (option("linger", 0)) /* the monitor looks at what was left */
        halt();
    return 0;
}
