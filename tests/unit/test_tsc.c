/* SPDX-License-Identifier: MIT */
/*
 * The speed of the TSC on a machine of this file: what CPUID tells, which clocks count, and an SMI
 * that stops the program now and then. Each access takes a microsecond.
 */
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <string.h>

static uint64_t model_tsc(void);
static struct cpuid_regs model_cpuid(uint32_t leaf);
#define rdtsc()          model_tsc()
#define cpuid(leaf, sub) model_cpuid(leaf)
#include "arch/tsc.c"

#define PORT     0x408
#define PS_PER_S UINT64_C(1000000000000)

static struct {
    uint64_t ps;
    uint64_t khz, period_fs;
    bool hpet_counts, pm_counts, pit_counts;
    uint32_t highest, crystal_hz, ratio, base_mhz;
    uint64_t hpet_config, pit_start_ps;
    uint16_t latched;
    bool high_byte;
    unsigned accesses, smi_every, smi_at; /* every n-th access, or once */
    uint64_t smi_us;
} m;

static uint64_t found;
void time_set_khz(uint64_t khz) { found = khz; }
bool page_is_ram(hpa_t base, uint64_t size) { return (void)size, base.v == 0x5000; }
void *mmio_map(hpa_t base, uint64_t size) { return (void)size, hpa_ptr(base); }

/* Ticks of a clock until now. */
static uint64_t ticks(uint64_t hz, uint64_t since_ps)
{
    return (uint64_t)((unsigned __int128)(m.ps - since_ps) * hz / PS_PER_S);
}

static void pass(uint64_t us)
{
    m.ps += us * 1000000;
    m.accesses++;
    if ((m.smi_every && m.accesses % m.smi_every == 0) || m.accesses == m.smi_at)
        m.ps += m.smi_us * 1000000;
}

static uint64_t model_tsc(void)
{
    pass(0);
    return 77 + ticks(m.khz * 1000, 0);
}

static struct cpuid_regs model_cpuid(uint32_t leaf)
{
    switch (leaf > m.highest ? UINT32_MAX : leaf) {
    case 0:
        return (struct cpuid_regs){.eax = m.highest};
    case 0x15:
        return (struct cpuid_regs){2, 2 * m.ratio, m.crystal_hz, 0};
    case 0x16:
        return (struct cpuid_regs){.eax = m.base_mhz};
    }
    return (struct cpuid_regs){0};
}

uint64_t mmio_read64(const void *p)
{
    pass(1);
    return (uintptr_t)p % 0x400 == HPET_CAP ? m.period_fs << 32 | 0x8086a201 : m.hpet_config;
}

void mmio_write64(void *p, uint64_t v)
{
    assert_int_equal((uintptr_t)p % 0x400, HPET_CONFIG), m.hpet_config = v;
}

uint32_t mmio_read32(const void *p)
{
    assert_int_equal((uintptr_t)p % 0x400, HPET_COUNTER);
    pass(1);
    bool counts = m.hpet_counts && (m.hpet_config & 1);
    return counts ? (uint32_t)ticks(FS_PER_S / m.period_fs, 0) : 5;
}

uint32_t in32(uint16_t port)
{
    assert_int_equal(port, PORT);
    pass(1);
    /* the upper eight bits are not there: ones */
    return 0xff000000 | (m.pm_counts ? (uint32_t)ticks(PM_TIMER_HZ, 0) & 0xffffff : 9);
}

uint8_t in8(uint16_t port)
{
    pass(1);
    if (port != PIT_CHANNEL_2)
        return 0;
    m.high_byte = !m.high_byte;
    return m.high_byte ? (uint8_t)m.latched : (uint8_t)(m.latched >> 8);
}

void out8(uint16_t port, uint8_t v)
{
    pass(1);
    if (port == PIT_COMMAND && v == PIT_MODE_0)
        m.pit_start_ps = m.ps;
    if (port == PIT_COMMAND && v == PIT_LATCH)
        m.latched = m.pit_counts ? (uint16_t)(0xffff - ticks(PIT_HZ, m.pit_start_ps)) : 0xffff;
}

FIXTURE(start)
{
    memset(&m, 0, sizeof(m));
    m.ps = PS_PER_S * 3; /* the 24 bits of the ACPI timer wrap within 5 seconds */
    m.khz = 2904000;
    m.period_fs = 41666666;
    m.hpet_counts = m.pm_counts = m.pit_counts = true;
    m.highest = 0xd;
    m.smi_us = 1500;
    found = 0;
    stub_log_clear();
    return 0;
}

static void find(hpa_t hpet_base, uint16_t port)
{
    tsc_init(hpet_base, port);
    assert_int_equal(m.hpet_config, 0); /* as the firmware left it */
}

static void assert_khz(uint64_t khz, const char *by)
{
    assert_non_null(strstr(stub_log, by));
    if (found < khz - khz / 2000 || found > khz + khz / 2000)
        fail_msg("%lu kHz, not %lu", (unsigned long)found, (unsigned long)khz);
}

static const hpa_t BASE = {0xfed00000};

TEST(each_clock_in_its_turn)
{
    find(BASE, PORT);
    assert_khz(2904000, "by=hpet");
    m.hpet_counts = false;
    find(BASE, PORT);
    assert_khz(2904000, "by=acpi");
    m.pm_counts = false;
    find(BASE, PORT);
    assert_khz(2904000, "by=pit");
    find(hpa(0), 0);
    assert_khz(2904000, "by=pit");
    m.pit_counts = false;
    found = 0;
    find(BASE, PORT);
    assert_int_equal(found, 0);
    assert_non_null(strstr(stub_log, "no clock counts"));
}

TEST(an_hpet_that_is_none)
{
    static const uint64_t periods[] = {0, 1, 100000001, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(periods); i++) {
        m.period_fs = periods[i];
        find(BASE, PORT);
        assert_khz(2904000, "by=acpi");
        stub_log_clear();
    }
    m.period_fs = 41666666;
    find(hpa(0x5000), PORT); /* in RAM */
    assert_khz(2904000, "by=acpi");
}

/* A single measurement of 10 ms was wrong by 15 %. */
TEST(an_smi_does_no_harm)
{
    for (m.smi_every = 7; m.smi_every < 300; m.smi_every += 3) {
        find(BASE, PORT);
        assert_khz(2904000, "by=hpet");
        find(hpa(0), PORT);
        assert_khz(2904000, "by=acpi");
        find(hpa(0), 0);
        assert_khz(2904000, "by=pit");
    }
}

/* While the CPU is away the PIT, of 16 bits, begins again each 55 ms: 57 ms are as 2 ms. */
TEST(an_smi_that_outlasts_a_clock)
{
    m.smi_us = 57000;
    for (unsigned at = 5; at < 10000; at += 11) {
        m.accesses = 0;
        m.smi_at = at;
        find(hpa(0), 0);
        assert_khz(2904000, "by=pit");
        assert_null(strstr(stub_log, "held up"));
        stub_log_clear();
    }
}

/* No measurement is good: the best one is taken, in time, and told. */
TEST(smis_without_end)
{
    const uint64_t begin = m.ps;
    m.smi_every = 3;
    m.smi_us = 400;
    find(hpa(0), PORT);
    assert_non_null(strstr(stub_log, "held up in each measurement, as by SMIs: tsc_khz may be "));
    assert_true(found > 2904000 / 10 * 9 && found < 2904000 / 10 * 11);
    assert_true(m.ps - begin < PS_PER_S / 10);
    stub_log_clear();
    m.highest = 0x15; /* then the CPU knows it better, though the two are not near */
    m.ratio = 125;
    m.crystal_hz = 24000000;
    m.accesses = 0;
    find(hpa(0), PORT);
    assert_int_equal(found, 3000000);
    assert_null(strstr(stub_log, "held up"));
}

/* A clock that does not count costs a bounded time, with SMIs and without. */
TEST(clocks_that_stand_still_are_given_up)
{
    m.hpet_counts = m.pm_counts = m.pit_counts = false;
    for (m.smi_every = 0; m.smi_every < 100; m.smi_every += 33) {
        const uint64_t begin = m.ps;
        find(BASE, PORT);
        assert_int_equal(found, 0);
        assert_true(m.ps - begin < 3 * PS_PER_S);
    }
}

TEST(slow_and_fast)
{
    static const uint64_t speeds[] = {99989, 800000, 4300000, 6200000};
    for (size_t i = 0; i < ARRAY_COUNT(speeds); i++) {
        m.khz = speeds[i];
        find(BASE, PORT);
        assert_khz(m.khz, "by=hpet");
    }
}

TEST(cpuid_where_the_clocks_agree)
{
    m.highest = 0x16;
    m.base_mhz = 2900;
    m.ratio = 121;
    m.crystal_hz = 24000000;
    find(BASE, PORT);
    assert_int_equal(found, 2904000);
    assert_non_null(strstr(stub_log, "by=cpuid"));
    stub_log_clear();
    m.khz = 99989; /* an emulator */
    find(BASE, PORT);
    assert_khz(99989, "by=hpet");
    assert_non_null(strstr(stub_log, "tsc_khz=2904000 by cpuid does not agree with tsc_khz=99"));
    stub_log_clear();
    m.khz = 2904000 / 100 * 98; /* by 2 % */
    find(BASE, PORT);
    assert_khz(m.khz, "by=hpet");
}

/* SDM "Determining the Processor Base Frequency": some CPUs tell the ratio only. The manual has
 * their crystals: 24, 25, 19.2 MHz. */
TEST(a_crystal_by_the_manual)
{
    static const struct {
        uint32_t ratio;
        uint64_t khz;
    } cpus[] = {{121, 2904000}, {84, 2100000}, {62, 1190400}};
    m.highest = 0x16;
    for (size_t i = 0; i < ARRAY_COUNT(cpus); i++) {
        m.ratio = cpus[i].ratio;
        m.khz = cpus[i].khz + 300; /* the crystal of the clock is not perfect either */
        find(BASE, PORT);
        assert_int_equal(found, cpus[i].khz);
        assert_non_null(strstr(stub_log, "by=cpuid"));
        stub_log_clear();
    }
    m.khz = 2700000; /* no such crystal */
    find(BASE, PORT);
    assert_khz(2700000, "by=hpet");
    assert_null(strstr(stub_log, "cpuid"));
}

TEST(cpuid_without_any_clock)
{
    m.hpet_counts = m.pm_counts = m.pit_counts = false;
    m.highest = 0x16;
    m.base_mhz = 2900;
    find(BASE, PORT);
    assert_int_equal(found, 2900000);
    assert_non_null(strstr(stub_log, "by=cpuid-16h"));
    m.ratio = 121;
    m.crystal_hz = 24000000;
    find(BASE, PORT);
    assert_int_equal(found, 2904000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_clock_in_its_turn, start),
        cmocka_unit_test_setup(an_hpet_that_is_none, start),
        cmocka_unit_test_setup(an_smi_does_no_harm, start),
        cmocka_unit_test_setup(an_smi_that_outlasts_a_clock, start),
        cmocka_unit_test_setup(smis_without_end, start),
        cmocka_unit_test_setup(clocks_that_stand_still_are_given_up, start),
        cmocka_unit_test_setup(a_crystal_by_the_manual, start),
        cmocka_unit_test_setup(slow_and_fast, start),
        cmocka_unit_test_setup(cpuid_where_the_clocks_agree, start),
        cmocka_unit_test_setup(cpuid_without_any_clock, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
