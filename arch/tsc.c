/* SPDX-License-Identifier: MIT */
/*
 * The speed of the TSC: as the CPU tells it, if a clock of known speed agrees; else as the first
 * clock that counts measures it. Many machines lack one clock or the other.
 * From: boot/main.c (tsc_init).   To: arch/time.c (time_set_khz), arch/paging.c (the HPET).
 * Spec: SDM "Determining the Processor Base Frequency", "CPUID-CPU Identification"; IA-PC HPET
 * "Main Counter Value Register"; ACPI "Power Management Timer"; 8254 data sheet.
 */
#include "arch/tsc.h"
#include "arch/io.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "arch/x86.h"
#define LOG "time"
#include "arch/log.h"

#define LEAF_CRYSTAL    0x15
#define LEAF_FREQUENCY  0x16
#define FREQUENCY_MHZ   BITS(15, 0)

#define HPET_CAP        0x00
#define HPET_PERIOD_FS  BITS(63, 32)
#define HPET_CONFIG     0x10
#define HPET_ENABLE     BIT(0)
#define HPET_COUNTER    0xf0
#define HPET_PERIOD_MIN 1000000   /* 1 GHz */
#define HPET_PERIOD_MAX 100000000 /* 10 MHz, by the specification */
#define FS_PER_S        UINT64_C(1000000000000000)

#define PM_TIMER_HZ     3579545
#define PM_TIMER_MASK   BITS(23, 0) /* bits 31:24 are optional */

#define PIT_HZ          1193182
#define PIT_CHANNEL_2   0x42
#define PIT_COMMAND     0x43
#define PIT_MODE_0      0xb0 /* channel 2, both bytes; it counts down, and on after 0 */
#define PIT_LATCH       0x80 /* channel 2: both reads belong to one moment */
#define PORT_B          0x61
#define PORT_B_GATE_2   BIT(0)
#define PORT_B_SPEAKER  BIT(1)

#define MEASURE_MS      10
#define LOOKS           5
/* A clock that has not counted so long stands still: 10 ms have fewer TSC ticks anywhere. */
#define PATIENCE        BIT(28)

static uint8_t *hpet;
static uint16_t pm_timer;

struct clock {
    const char *name;
    uint64_t hz;
    uint32_t mask; /* of the bits that count */
    uint32_t (*read)(void);
};

static uint32_t hpet_read(void) { return mmio_read32(hpet + HPET_COUNTER); }
static uint32_t pm_timer_read(void) { return in32(pm_timer); }

/* It counts down. */
static uint32_t pit_read(void)
{
    out8(PIT_COMMAND, PIT_LATCH);
    uint32_t low = in8(PIT_CHANNEL_2);
    return -(low | (uint32_t)in8(PIT_CHANNEL_2) << 8);
}

struct look {
    uint64_t tsc, width;
    uint32_t count;
};

/* An SMI between the clock and the TSC would be a mistake of its length, so the shortest of some
 * looks counts. One between two looks does no harm. */
static struct look look_at(const struct clock *c)
{
    struct look best = {.width = UINT64_MAX};
    for (int i = 0; i < LOOKS; i++) {
        uint64_t before = rdtsc();
        uint32_t count = c->read();
        uint64_t width = rdtsc() - before;
        if (width < best.width)
            best = (struct look){before + width / 2, width, count};
    }
    return best;
}

/* TSC ticks per millisecond; 0: the clock stands still. */
static uint64_t measure(const struct clock *c)
{
    struct look first = look_at(c), last;
    do {
        last = look_at(c);
        uint64_t ticks = (last.count - first.count) & c->mask;
        if (ticks >= c->hz / 1000 * MEASURE_MS)
            return (last.tsc - first.tsc) * c->hz / ticks / 1000;
    } while (last.tsc - first.tsc < PATIENCE);
    return 0;
}

static uint64_t measure_by_hpet(hpa_t base)
{
    hpet = base.v && !page_is_ram(base, PAGE_SIZE) ? mmio_map(base, PAGE_SIZE) : NULL;
    uint64_t period = hpet ? FIELD_GET(HPET_PERIOD_FS, mmio_read64(hpet + HPET_CAP)) : 0;
    if (period < HPET_PERIOD_MIN || period > HPET_PERIOD_MAX)
        return 0;
    const struct clock c = {"hpet", FS_PER_S / period, UINT32_MAX, hpet_read};
    uint64_t config = mmio_read64(hpet + HPET_CONFIG);
    mmio_write64(hpet + HPET_CONFIG, config | HPET_ENABLE);
    uint64_t khz = measure(&c);
    mmio_write64(hpet + HPET_CONFIG, config);
    return khz;
}

static uint64_t measure_by_pm_timer(uint16_t port)
{
    const struct clock c = {"acpi", PM_TIMER_HZ, PM_TIMER_MASK, pm_timer_read};
    pm_timer = port;
    return port ? measure(&c) : 0;
}

/* Channel 2 of the PIT, which no interrupt and no other user depends on. */
static uint64_t measure_by_pit(void)
{
    const struct clock c = {"pit", PIT_HZ, UINT16_MAX, pit_read};
    uint8_t port_b = in8(PORT_B) & (uint8_t) ~(PORT_B_GATE_2 | PORT_B_SPEAKER);
    out8(PORT_B, port_b | PORT_B_GATE_2);
    out8(PIT_COMMAND, PIT_MODE_0);
    out8(PIT_CHANNEL_2, 0xff);
    out8(PIT_CHANNEL_2, 0xff);
    uint64_t khz = measure(&c);
    out8(PORT_B, port_b);
    return khz;
}

/* The TSC is the core crystal clock times EBX / EAX. 0: the CPU does not tell all three. */
static uint64_t khz_by_crystal(void)
{
    if (cpuid(0, 0).eax < LEAF_CRYSTAL)
        return 0;
    struct cpuid_regs r = cpuid(LEAF_CRYSTAL, 0);
    return r.eax ? (uint64_t)r.ecx * r.ebx / r.eax / 1000 : 0;
}

/* The base frequency, rounded to 100 MHz. 0: the CPU does not tell it. */
static uint64_t khz_by_name(void)
{
    if (cpuid(0, 0).eax < LEAF_FREQUENCY)
        return 0;
    return FIELD_GET(FREQUENCY_MHZ, cpuid(LEAF_FREQUENCY, 0).eax) * 1000;
}

/* An emulator may show the CPUID of a CPU that is much faster than itself. */
static bool is_near(uint64_t a, uint64_t b) { return (a > b ? a - b : b - a) < b / 16; }

void tsc_init(hpa_t hpet_base, uint16_t pm_timer_port)
{
    uint64_t told = khz_by_crystal(), khz = measure_by_hpet(hpet_base);
    const char *by = "hpet";
    if (!khz) {
        by = "acpi";
        khz = measure_by_pm_timer(pm_timer_port);
    }
    if (!khz) {
        by = "pit";
        khz = measure_by_pit();
    }
    if (told && (!khz || is_near(told, khz))) {
        by = "cpuid";
        khz = told;
    }
    if (!khz) {
        by = "cpuid-16h";
        khz = khz_by_name();
    }
    if (!khz) {
        log_error("no clock counts, and the CPU tells no speed: waits may be too long");
        return;
    }
    time_set_khz(khz);
    log_info("tsc_khz=%lu by=%s", khz, by);
}
