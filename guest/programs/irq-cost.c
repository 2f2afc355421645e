/* SPDX-License-Identifier: MIT */
/*
 * From a device's interrupt to the first instruction of its handler, in TSC ticks; in the lab a
 * tick is an instruction. The median counts, because now and then Hamlet looks after its VMs.
 * Three states of the vCPU that gets it, one per run: state=1 it runs, state=2 it is ready, and who
 * raises it gives the CPU away by HLT (two vCPUs), state=3 it is halted, and the device sends by
 * itself. All on one CPU: the clock of two advances in steps.
 * From: tests/bench/bench.py, which reads the lines "bench KEY=VALUE".
 */
#include "lib/atomic.h"
#include "guest/programs/interrupts.h"

#define ROUNDS        50
#define WAKE          0x60
#define PATIENCE      UINT64_C(200000000)
#define DELAY         200000 /* ticks of a transfer */
#define LAB_DMA_DELAY 0x200  /* the lab device's register for it */

static struct source source;
static uint64_t raised_at, handled, ticks[ROUNDS];

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    ticks[handled] = rdtsc() - atomic_load(&raised_at);
    atomic_fetch_add(&handled, 1);
}

static void wake(struct interrupt_frame *frame) { (void)frame; }

static void raise(void)
{
    atomic_store(&raised_at, rdtsc());
    source_raise(&source);
}

static void running(void)
{
    interrupts_on();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        raise();
        check(spin_until(atomic_load(&handled) > i, PATIENCE));
    }
}

static void raise_and_sleep(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        raise();
        halt();
    }
}

static void ready(void)
{
    interrupts_on();
    processor_start(1, raise_and_sleep);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        check(spin_until(atomic_load(&handled) > i, PATIENCE));
        send_ipi(1, WAKE);
    }
}

static void dma_handler(struct interrupt_frame *frame)
{
    (void)frame;
    ticks[handled++] = rdtsc() - raised_at;
}

/* The CPU is idle, so the device sends by itself: a transfer of no bytes ends DELAY ticks after it
 * was begun. */
static void halted(void)
{
    const struct edu *e = &source.device;
    on_interrupt(FIRST_VECTOR + 1, dma_handler);
    check(pci_msix_to(e->bdf, 1, FIRST_VECTOR + 1, 0));
    edu_write(e, LAB_DMA_DELAY, DELAY);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        mmio_write64(e->regs + EDU_DMA_SOURCE, 0x200000);
        mmio_write64(e->regs + EDU_DMA_TARGET, EDU_BUFFER);
        mmio_write64(e->regs + EDU_DMA_COUNT, 0);
        raised_at = rdtsc() + DELAY;
        mmio_write64(e->regs + EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_IRQ);
        while (handled == i)
            halt();
        edu_write(e, EDU_IRQ_ACK, 0x100);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } states[] = {{"running", running}, {"ready", ready}, {"halted", halted}};
    uint64_t state = option("state", 1) - 1;

    check(state < ARRAY_COUNT(states));
    apic_on(true);
    on_interrupt(FIRST_VECTOR, handler);
    on_interrupt(WAKE, wake);
    check(source_open(&source, 0, 0));
    uint64_t exits = exits_all();
    states[state].run();
    exits = exits_all() - exits;
    check(handled == ROUNDS);
    sort(ticks, ROUNDS);
    print("bench irq_%s=%lu", states[state].name, ticks[ROUNDS / 2]);
    if (state == 0)
        print("bench irq_running_exits=%lu", exits);
    return 0;
}
