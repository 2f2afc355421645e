/* SPDX-License-Identifier: MIT */
/*
 * A device that sends whatever its Bus Master Enable says, and that no reset stops: the VM ends in
 * the middle of its DMA, a byte each 10,000 ticks. With watch=N the program has no device: it lives
 * on for N ms, and its memory stays as it is.
 * From: tests/cases/test_dma.py.   To: guest/assign/assign.c domain_detach(), guest/assign/faults.c
 * unowned_stop().
 * Spec: docs/lab.md.
 */
#include "arch/msr.h"
#include "guest/programs/edu.h"

#define LAB_DMA_DELAY 0x200
#define LAB_DMA_SPLIT 0x204
#define VECTOR        0x50
#define TICKS_PER_MS  120000
#define MEMORY        UINT64_C(0x400000)
#define WORDS         0x80000 /* 4 MiB */

static uint8_t target[4096];

static void leave_at_work(void)
{
    struct edu e = edu_open();
    edu_write(&e, LAB_DMA_SPLIT, 1);
    edu_write(&e, LAB_DMA_DELAY, 10000);
    mmio_write64(e.regs + EDU_DMA_SOURCE, EDU_BUFFER);
    mmio_write64(e.regs + EDU_DMA_TARGET, (uint64_t)target);
    mmio_write64(e.regs + EDU_DMA_COUNT, sizeof(target));
    mmio_write64(e.regs + EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_OUT);
}

static void on_tick(struct interrupt_frame *frame) { (void)frame; }

static void watch(uint64_t ms)
{
    uint64_t *memory = (uint64_t *)MEMORY, until = rdtsc() + ms * TICKS_PER_MS;
    for (uint64_t i = 0; i < WORDS; i++)
        memory[i] = ~i;
    on_interrupt(VECTOR, on_tick);
    apic_on(true);
    apic_write(APIC_LVT_TIMER, VECTOR | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, 2));
    while (rdtsc() < until) {
        wrmsr(MSR_IA32_TSC_DEADLINE, until);
        halt();
    }
    for (uint64_t i = 0; i < WORDS; i++)
        check(memory[i] == ~i);
    print("%lu ms later all is in its place", ms);
}

int main(void)
{
    uint64_t ms = option("watch", 0);
    if (ms)
        watch(ms);
    else
        leave_at_work();
    return 0;
}
