/* SPDX-License-Identifier: MIT */
/*
 * A CPU that hangs, and a lock that is never given back: planted in the test image.
 */
#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/ktest.h"
#include "arch/log.h"
#include "arch/spinlock.h"
#include "arch/terminal.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/watch.h"
#include "vmx/run/watchdog.h"

#define LOOK_US 1000 /* twenty of them are soon over */
#define LOOKS   40

static void __attribute__((noinline, noreturn)) hang(void *ctx)
{
    (void)ctx;
    for (;;)
        cpu_relax();
}

KTEST_FATAL(watch_another_cpu_hangs)
{
    watch_look_us = LOOK_US;
    int vector = irq_alloc(hang, NULL);
    KEXPECT(vector > 0 && cpu_count() > 1);
    apic_ipi(cpu_get(1)->apic_id, (uint8_t)vector);
    for (;;)
        watchdog_look();
}

/* Output for as long as it likes, and then none. */
KTEST_FATAL(watch_the_first_cpu_hangs)
{
    KEXPECT(cpu_count() > 1);
    watch_look_us = LOOK_US;
    this_cpu()->signs = 1;
    uint64_t end = time_deadline_us(1000000 + LOOKS * LOOK_US); /* the next look may be as far */
    while (rdtsc() < end)
        terminal_write("", 0);
    console_line("watch: output is a sign of life");
    hang(NULL);
}

KTEST_FATAL(watch_a_lock_is_kept)
{
    static struct spinlock lock = {.name = "of the test"};
    watch_look_us = LOOK_US;
    spin_lock(&lock);
    spin_lock(&lock);
}
