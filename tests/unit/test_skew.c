/* SPDX-License-Identifier: MIT */
/*
 * The TSCs of two CPUs of this file: equal, apart, set by the firmware, or out of the reach of
 * IA32_TSC_ADJUST; and a CPU that answers late or never.
 * Spec: SDM "Time-Stamp Counter Adjustment".
 */
#include "arch/msr.h"
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <string.h>

static uint64_t model_tsc(void);
static uint64_t model_rdmsr(uint32_t msr);
static void model_wrmsr(uint32_t msr, uint64_t v);
static struct cpuid_regs model_cpuid(uint32_t leaf);
#define rdtsc()          model_tsc()
#define rdmsr(msr)       model_rdmsr(msr)
#define wrmsr(msr, v)    model_wrmsr(msr, v)
#define cpuid(leaf, sub) model_cpuid(leaf)
#include "arch/skew.c"

static struct {
    uint64_t time;      /* of the crystal */
    int64_t since[2];   /* of each CPU: what its TSC had when IA32_TSC_ADJUST was 0 */
    int64_t adjust[2];  /* IA32_TSC_ADJUST */
    bool has, obeys;    /* the MSR is there; it moves the TSC */
    unsigned here;      /* the CPU that executes */
    unsigned way, late; /* ticks until the other one sees a word; questions after which it stops */
    uint64_t arrives;
} m;
static struct cpu other;

/* The other CPU looks while the first one waits: each of the two reads comes after a way. */
static uint64_t model_tsc(void)
{
    m.time += 25;
    if (m.here == 0 && m.time >= m.arrives && talk.asked != talk.answered && m.late) {
        m.late--;
        m.here = 1;
        m.time += m.way;
        answer();
        m.time += m.way;
        m.here = 0;
    }
    return m.time + (uint64_t)m.since[m.here] + (m.obeys ? (uint64_t)m.adjust[m.here] : 0);
}

static uint64_t model_rdmsr(uint32_t msr)
{
    assert_true(m.has && msr == MSR_IA32_TSC_ADJUST);
    return (uint64_t)m.adjust[m.here];
}

static void model_wrmsr(uint32_t msr, uint64_t v)
{
    assert_true(m.has && msr == MSR_IA32_TSC_ADJUST && m.here == 1);
    m.adjust[1] = (int64_t)v;
}

static struct cpuid_regs model_cpuid(uint32_t leaf)
{
    return (struct cpuid_regs){.eax = 7, .ebx = leaf == 7 && m.has ? 2 : 0};
}

uint64_t time_deadline_us(uint64_t us) { return model_tsc() + us * 10; }

FIXTURE(start)
{
    memset(&m, 0, sizeof(m));
    m.time = 1000000;
    m.way = 100;
    m.late = UINT32_MAX;
    m.has = m.obeys = true;
    other = (struct cpu){.apic_id = 5};
    stub_log_clear();
    return 0;
}

static int64_t apart(void)
{
    int64_t ahead = m.since[1] - m.since[0];
    return m.obeys ? ahead + m.adjust[1] - m.adjust[0] : ahead;
}

static void assert_ends(int err, const char *line)
{
    assert_int_equal(skew_check(&other, 100000), err);
    assert_int_equal(other.in_time, !err);
    if (line ? !strstr(stub_log, line) : stub_log[0])
        fail_msg("\"%s\" in \"%s\"", line ? line : "", stub_log);
    assert_false(talk.set);
}

TEST(equal_ones_are_left_alone)
{
    static const int64_t ahead[] = {0, 99, -99}; /* not to be seen: a word takes longer */
    for (size_t i = 0; i < ARRAY_COUNT(ahead); i++) {
        start(NULL);
        m.since[1] = ahead[i];
        m.adjust[0] = m.adjust[1] = -777;
        assert_ends(0, NULL);
        assert_int_equal(m.adjust[1], -777);
        assert_int_equal(other.skew, 0);
    }
}

TEST(the_firmware_has_moved_one)
{
    m.adjust[0] = 4000;
    m.adjust[1] = -3000000;
    assert_ends(0, "time: apic_id=5: its TSC is ahead by -300");
    assert_int_equal(m.adjust[1], 4000); /* exactly the same */
    start(NULL);
    m.adjust[1] = INT64_C(1) << 61;
    assert_ends(0, "is ahead by 2305843009213693");
    assert_int_equal(m.adjust[1], 0);
}

/* The two were reset at different times: only the comparison tells. */
TEST(apart_since_the_reset)
{
    static const int64_t ahead[] = {300, -300, 123456789, -123456789, -(INT64_C(1) << 61)};
    for (size_t i = 0; i < ARRAY_COUNT(ahead); i++) {
        start(NULL);
        m.adjust[0] = 50;
        m.adjust[1] = 60;
        m.since[1] = ahead[i];
        assert_ends(0, "and is set");
        assert_true(apart() > -200 && apart() < 200);
        assert_true(other.skew > ahead[i] - 200 && other.skew < ahead[i] + 200);
    }
}

TEST(one_that_cannot_be_set_is_left_out)
{
    m.has = false;
    m.since[1] = -5000;
    assert_ends(-ENODEV, "apic_id=5: its TSC is ahead by -49");
    start(NULL);
    m.obeys = false; /* a hypervisor below that drops the write */
    m.since[1] = 5000;
    assert_ends(-ENODEV, "apic_id=5: its TSC is ahead by 50");
}

TEST(one_that_comes_late_or_never)
{
    m.arrives = m.time + 500000;
    assert_ends(0, NULL);
    for (unsigned n = 0; n < QUESTIONS; n++) {
        start(NULL);
        m.late = n;
        m.since[1] = 70000; /* of no meaning: one that did not come is not judged */
        uint64_t begin = m.time;
        assert_ends(-ETIMEDOUT, NULL);
        assert_true(m.time - begin < 1000000 * 20);
    }
    start(NULL);
    m.late = QUESTIONS + 3; /* while it is set */
    m.since[1] = 70000;
    assert_ends(-ETIMEDOUT, "and is set");
    start(NULL); /* the next CPU finds an old question, and nothing to set */
    assert_ends(0, NULL);
    assert_int_equal(m.adjust[1], 0);
}

TEST(the_other_one_answers_until_all_is_well)
{
    m.here = 1;
    other.in_time = true;
    skew_answer(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(equal_ones_are_left_alone, start),
        cmocka_unit_test_setup(the_firmware_has_moved_one, start),
        cmocka_unit_test_setup(apart_since_the_reset, start),
        cmocka_unit_test_setup(one_that_cannot_be_set_is_left_out, start),
        cmocka_unit_test_setup(one_that_comes_late_or_never, start),
        cmocka_unit_test_setup(the_other_one_answers_until_all_is_well, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
