/* SPDX-License-Identifier: MIT */
/*
 * What operations cost, one by one, so that two hypervisors compare. Each operation stands between
 * two RDTSC, the cost of an empty one is taken off; minimum, median, mean, 95th percentile,
 * maximum.
 * test=1 instructions. Interrupts of the device to a vCPU: test=2 it runs, 3 it is ready (two
 * vCPUs, one CPU), 4 it is halted (two CPUs), 5 it is halted, and the device's own DMA raises them
 * (one CPU). test=6 a storm of interrupts into a vCPU that exits all the time. test=7 some of each,
 * to see what grows with what else there is, and test=8 is what else there is: vCPUs that sleep.
 * From: tests/bench/peer.py, which runs it under KVM and under Hamlet; tests/bench/scale.py.
 */
#include "arch/msr.h"
#include "lib/atomic.h"
#include "guest/programs/interrupts.h"

#define ROUNDS_MAX 1000
#define WAKE       0x60
#define PATIENCE   UINT64_C(4000000000)
#define LAB_MESSAGE                                                                                \
    0x118 /* the lab device's registers: a write sends the message of that number, */
#define LAB_DMA_DELAY      0x200 /* ... ticks that a transfer takes, */
#define LAB_STORM          0x21c /* ... ticks from one message to the next */

#define PORT_PIC           0x21  /* KVM answers in the kernel */
#define PORT_UART_SCRATCH  0x3ff /* QEMU answers */
#define CONFIG_PCIE_DEVICE 0x84  /* of the lab device: in its PCI Express capability */

static uint64_t ticks[ROUNDS_MAX], count, rounds, empty, settled, gap;
static struct source source;
static uint64_t raised_at, handled, asleep;

static void tell(const char *name)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += ticks[i];
    sort(ticks, count);
    print("peer %s n=%lu min=%ld median=%ld mean=%ld p95=%ld max=%ld", name, count,
          ticks[0] - empty, ticks[count / 2] - empty, (sum + count / 2) / count - empty,
          ticks[count * 95 / 100] - empty, ticks[count - 1] - empty);
}

/* The first time is not counted: tables and caches are cold. */
#define EACH(name, operation)                                                                      \
    do {                                                                                           \
        operation;                                                                                 \
        for (count = 0; count < rounds; count++) {                                                 \
            uint64_t begin_ = rdtsc();                                                             \
            operation;                                                                             \
            ticks[count] = rdtsc() - begin_;                                                       \
        }                                                                                          \
        tell(name);                                                                                \
    } while (0)

static void instructions(void)
{
    uint64_t nothing = 0;
    EACH("empty", nothing++);
    empty = ticks[count / 2];
    EACH("cpuid", cpuid(1, 0));
    EACH("vmcall", hypercall(HC_NOTHING, 0));
    EACH("in_pic", in8(PORT_PIC));
    EACH("in_uart", in8(PORT_UART_SCRATCH));
    EACH("out_cf8", out32(PCI_PORT_ADDRESS, (uint32_t)PCI_ADDRESS_ENABLE));
    EACH("wrmsr_tsc_deadline", wrmsr(MSR_IA32_TSC_DEADLINE, 0));
    struct edu e = edu_open();
    uint16_t port = (uint16_t)pci_bar(e.bdf, 1);
    EACH("bar_read", edu_read(&e, EDU_ID));
    EACH("bar_write", edu_write(&e, EDU_LIVENESS, 1));
    EACH("io_bar_in8", in8(port));
    /* The ids are the hypervisor's own answer; status and capability ask the device. */
    EACH("config_vendor", pci_config_read(e.bdf, PCI_VENDOR_ID, 4));
    EACH("config_status", pci_config_read(e.bdf, PCI_COMMAND, 4));
    EACH("config_capability", pci_config_read(e.bdf, CONFIG_PCIE_DEVICE, 4));
    char *entry = pci_msix_entry(e.bdf, 0);
    if (entry)
        EACH("msix_entry_read", mmio_read32(entry));
    /* Above, the local APIC drops the write: no LVT entry asks for a deadline. This is a kernel's
     * tick, and none of them comes due. */
    apic_on(true);
    apic_write(APIC_LVT_TIMER,
               WAKE | (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, APIC_TIMER_TSC_DEADLINE));
    EACH("wrmsr_tsc_armed", wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + 100000));
    wrmsr(MSR_IA32_TSC_DEADLINE, 0);
}

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    uint64_t now = rdtsc();
    ticks[handled] = now - atomic_load(&raised_at);
    atomic_fetch_add(&handled, 1);
}

static void wake(struct interrupt_frame *frame) { (void)frame; }

static void raise(void)
{
    atomic_store(&raised_at, rdtsc());
    edu_write(&source.device, LAB_MESSAGE, 0);
}

static void wait_ticks(uint64_t n)
{
    for (uint64_t until = rdtsc() + n; rdtsc() < until;)
        cpu_relax();
}

static void running(void)
{
    interrupts_on();
    raise(); /* not counted */
    check(spin_until(atomic_load(&handled) == 1, PATIENCE));
    handled = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        raise();
        check(spin_until(atomic_load(&handled) > i, PATIENCE));
        wait_ticks(gap);
    }
}

static void raise_and_sleep(void)
{
    for (unsigned i = 0; i < rounds; i++) {
        raise();
        halt();
    }
}

static void ready(void)
{
    interrupts_on();
    processor_start(1, raise_and_sleep);
    for (uint64_t i = 0; i < rounds; i++) {
        check(spin_until(atomic_load(&handled) > i, PATIENCE));
        send_ipi(1, WAKE);
    }
}

static void raise_when_it_sleeps(void)
{
    for (unsigned i = 0; i < rounds; i++) {
        check(spin_until(atomic_load(&asleep), PATIENCE));
        wait_ticks(settled);
        atomic_store(&asleep, 0);
        raise();
    }
}

static void halted(void)
{
    processor_start(1, raise_when_it_sleeps);
    for (unsigned i = 0; i < rounds; i++) {
        atomic_store(&asleep, 1);
        halt();
    }
}

static void dma_handler(struct interrupt_frame *frame)
{
    (void)frame;
    uint64_t now = rdtsc();
    ticks[handled++] = now - raised_at;
}

/* A transfer of no bytes, whose end is an interrupt `delay` ticks later. */
static void halted_alone(void)
{
    const struct edu *e = &source.device;
    uint64_t delay = option("delay", 200000);
    on_interrupt(FIRST_VECTOR + 1, dma_handler);
    check(pci_msix_to(e->bdf, 1, FIRST_VECTOR + 1, 0));
    edu_write(e, LAB_DMA_DELAY, (uint32_t)delay);
    for (uint64_t i = 0; i < rounds; i++) {
        mmio_write64(e->regs + EDU_DMA_SOURCE, 0x200000);
        mmio_write64(e->regs + EDU_DMA_TARGET, EDU_BUFFER);
        mmio_write64(e->regs + EDU_DMA_COUNT, 0);
        raised_at = rdtsc() + delay;
        mmio_write64(e->regs + EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_IRQ);
        while (handled == i)
            halt();
        edu_write(e, EDU_IRQ_ACK, 0x100);
    }
}

static void storm_handler(struct interrupt_frame *frame)
{
    (void)frame;
    handled++;
}

/* Many of these interrupts come while the CPU is in the hypervisor. */
static void storm(void)
{
    on_interrupt(FIRST_VECTOR, storm_handler);
    interrupts_on();
    edu_write(&source.device, LAB_STORM, (uint32_t)option("period", 900));
    for (uint64_t i = 0; i < 3000; i++)
        cpuid(1, 0);
    edu_write(&source.device, LAB_STORM, 0);
    wait_ticks(100000);
    print("peer storm handled=%lu", handled);
    check(handled);
    quit(0);
}

/* The memory decode bit of the device goes off and on: its BARs leave the guest's tables, with all
 * flushes, and come back. */
static void bar_off_and_on(const struct edu *e, uint32_t command)
{
    pci_config_write(e->bdf, PCI_COMMAND, 2, command & ~(uint32_t)PCI_COMMAND_MEM);
    pci_config_write(e->bdf, PCI_COMMAND, 2, command);
}

static void tell_interrupts(const char *name)
{
    check(handled == rounds);
    count = rounds;
    handled = 0;
    tell(name);
}

static void scale(void)
{
    const struct edu *e = &source.device;
    uint32_t command = pci_config_read(e->bdf, PCI_COMMAND, 2);
    EACH("cpuid", cpuid(1, 0));
    EACH("config_vendor", pci_config_read(e->bdf, PCI_VENDOR_ID, 4));
    EACH("bar_off_and_on", bar_off_and_on(e, command));
    running();
    tell_interrupts("irq_running");
    halted_alone();
    tell_interrupts("irq_halted_alone");
    print("peer scale is done");
    quit(0);
}

static void sleep_for_ever(void)
{
    for (;;)
        halt();
}

static void sleepers(void)
{
    for (unsigned i = 1; i < option("vcpus", 1); i++)
        processor_start(i, sleep_for_ever);
    print("peer sleeps");
    sleep_for_ever();
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"", instructions},
                 {"irq_running", running},
                 {"irq_ready", ready},
                 {"irq_halted", halted},
                 {"irq_halted_alone", halted_alone},
                 {"storm", storm},
                 {"scale", scale},
                 {"sleepers", sleepers}};
    uint64_t test = option("test", 1) - 1;
    check(test < ARRAY_COUNT(tests));
    rounds = option("rounds", test ? 50 : 200);
    settled = option("settled", 20000);
    gap = option("gap", 0);
    check(rounds && rounds < ROUNDS_MAX);
    apic_on(true);
    if (test == 0) {
        instructions();
        return 0;
    }
    if (tests[test].run == sleepers)
        sleepers();
    on_interrupt(FIRST_VECTOR, handler);
    on_interrupt(WAKE, wake);
    check(source_open(&source, 0, 0));
    tests[test].run();
    check(handled == rounds);
    count = rounds;
    tell(tests[test].name);
    return 0;
}
