/* SPDX-License-Identifier: MIT */
/*
 * The speed of the TSC, measured once against a clock of known speed.
 * From: boot/main.c (time_init), arch/apic.c, pci/reset.c, vtd/, vmx/run/sched.c.
 * To: arch/io.h.
 * Spec: ACPI "Power Management Timer"; 8254 data sheet; SDM "Time-Stamp Counter".
 */
#include "arch/time.h"
#include "arch/io.h"
#define LOG "time"
#include "arch/log.h"

#define PM_TIMER_HZ    3579545
#define PM_TIMER_MASK  BITS(23, 0) /* bits 31:24 are optional */
#define PIT_HZ         1193182
#define MEASURE_MS     10
#define POLL_LIMIT     10000000 /* reads, after which the clock counts as broken */

#define PIT_CHANNEL_2  0x42
#define PIT_COMMAND    0x43
#define PIT_MODE       0xb0 /* channel 2, both bytes, mode 0: the output rises at the end */
#define PORT_B         0x61
#define PORT_B_GATE_2  BIT(0)
#define PORT_B_SPEAKER BIT(1)
#define PORT_B_OUT_2   BIT(5)

/* The value before the measurement is high: waits are too long rather than too short. */
static uint64_t tsc_khz = 5000000;

/* TSC ticks in MEASURE_MS by the ACPI timer, 0 if it stands still. */
static uint64_t measure_by_pm_timer(uint16_t port)
{
    uint32_t ticks = PM_TIMER_HZ / 1000 * MEASURE_MS;
    uint32_t first = in32(port);
    uint64_t start = rdtsc();
    for (int i = 0; i < POLL_LIMIT; i++)
        if (((in32(port) - first) & PM_TIMER_MASK) >= ticks)
            return rdtsc() - start;
    return 0;
}

/* The same by channel 2 of the PIT, which no interrupt and no other user depends on. */
static uint64_t measure_by_pit(void)
{
    uint16_t ticks = PIT_HZ / 1000 * MEASURE_MS;
    uint8_t port_b = in8(PORT_B) & (uint8_t) ~(PORT_B_GATE_2 | PORT_B_SPEAKER);
    out8(PORT_B, port_b | PORT_B_GATE_2);
    out8(PIT_COMMAND, PIT_MODE);
    out8(PIT_CHANNEL_2, (uint8_t)ticks);
    out8(PIT_CHANNEL_2, (uint8_t)(ticks >> 8));
    uint64_t start = rdtsc(), end = 0;
    for (int i = 0; i < POLL_LIMIT && end == 0; i++)
        if (in8(PORT_B) & PORT_B_OUT_2)
            end = rdtsc();
    out8(PORT_B, port_b);
    return end == 0 ? 0 : end - start;
}

void time_init(uint16_t pm_timer)
{
    const char *by = "acpi";
    uint64_t ticks = pm_timer ? measure_by_pm_timer(pm_timer) : 0;
    if (ticks == 0) {
        by = "pit";
        ticks = measure_by_pit();
    }
    if (ticks < MEASURE_MS) {
        log_error("neither the ACPI timer nor the PIT counts: waits may be too long");
        return;
    }
    tsc_khz = ticks / MEASURE_MS;
    log_info("tsc_khz=%lu by=%s", tsc_khz, by);
}

uint64_t time_tsc_khz(void) { return tsc_khz; }
uint64_t time_deadline_us(uint64_t us) { return rdtsc() + us * tsc_khz / 1000; }

void time_delay_us(uint64_t us)
{
    uint64_t end = time_deadline_us(us);
    while (rdtsc() < end)
        cpu_relax();
}
