/* SPDX-License-Identifier: MIT */
/*
 * A guest's time: its TSC begins at 0, the guest may set it by two registers, and timers follow.
 *   watch=1   how far its time jumps while the VM is paused
 *   two=N     two processors look at their TSCs so often: no time goes back
 * From: tests/cases/test_clock.py.
 * To: vmx/exit/msr.c (the registers), guest/life/control.c (the VM's time),
 * guest/pc/vlapic_timer.c.
 * Spec: SDM "Time-Stamp Counter Adjustment", "TSC-Deadline Mode".
 */
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"
#include "lib/atomic.h"

#define TIMER    0x52
#define SOON     UINT64_C(2000000) /* in the lab: more instructions than any part of this takes */
#define FAR      (UINT64_C(1) << 40)
#define COUNT    0x40000000
#define PATIENCE 100000000

static unsigned wrong, ticks;

#define right(cond)                                                                                \
    do {                                                                                           \
        bool right_ = (cond);                                                                      \
        print("%s %s", right_ ? "right" : "WRONG", #cond);                                         \
        wrong += !right_;                                                                          \
    } while (0)

static void on_timer(struct interrupt_frame *frame)
{
    (void)frame;
    ticks++;
}

static bool shortly_after(uint64_t value, uint64_t base) { return value - base < SOON; }

static void written(void)
{
    uint64_t adjust = rdmsr(MSR_IA32_TSC_ADJUST), before;
    right(adjust == 0);
    wrmsr(MSR_IA32_TSC, FAR);
    right(shortly_after(rdtsc(), FAR));
    right(shortly_after(rdmsr(MSR_IA32_TSC), FAR));
    adjust = rdmsr(MSR_IA32_TSC_ADJUST);
    right(adjust > FAR - SOON * 10 && adjust < FAR);
    before = rdtsc();
    wrmsr(MSR_IA32_TSC_ADJUST, adjust + FAR);
    right(shortly_after(rdtsc(), before + FAR));
    right(rdmsr(MSR_IA32_TSC_ADJUST) == adjust + FAR);
    wrmsr(MSR_IA32_TSC_ADJUST, 0);
    right(shortly_after(rdtsc(), before - adjust));
    wrmsr(MSR_IA32_TSC, 0);
    right(shortly_after(rdtsc(), 0));
}

static bool comes(unsigned n)
{
    return spin_until(__atomic_load_n(&ticks, __ATOMIC_RELAXED) == n, PATIENCE);
}

/* The deadline is a value of the TSC, also of one that was moved; a count is no such thing. */
static void timers(void)
{
    uint64_t at;
    apic_write(APIC_LVT_TIMER,
               TIMER | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, APIC_TIMER_TSC_DEADLINE));
    wrmsr(MSR_IA32_TSC, FAR);
    at = rdtsc() + SOON;
    wrmsr(MSR_IA32_TSC_DEADLINE, at);
    right(rdmsr(MSR_IA32_TSC_DEADLINE) == at);
    right(comes(1) && rdtsc() >= at);
    wrmsr(MSR_IA32_TSC_DEADLINE, 2 * FAR);
    wrmsr(MSR_IA32_TSC_ADJUST, 0); /* farther away still */
    right(rdmsr(MSR_IA32_TSC_DEADLINE) == 2 * FAR && ticks == 1);
    wrmsr(MSR_IA32_TSC, 3 * FAR);
    right(comes(2) && rdmsr(MSR_IA32_TSC_DEADLINE) == 0);
    apic_write(APIC_LVT_TIMER, TIMER);
    apic_write(APIC_TIMER_INITIAL, COUNT);
    wrmsr(MSR_IA32_TSC, 0);
    right(apic_read(APIC_TIMER_CURRENT) > COUNT - SOON && ticks == 2);
    apic_write(APIC_TIMER_INITIAL, 0);
}

/* The longest time between two looks at the TSC, until a key is typed. */
static void watch(void)
{
    uint64_t last = rdtsc(), longest = 0;
    print("watching");
    last = rdtsc();
    while (!key_typed()) {
        uint64_t now = rdtsc();
        longest = MAX(longest, now - last);
        last = now;
    }
    print("jump=%lu", longest);
}

static uint64_t seen[2], back, looking = 2;

/* Each look is later than the last one of the other processor. */
static void looks(void)
{
    unsigned id = apic_read(APIC_ID);
    atomic_store(&seen[id], 1);
    (void)spin_until(atomic_load(&seen[1 - id]), PATIENCE); /* both look at the same time */
    for (uint64_t n = option("two", 0); n; n--) {
        uint64_t before = atomic_load(&seen[1 - id]);
        load_fence();
        uint64_t now = rdtsc();
        if (now < before)
            atomic_store(&back, before - now);
        atomic_store(&seen[id], now);
    }
    atomic_fetch_add(&looking, UINT64_MAX); /* one less */
}

int main(void)
{
    uint64_t first = rdtsc();
    on_interrupt(TIMER, on_timer);
    apic_on(true);
    interrupts_on();
    if (option("watch", 0)) {
        watch();
        return 0;
    }
    if (option("two", 0)) {
        processor_start(1, looks);
        looks();
        right(spin_until(atomic_load(&looking) == 0, PATIENCE));
        print("back=%lu", back);
        return back != 0;
    }
    right(shortly_after(first, 0));
    written();
    timers();
    print("wrong=%u", wrong);
    return wrong != 0;
}
