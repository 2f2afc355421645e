/* SPDX-License-Identifier: MIT */
/*
 * A guest with two processors or more: each of the others is started by INIT and STARTUP IPIs in real
 * mode, finds its way to 64-bit mode, and answers IPIs; all of them count together.
 * To: guest/vlapic_irq.c (ICR), vmx/sched.c vcpu_sipi(), vmx/run.c.
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
#include "arch/atomic.h"
#include "guest/programs/lib/guest.h"

#define PATIENCE 200000000
#define ROUNDS   10000
#define PING     0x60

static uint64_t online, total, pings, go;

static void ping(struct interrupt_frame *frame)
{
    (void)frame;
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
    return 0;
}
