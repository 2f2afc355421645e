/* SPDX-License-Identifier: MIT */
/*
 * A guest with two processors or more: each of the others is started by INIT and STARTUP IPIs in real
 * mode, finds its way to 64-bit mode, and answers IPIs; all of them count together.
 * To: guest/vlapic_irq.c (ICR), vmx/sched.c vcpu_sipi(), vmx/run.c.
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
#include "arch/atomic.h"
#include "arch/string.h"
#include "guest/programs/lib/guest.h"

#define TRAMPOLINE 0x8000 /* the page that a STARTUP IPI names as 0x08 */
#define PATIENCE   200000000
#define ROUNDS     10000
#define STACK_SIZE 4096
#define PING       0x60
#define CPUS_MAX   8

extern char ap_trampoline[], ap_trampoline_end[]; /* lib/ap.asm */
extern uint64_t ap_stack;
extern void (*ap_entry)(void);

static uint8_t stacks[CPUS_MAX][STACK_SIZE] __attribute__((aligned(16)));
static uint64_t online, total, pings, go;

static void ping(struct interrupt_frame *frame)
{
    (void)frame;
    atomic_fetch_add(&pings, 1);
}

static void ap_main(void)
{
    interrupts_load();
    apic_on(true);
    atomic_fetch_add(&online, 1);
    while (!atomic_load(&go))
        cpu_relax();
    for (unsigned i = 0; i < ROUNDS; i++)
        atomic_fetch_add(&total, 1);
    atomic_fetch_add(&online, UINT64_MAX); /* one less */
    for (;;)
        halt(); /* a ping wakes it up */
}

static void start(unsigned id)
{
    uint64_t before = atomic_load(&online);
    ap_stack = (uint64_t)stacks[id] + STACK_SIZE;
    ap_entry = ap_main;
    send_ipi(id, (uint32_t)(FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_INIT) | APIC_ICR_ASSERT));
    for (unsigned i = 0; i < 2; i++)
        send_ipi(id,
                 (uint32_t)FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_STARTUP) | TRAMPOLINE >> 12);
    check(spin_until(atomic_load(&online) == before + 1, PATIENCE));
}

int main(void)
{
    unsigned cpus = (unsigned)option("cpus", 2);
    check(cpus <= CPUS_MAX);
    memcpy((void *)TRAMPOLINE, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    on_interrupt(PING, ping);
    apic_on(true);
    for (unsigned id = 1; id < cpus; id++)
        start(id);
    print("%u processors", (unsigned)online + 1);
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
