/* SPDX-License-Identifier: MIT */
/*
 * The local APIC, in xAPIC mode and then in x2APIC mode: registers, IPIs to itself with their
 * priorities, and the timer in its three modes. With APIC virtualization the steady state has no
 * exit; the counts are printed.
 * To: guest/pc/vlapic.c, guest/pc/vlapic_irq.c, guest/pc/vlapic_timer.c, vmx/vcpu/apicv.c.
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

#define LOW       0x41
#define HIGH      0x81
#define TIMER     0x52
#define IPIS      1000
#define DEADLINES 100
#define PATIENCE  100000000

static uint64_t count[256];
static uint32_t delay; /* TSC ticks; long beside an exit, whatever machine this is */
static uint8_t order[4];
static unsigned ordered;

static void counted(struct interrupt_frame *frame)
{
    count[frame->vector]++;
    if (ordered < sizeof(order))
        order[ordered++] = (uint8_t)frame->vector;
}

static bool x2apic_on;

/* The register that does nothing else is the one that APIC virtualization handles without
 * an exit. */
static void self_ipi(uint8_t vector)
{
    if (x2apic_on)
        apic_write(APIC_SELF_IPI, vector);
    else
        apic_write(APIC_ICR, FIELD_SET(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF) | vector);
}

static bool irr(uint8_t vector)
{
    return apic_read((enum apic_reg)(APIC_IRR + vector / 32 * 16)) & BIT(vector % 32);
}

static void registers(bool x2apic)
{
    check((apic_read(APIC_VERSION) & 0xff) >= 0x10);
    check(apic_read(APIC_ID) == 0);
    check(apic_read(APIC_SVR) == 0x1ff);
    if (!x2apic) {
        apic_write(APIC_LDR, 0x02000000);
        check(apic_read(APIC_LDR) == 0x02000000);
    } else {
        check(apic_read(APIC_LDR) == 1);
    }
    apic_write(APIC_TPR, 0x20);
    check(apic_read(APIC_TPR) == 0x20);
    apic_write(APIC_TPR, 0);
}

/* Interrupts wait while IF is 0, and come by priority, not in the order in which they were sent. */
static void priorities(void)
{
    ordered = 0;
    asm volatile("cli");
    self_ipi(LOW);
    self_ipi(HIGH);
    check(spin_until(irr(LOW) && irr(HIGH), PATIENCE));
    check(ordered == 0);
    /* the EOI of the first lets the second through: it comes before the instruction behind */
    asm volatile("sti; nop; cli" ::: "memory");
    check(ordered == 2);
    interrupts_on();
    check(order[0] == HIGH && order[1] == LOW);
    check(!irr(LOW) && !irr(HIGH));
    /* TPR holds back its class and those below */
    apic_write(APIC_TPR, 0x40);
    self_ipi(LOW);
    check(spin_until(irr(LOW), PATIENCE));
    self_ipi(HIGH);
    check(spin_until(ordered == 3, PATIENCE) && order[2] == HIGH);
    check(irr(LOW));
    apic_write(APIC_TPR, 0);
    check(spin_until(ordered == 4, PATIENCE) && order[3] == LOW);
}

static void many_ipis(const char *mode)
{
    uint64_t before = count[LOW], exits_before = exits_all();
    for (unsigned i = 0; i < IPIS; i++) {
        self_ipi(LOW);
        check(spin_until(count[LOW] == before + i + 1, PATIENCE));
    }
    print("%s: self-ipi=%u exits=%lu", mode, IPIS, exits_all() - exits_before);
}

static void many_priorities(const char *mode)
{
    uint64_t exits_before = exits_all();
    for (unsigned i = 0; i < IPIS; i++) {
        apic_write(APIC_TPR, i % 16 << 4);
        check(apic_read(APIC_TPR) == i % 16 << 4);
    }
    apic_write(APIC_TPR, 0);
    print("%s: tpr=%u exits=%lu", mode, IPIS, exits_all() - exits_before);
}

/* Two exits each: the deadline is written, the deadline has come. */
static void many_deadlines(const char *mode)
{
    uint64_t exits_before = exits_all();
    for (unsigned i = 0; i < DEADLINES; i++) {
        uint64_t before = count[TIMER];
        wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + delay / 16);
        check(spin_until(count[TIMER] == before + 1, PATIENCE));
    }
    print("%s: deadlines=%u exits=%lu", mode, DEADLINES, exits_all() - exits_before);
}

static void timer_one_shot(void)
{
    uint64_t before = count[TIMER], start = rdtsc();
    apic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
    apic_write(APIC_LVT_TIMER, TIMER);
    apic_write(APIC_TIMER_INITIAL, delay);
    check(apic_read(APIC_TIMER_CURRENT) <= delay);
    check(spin_until(count[TIMER] == before + 1, PATIENCE));
    check(rdtsc() - start >= delay);
    check(apic_read(APIC_TIMER_CURRENT) == 0);
}

static void timer_periodic(void)
{
    uint64_t before = count[TIMER], start = rdtsc();
    apic_write(APIC_LVT_TIMER,
               TIMER | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, APIC_TIMER_PERIODIC));
    apic_write(APIC_TIMER_INITIAL, delay);
    while (count[TIMER] < before + 5)
        halt();      /* the timer has to wake a halted processor */
    interrupts_on(); /* halt() left them off */
    check(rdtsc() - start >= 5 * (uint64_t)delay);
    apic_write(APIC_TIMER_INITIAL, 0);
    before = count[TIMER];
    start = rdtsc(); /* a stopped timer stays still, but for one that was on its way */
    while (rdtsc() - start < 3 * (uint64_t)delay)
        cpu_relax();
    check(count[TIMER] <= before + 1);
}

static void timer_deadline(void)
{
    uint64_t before = count[TIMER], at;
    apic_write(APIC_LVT_TIMER,
               TIMER | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, APIC_TIMER_TSC_DEADLINE));
    at = rdtsc() +
         10000 * (uint64_t)delay; /* far enough to be read back, however long an exit takes here */
    wrmsr(MSR_IA32_TSC_DEADLINE, at);
    check(rdmsr(MSR_IA32_TSC_DEADLINE) == at);
    at = rdtsc() + delay;
    wrmsr(MSR_IA32_TSC_DEADLINE, at);
    check(spin_until(count[TIMER] == before + 1, PATIENCE));
    check(rdtsc() >= at);
    check(rdmsr(MSR_IA32_TSC_DEADLINE) == 0);
    wrmsr(MSR_IA32_TSC_DEADLINE, 1); /* in the past: at once */
    check(spin_until(count[TIMER] == before + 2, PATIENCE));
}

static void in_mode(const char *mode, bool x2apic)
{
    apic_on(x2apic);
    x2apic_on = x2apic;
    registers(x2apic);
    priorities();
    print("%s: registers and priorities are right", mode);
    many_ipis(mode);
    many_priorities(mode);
    timer_one_shot();
    timer_periodic();
    print("%s: the timer is right, once and periodic", mode);
    timer_deadline();
    many_deadlines(mode);
    print("%s: TSC-deadline is right", mode);
}

static void choose_delay(void)
{
    uint64_t start = rdtsc();
    for (unsigned i = 0; i < 16; i++)
        cpuid(1, 0);
    delay = (uint32_t)MIN(MAX((rdtsc() - start) * 8, UINT64_C(100000)), UINT64_C(1000000000));
}

int main(void)
{
    choose_delay();
    on_interrupt(LOW, counted);
    on_interrupt(HIGH, counted);
    on_interrupt(TIMER, counted);
    in_mode("xapic", false);
    in_mode("x2apic", true);
    return 0;
}
