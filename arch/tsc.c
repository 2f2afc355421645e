/* SPDX-License-Identifier: MIT */
/*
 * The speed of the TSC: as the CPU tells it, if a clock of known speed agrees; else as the first
 * clock that counts measures it: HPET, ACPI timer, PIT. Many machines lack one or the other. Leaf
 * 16H comes last, as it is rounded.
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
#define TRIES           3
#define GOOD_PPM        1000  /* parts per million: no better measurement is asked for */
#define NEAR_PPM        10000 /* a clock that agrees with the CPU is no farther away */
/* A clock that has not counted so long stands still: 10 ms have fewer TSC ticks anywhere. */
#define PATIENCE        BIT(28)
#define PPM             1000000

static uint8_t *hpet;
static uint16_t pm_timer;

struct clock {
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

/* khz: TSC ticks per millisecond; 0: the clock stands still. It may be off by so many `ppm`. */
struct speed {
    uint32_t khz, ppm;
};

/* If the CPU was away for most of the time, as in an SMI, a clock of few bits may have begun again:
 * then nothing is sure. */
static struct speed measure_once(const struct clock *c)
{
    struct look first = look_at(c), last = first;
    uint64_t span, away = 0;
    do {
        uint64_t before = last.tsc;
        last = look_at(c);
        span = last.tsc - first.tsc;
        away = MAX(away, last.tsc - before);
        uint64_t ticks = (last.count - first.count) & c->mask;
        if (ticks < c->hz / 1000 * MEASURE_MS)
            continue;
        bool lost = c->mask <= UINT16_MAX && away > span / 2;
        uint64_t unsure = lost ? span : (first.width + last.width) / 2;
        return (struct speed){(uint32_t)(span * c->hz / ticks / 1000),
                              (uint32_t)(unsure * PPM / span)};
    } while (span < PATIENCE);
    return (struct speed){0};
}

/* The best of some. */
static struct speed measure(const struct clock *c)
{
    uint64_t since = rdtsc();
    struct speed best = measure_once(c);
    for (int i = 1; i < TRIES && best.ppm > GOOD_PPM; i++) {
        struct speed s = measure_once(c);
        if (s.ppm < best.ppm)
            best = s;
    }
    (void)time_spent(TIME_DEVICES, since);
    return best;
}

static struct speed measure_by_hpet(hpa_t base)
{
    hpet = base.v && !page_is_ram(base, PAGE_SIZE) ? mmio_map(base, PAGE_SIZE) : NULL;
    uint64_t period = hpet ? FIELD_GET(HPET_PERIOD_FS, mmio_read64(hpet + HPET_CAP)) : 0;
    if (period < HPET_PERIOD_MIN || period > HPET_PERIOD_MAX)
        return (struct speed){0};
    const struct clock c = {FS_PER_S / period, UINT32_MAX, hpet_read};
    uint64_t config = mmio_read64(hpet + HPET_CONFIG);
    mmio_write64(hpet + HPET_CONFIG, config | HPET_ENABLE);
    struct speed s = measure(&c);
    mmio_write64(hpet + HPET_CONFIG, config);
    return s;
}

static struct speed measure_by_pm_timer(uint16_t port)
{
    const struct clock c = {PM_TIMER_HZ, PM_TIMER_MASK, pm_timer_read};
    pm_timer = port;
    return port ? measure(&c) : (struct speed){0};
}

/* Channel 2 of the PIT, which no interrupt and no other user depends on. */
static struct speed measure_by_pit(void)
{
    const struct clock c = {PIT_HZ, UINT16_MAX, pit_read};
    uint8_t port_b = in8(PORT_B) & (uint8_t) ~(PORT_B_GATE_2 | PORT_B_SPEAKER);
    out8(PORT_B, port_b | PORT_B_GATE_2);
    out8(PIT_COMMAND, PIT_MODE_0);
    out8(PIT_CHANNEL_2, 0xff);
    out8(PIT_CHANNEL_2, 0xff);
    struct speed s = measure(&c);
    out8(PORT_B, port_b);
    return s;
}

/* An emulator may show the CPUID of a CPU that is much faster than itself. */
static bool is_near(uint32_t told, struct speed s)
{
    uint64_t far = told > s.khz ? told - s.khz : s.khz - told;
    return far * PPM <= (uint64_t)s.khz * MAX(s.ppm, NEAR_PPM);
}

static uint32_t khz_of(uint32_t crystal, const struct cpuid_regs *ratio)
{
    return (uint32_t)((uint64_t)crystal * ratio->ebx / ratio->eax / 1000);
}

/* The TSC is the core crystal clock times EBX / EAX. Some CPUs leave it to the manual to tell the
 * crystal's frequency: then it is the one with which the clock agrees. 0: not known. */
static uint32_t khz_by_crystal(struct speed measured)
{
    static const uint32_t crystals[] = {24000000, 25000000, 19200000, 38400000};
    if (cpuid(0, 0).eax < LEAF_CRYSTAL)
        return 0;
    struct cpuid_regs r = cpuid(LEAF_CRYSTAL, 0);
    if (!r.eax)
        return 0;
    for (unsigned i = 0; i < ARRAY_COUNT(crystals) && !r.ecx; i++)
        if (is_near(khz_of(crystals[i], &r), measured))
            r.ecx = crystals[i];
    return khz_of(r.ecx, &r);
}

/* The base frequency, rounded to 100 MHz. 0: the CPU does not tell it. */
static uint32_t khz_by_name(void)
{
    if (cpuid(0, 0).eax < LEAF_FREQUENCY)
        return 0;
    return (uint32_t)FIELD_GET(FREQUENCY_MHZ, cpuid(LEAF_FREQUENCY, 0).eax) * 1000;
}

void tsc_init(hpa_t hpet_base, uint16_t pm_timer_port)
{
    struct speed s = measure_by_hpet(hpet_base);
    const char *by = "hpet";
    if (!s.khz) {
        by = "acpi";
        s = measure_by_pm_timer(pm_timer_port);
    }
    if (!s.khz) {
        by = "pit";
        s = measure_by_pit();
    }
    uint32_t told = khz_by_crystal(s);
    if (told && s.khz && !is_near(told, s)) {
        log_info("tsc_khz=%u by cpuid does not agree with tsc_khz=%u by=%s", told, s.khz, by);
    } else if (told) {
        by = "cpuid";
        s = (struct speed){told, 0};
    }
    if (!s.khz) {
        by = "cpuid-16h";
        s.khz = khz_by_name();
    }
    if (!s.khz) {
        log_error("no clock counts, and the CPU tells no speed: waits may be too long");
        return;
    }
    if (s.ppm > GOOD_PPM)
        log_error("held up in each measurement, as by SMIs: tsc_khz may be %u ppm off", s.ppm);
    time_set_khz(s.khz);
    log_info("tsc_khz=%u by=%s", s.khz, by);
}
