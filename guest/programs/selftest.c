/* SPDX-License-Identifier: MIT */
/*
 * What a PC is asked to do before it is trusted with a guest: exits of three kinds, timer
 * interrupts, interrupts between two processors. It tells how long each takes, in cycles of the
 * TSC; on the lab machine that is instructions.
 * From: ./hamlet run --check, the menu of a medium.   To: vmx/run/run.c, guest/pc/vlapic_timer.c.
 */
#include "lib/atomic.h"
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

#define PATIENCE 200000000
#define ROUNDS   100
#define DELAY    100000 /* TSC cycles, to a timer's interrupt */
#define TIMER    0x40
#define PING     0x41

static uint64_t fired, pings, here;

#define CYCLES(operation)                                                                          \
    ({                                                                                             \
        uint64_t begin_ = rdtsc();                                                                 \
        for (unsigned i_ = 0; i_ < ROUNDS; i_++)                                                   \
            operation;                                                                             \
        (rdtsc() - begin_) / ROUNDS;                                                               \
    })

static void timer(struct interrupt_frame *frame)
{
    (void)frame;
    fired = rdtsc();
}

/* How late the interrupt is that wakes a processor up. */
static uint64_t lateness(void)
{
    uint64_t late = 0;
    on_interrupt(TIMER, timer);
    apic_write(APIC_LVT_TIMER, FIELD_SET(APIC_LVT_TIMER_MODE, APIC_TIMER_TSC_DEADLINE) | TIMER);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t at = rdtsc() + DELAY;
        fired = 0;
        wrmsr(MSR_IA32_TSC_DEADLINE, at);
        while (!fired)
            halt();
        check(fired >= at);
        late += fired - at;
    }
    return late / ROUNDS;
}

static void ping(struct interrupt_frame *frame)
{
    (void)frame;
    atomic_fetch_add(&pings, 1);
}

static void waits(void)
{
    interrupts_on();
    atomic_store(&here, 1);
    for (;;)
        cpu_relax();
}

static uint64_t to_the_other(void)
{
    uint64_t begin = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t before = atomic_load(&pings);
        send_ipi(1, PING);
        check(spin_until(atomic_load(&pings) == before + 1, PATIENCE));
    }
    return (rdtsc() - begin) / ROUNDS;
}

int main(void)
{
    apic_on(true);
    print("cycles: cpuid=%lu vmcall=%lu in=%lu", CYCLES(cpuid(1, 0)),
          CYCLES(hypercall(HC_NOTHING, 0)), CYCLES(in8(0x3ff)));
    if (cpuid(1, 0).ecx & BIT(24))
        print("cycles: timer-late-by=%lu", lateness());
    on_interrupt(PING, ping);
    processor_start(1, waits);
    check(spin_until(atomic_load(&here), PATIENCE));
    print("cycles: ipi-to-handler-and-back=%lu", to_the_other());
    print("this machine runs guests");
    return 0;
}
