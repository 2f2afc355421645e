/* SPDX-License-Identifier: MIT */
/*
 * A guest that defends itself: it asks CPUID which commands against known leaks it has, uses each,
 * and then sleeps turns=N times on each of cpus=N processors, so that others come on its CPU.
 * From: tests/cases/test_leaks.py.   To: vmx/vcpu/guards.c, vmx/exit/msr.c.
 * Spec: Intel "CPUID Enumeration and Architectural MSRs".
 */
#include "arch/msr.h"
#include "arch/x86.h"
#include "guest/programs/lib/guest.h"
#include "lib/atomic.h"

#define VECTOR         0x50
#define TICKS_PER_TURN 12000
#define SSBD           BIT(2)

static uint64_t finished;

static void on_tick(struct interrupt_frame *frame) { (void)frame; }

static void sleep_in_turns(void)
{
    apic_write(APIC_LVT_TIMER, VECTOR | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, 2));
    for (uint64_t turn = 0; turn < option("turns", 0); turn++) {
        wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + TICKS_PER_TURN);
        halt();
    }
    atomic_fetch_add(&finished, 1);
}

static void sleep_too(void)
{
    interrupts_load();
    sleep_in_turns();
}

/* SSBD is what a kernel sets for one program, and takes back for the next. */
static void use_spec_ctrl(uint32_t commands)
{
    if (!(commands & CPUID_7_SSBD))
        return;
    print("spec_ctrl=0x%lx", rdmsr(MSR_IA32_SPEC_CTRL));
    wrmsr(MSR_IA32_SPEC_CTRL, SSBD);
    for (unsigned i = 0; i < 10; i++)
        cpuid(1, 0);
    check(rdmsr(MSR_IA32_SPEC_CTRL) == SSBD);
    wrmsr(MSR_IA32_SPEC_CTRL, 0);
    check(rdmsr(MSR_IA32_SPEC_CTRL) == 0);
}

int main(void)
{
    uint32_t commands = cpuid(7, 0).edx;
    uint64_t capabilities = commands & CPUID_7_ARCH ? rdmsr(MSR_IA32_ARCH_CAPABILITIES) : 0;
    print("commands=0x%x capabilities=0x%lx", commands, capabilities);
    on_interrupt(VECTOR, on_tick);
    apic_on(true);
    use_spec_ctrl(commands);
    if (commands & CPUID_7_IBRS)
        wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
    if (commands & CPUID_7_L1D_FLUSH)
        wrmsr(MSR_IA32_FLUSH_CMD, 1);
    uint64_t cpus = option("cpus", 1);
    if (cpus > 1)
        processor_start(1, sleep_too);
    sleep_in_turns();
    while (atomic_load(&finished) < cpus)
        cpu_relax();
    print("slept");
    return 0;
}
