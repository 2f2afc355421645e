/* SPDX-License-Identifier: MIT */
/*
 * The neighbour of an attacker. All the while it checks its memory, its device, its time (no timer
 * comes later than late=N us), and that no interrupt arrives that it did not ask for; with
 * msi=1 it asks its device for one in each round. After some seconds, or when a key is typed, it
 * ends, and well if it noticed nothing.
 * To: guest/programs/attacker.c (the neighbour).
 */
#include "arch/msr.h"
#include "guest/programs/edu.h"

#define MEMORY UINT64_C(0x400000)
#define WORDS  0x80000 /* 4 MiB */
#define BYTES  1024
#define VECTOR 0x50
#define DEVICE 0x51

static uint32_t source[BYTES / 4], target[BYTES / 4];
static struct edu e;
static uint64_t ticks, messages, asked, unexpected;

static void on_tick(struct interrupt_frame *frame)
{
    (void)frame;
    ticks++;
}

static void on_message(struct interrupt_frame *frame)
{
    (void)frame;
    edu_write(&e, EDU_IRQ_ACK, 1);
    unexpected += ++messages > asked;
}

static void on_other(struct interrupt_frame *frame)
{
    print("vector %lu came, error 0x%lx", frame->vector, frame->error);
    unexpected++;
}

static uint64_t word(uint64_t i) { return (i + 1) * UINT64_C(0x9e3779b97f4a7c15); }

/* Nothing is left of what any VM before had in this memory, not even this one before a reset. */
static void fill_fresh_memory(void)
{
    uint64_t *memory = (uint64_t *)MEMORY;
    for (uint64_t i = 0; i < WORDS; i++) {
        check(memory[i] == 0);
        memory[i] = word(i);
    }
}

static void check_memory(uint64_t from, uint64_t count)
{
    const uint64_t *memory = (const uint64_t *)MEMORY;
    for (uint64_t i = from; i < from + count; i++)
        check(memory[i % WORDS] == word(i % WORDS));
}

static void check_device(uint32_t round)
{
    for (unsigned i = 0; i < BYTES / 4; i++) {
        source[i] = round * 0x01000193 + i;
        target[i] = 0;
    }
    check(edu_dma(&e, (uint64_t)source, BYTES, false));
    check(edu_dma(&e, (uint64_t)target, BYTES, true));
    for (unsigned i = 0; i < BYTES / 4; i++)
        check(target[i] == source[i]);
    edu_write(&e, EDU_LIVENESS, round);
    check(edu_read(&e, EDU_LIVENESS) == ~round);
}

/* What waits already was not asked for: two at the same vector would come as one. */
static void check_message(void)
{
    interrupts_on();
    asm volatile("nop; cli" ::: "memory");
    asked++;
    edu_write(&e, EDU_IRQ_RAISE, 1);
    while (messages < asked)
        halt();
}

/* One round with a timer: how much later than asked for did its interrupt come? */
static uint64_t lateness(uint64_t wait)
{
    uint64_t due = rdtsc() + wait, before = ticks;
    wrmsr(MSR_IA32_TSC_DEADLINE, due);
    while (ticks == before)
        halt();
    return rdtsc() - due;
}

int main(void)
{
    uint64_t mhz = option("mhz", 100), until = rdtsc() + option("seconds", 10) * mhz * 1000000;
    uint64_t worst = 0, rounds = 0, late = option("late", UINT32_MAX);
    uint64_t rest = option("rest", 1) * mhz * 1000; /* from round to round, in ms */
    bool msi = option("msi", 0);
    check(hypercall(HC_HOST_ADDRESS, 0) == HC_UNKNOWN && hypercall(HC_HAMLET, 0) == HC_UNKNOWN);
    e = edu_open();
    for (unsigned v = 32; v < 256; v++)
        on_interrupt((uint8_t)v, v == VECTOR ? on_tick : on_other);
    on_interrupt(2, on_other);
    on_interrupt(DEVICE, on_message);
    apic_on(true);
    apic_write(APIC_LVT_TIMER, VECTOR | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, 2));
    if (msi)
        pci_msi_on(e.bdf, DEVICE);
    fill_fresh_memory();
    for (; rdtsc() < until && !key_typed(); rounds++) {
        check_memory(rounds * 4096, 4096);
        check_device((uint32_t)rounds);
        if (msi)
            check_message();
        worst = MAX(worst, lateness(rest));
    }
    check_memory(0, WORDS);
    print("rounds=%lu latest-tick=%lu us messages=%lu unexpected=%lu faults=%lu", rounds,
          worst / mhz, messages, unexpected, hypercall(HC_FAULTS, 0));
    check(unexpected == 0 && hypercall(HC_FAULTS, 0) == 0 && worst / mhz <= late);
    return 0;
}
