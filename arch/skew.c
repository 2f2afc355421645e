/* SPDX-License-Identifier: MIT */
/*
 * Two CPUs compare their TSCs. The first one looks at its own, asks, and looks again when it has
 * the answer: what the other one saw lies between the two, if the TSCs agree. If it never does, one
 * of them is ahead, and by how much is known up to the time that the fastest answer took.
 * IA32_TSC_ADJUST then moves the TSC: first to where the firmware left that of the first CPU.
 * From: arch/cpu.c.   To: arch/time.h.   Contract: arch/skew.h.
 * Spec: SDM "Time-Stamp Counter Adjustment", "Time-Stamp Counter".
 */
#include "arch/skew.h"
#include "arch/msr.h"
#include "arch/time.h"
#include "arch/x86.h"
#include "lib/atomic.h"
#define LOG "time"
#include "arch/log.h"

#define QUESTIONS 8
#define ANSWER_US 1000000 /* a host may let the other CPU wait */

/* The talk of two CPUs. The first one writes all but the last two. */
static struct {
    uint32_t asked; /* the number of the question */
    bool set;       /* before the answer: IA32_TSC_ADJUST becomes `adjust` */
    int64_t adjust;
    uint32_t answered;
    int64_t tsc;
} talk;

struct range { /* the other TSC is ahead by so many ticks */
    int64_t min, max;
};

/* RDTSC does not wait for an earlier load, unless LFENCE makes it. */
static int64_t tsc_after_load(void)
{
    load_fence();
    return (int64_t)rdtsc();
}

/* One look of the other CPU. */
static void answer(void)
{
    uint32_t question = atomic_load(&talk.asked);
    if (question == talk.answered)
        return;
    if (talk.set)
        wrmsr(MSR_IA32_TSC_ADJUST, (uint64_t)talk.adjust);
    talk.tsc = tsc_after_load();
    atomic_store(&talk.answered, question);
}

void skew_answer(struct cpu *this)
{
    while (!atomic_load(&this->in_time))
        answer();
}

/* Without PAUSE, which would be longer than an answer takes. */
static bool is_answered(uint32_t question, uint64_t us)
{
    uint64_t end = time_deadline_us(us);
    while (atomic_load(&talk.answered) != question && rdtsc() < end)
        ;
    return atomic_load(&talk.answered) == question; /* this CPU may have been stopped */
}

/* False: no answer within `us`. */
static bool ask(struct range *r, uint64_t us)
{
    *r = (struct range){INT64_MIN, INT64_MAX};
    for (unsigned i = 0; i < QUESTIONS; i++) {
        int64_t before = (int64_t)rdtsc();
        uint32_t question = talk.asked + 1;
        atomic_store(&talk.asked, question);
        bool answered = is_answered(question, us);
        int64_t after = tsc_after_load();
        talk.set = false;
        if (!answered)
            return false;
        r->min = MAX(r->min, talk.tsc - after);
        r->max = MIN(r->max, talk.tsc - before);
        us = ANSWER_US;
    }
    return true;
}

static bool agrees(const struct range *r) { return r->min <= 0 && r->max >= 0; }
static int64_t middle(const struct range *r) { return r->min + (r->max - r->min) / 2; }

static bool can_set(void) { return cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID_7_TSC_ADJUST); }

int skew_check(struct cpu *other, uint64_t us)
{
    struct range r;
    if (!ask(&r, us))
        return -ETIMEDOUT;
    if (!agrees(&r) && can_set()) {
        other->skew = middle(&r);
        log_info("apic_id=%u: its TSC is ahead by %ld ticks, and is set", other->apic_id,
                 other->skew);
        talk.adjust = (int64_t)rdmsr(MSR_IA32_TSC_ADJUST);
        for (int i = 0; i < 2 && !agrees(&r); i++) {
            talk.set = true;
            if (!ask(&r, ANSWER_US))
                return -ETIMEDOUT;
            talk.adjust -= middle(&r);
        }
    }
    if (!agrees(&r))
        return FAIL(ENODEV, "apic_id=%u: its TSC is ahead by %ld ticks", other->apic_id,
                    middle(&r));
    atomic_store(&other->in_time, true);
    return 0;
}
