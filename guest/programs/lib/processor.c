/* SPDX-License-Identifier: MIT */
/*
 * Start another processor of a guest: INIT, two STARTUPs, and a page of 16-bit code below 1 MiB.
 * To: guest/programs/lib/ap.asm.
 * Spec: SDM "Multiple-Processor (MP) Initialization".
 */
#include "lib/atomic.h"
#include "lib/string.h"
#include "guest/programs/lib/guest.h"

#define TRAMPOLINE 0x8000 /* the page that a STARTUP IPI names as 0x08 */
#define PATIENCE   200000000
#define STACK_SIZE 4096

extern char ap_trampoline[], ap_trampoline_end[]; /* lib/ap.asm */
extern uint64_t ap_stack;
extern void (*ap_entry)(void);

static uint8_t stacks[PROCESSORS_MAX][STACK_SIZE] __attribute__((aligned(16)));
static void (*program)(void);
static bool is_up;

static void first_steps(void)
{
    void (*run)(void) = program;

    interrupts_load();
    apic_on(x2apic_mode);
    atomic_store(&is_up, true);
    run();
    for (;;)
        halt();
}

void processor_start(unsigned id, void (*run)(void))
{
    check(id < PROCESSORS_MAX);
    memcpy((void *)TRAMPOLINE, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    ap_stack = (uint64_t)stacks[id] + STACK_SIZE;
    ap_entry = first_steps;
    program = run;
    atomic_store(&is_up, false);
    send_ipi(id, (uint32_t)(FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_INIT) | APIC_ICR_ASSERT));
    for (unsigned i = 0; i < 2; i++)
        send_ipi(id,
                 (uint32_t)FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_STARTUP) | TRAMPOLINE >> 12);
    check(spin_until(atomic_load(&is_up), PATIENCE));
}
