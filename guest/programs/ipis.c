/* SPDX-License-Identifier: MIT */
/*
 * What IPIs cost their sender in exits, by the state of the vCPU that they go to; and what the CPU
 * leaves to Hamlet. "vcpus=3" and the option x2apic=1 or 0; the third is not started.
 *   bench=N   what N IPIs to one that computes cost, in ticks, and no more
 * From: tests/cases/test_ipis.py, tests/bench/bench.py.
 * To: vmx/bitmaps.c (the PID-pointer table), guest/pc/vlapic_irq.c (ICR, where one exits).
 * Spec: SDM "IPI Virtualization", "Interrupt Command Register (ICR)".
 */
#include "lib/atomic.h"
#include "vmx/vmx_bits.h"
#include "guest/programs/lib/guest.h"

#define PATIENCE 400000000
#define ROUNDS   100
enum { PING = 0x60, ILLEGAL = 0xa, NOT_THERE = 5, NOT_STARTED = 2 };

static uint64_t pings, sleeps, off;
static uint64_t before, sent_at;
static uint64_t handled_at;

static void ping(struct interrupt_frame *frame)
{
    (void)frame;
    handled_at = rdtsc();
    atomic_fetch_add(&pings, 1);
}

/* The second one computes until it shall sleep, and then switch its APIC off. */
static void second(void)
{
    interrupts_on();
    while (!atomic_load(&sleeps))
        cpu_relax();
    atomic_store(&sleeps, 2);
    while (!atomic_load(&off))
        halt();
    apic_write(APIC_SVR, 0xff);
    atomic_store(&off, 2);
}

/* By whichever of the two ways an ICR is written. */
static uint64_t exits_of_icr(void) { return exits(EXIT_APIC_WRITE) + exits(EXIT_WRMSR); }

static void begin(void)
{
    before = atomic_load(&pings);
    sent_at = exits_of_icr();
}

static void end(const char *what)
{
    uint64_t at_sender = exits_of_icr() - sent_at;
    print("%s: exits=%lu handled=%lu", what, at_sender, atomic_load(&pings) - before);
}

static void to(const char *what, uint32_t id, uint32_t command, bool arrives)
{
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t old = atomic_load(&pings);
        send_ipi(id, command);
        check(!arrives || spin_until(atomic_load(&pings) > old, PATIENCE));
    }
    end(what);
}

static void measure(uint64_t count)
{
    uint64_t at_sender = 0, to_handler = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t old = atomic_load(&pings), start = rdtsc();
        send_ipi(1, PING);
        at_sender += rdtsc() - start;
        check(spin_until(atomic_load(&pings) > old, PATIENCE));
        to_handler += handled_at - start;
    }
    print("bench ipi_sender=%lu", at_sender / count);
    print("bench ipi_handler=%lu", to_handler / count);
}

int main(void)
{
    uint32_t others = (uint32_t)FIELD_SET(APIC_ICR_SHORTHAND, APIC_SHORTHAND_OTHERS);
    on_interrupt(PING, ping);
    apic_on(option("x2apic", 0));
    processor_start(1, second);
    interrupts_on();
    if (option("bench", 0)) {
        measure(option("bench", 0));
        return 0;
    }
    to("to one that computes", 1, PING, true);
    to("to itself", 0, PING, true);
    to("to all others", 0, others | PING, true);
    to("to a logical address", x2apic_mode ? 2 : 0x80, (uint32_t)APIC_ICR_LOGICAL | PING,
       x2apic_mode);
    to("with an illegal vector", 1, ILLEGAL, false);
    to("to no processor", NOT_THERE, PING, false);
    to("to one that waits for a STARTUP", NOT_STARTED, PING, false);
    atomic_store(&sleeps, 1);
    check(spin_until(atomic_load(&sleeps) == 2, PATIENCE));
    to("to one that sleeps", 1, PING, true);
    atomic_store(&off, 1);
    send_ipi(1, PING);
    check(spin_until(atomic_load(&off) == 2, PATIENCE));
    to("to one whose APIC is off", 1, PING, false);
    return 0;
}
