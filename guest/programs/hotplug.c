/* SPDX-License-Identifier: MIT */
/*
 * A device that comes and goes while its guest runs, turns=N times: when it is there it is as after
 * a reset, does DMA and interrupts; then it is left in the middle of a DMA and of a storm of
 * interrupts until it is gone, and nothing more comes of it.
 * From: tests/cases/test_assign.py.   To: guest/assign/assign.c assign_hot(), assign_take_back(),
 * assign_restart_all().
 * Spec: docs/lab.md.
 */
#include "guest/programs/edu.h"

#define VECTOR         0x53
#define LAB_DMA_DELAY  0x200
#define LAB_DMA_SPLIT  0x204
#define LAB_STORM      0x21c
#define EDU_CAUSES     0x24
#define LIVENESS_FRESH 0xffffffff /* the complement of 0 */
#define MOVED          UINT32_C(0xe0000000)
#define MEMORY         0x400000 /* nothing of ours lies there */

static uint32_t arrived, data[2][1024];
static struct edu e;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    edu_write(&e, EDU_IRQ_ACK, edu_read(&e, EDU_CAUSES));
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static uint32_t arrivals(void) { return __atomic_load_n(&arrived, __ATOMIC_SEQ_CST); }

static bool present(void)
{
    for (unsigned slot = 1; slot < 8; slot++) {
        e.bdf = BDF(0, slot, 0);
        if (pci_config_read(e.bdf, PCI_VENDOR_ID, 4) == (EDU_DEVICE << 16 | EDU_VENDOR))
            return true;
    }
    return false;
}

/* The trouble of a lab device outlives its resets; all else does not. */
static void calm(void)
{
    edu_write(&e, LAB_STORM, 0);
    edu_write(&e, LAB_DMA_SPLIT, 0);
    edu_write(&e, LAB_DMA_DELAY, 200);
    edu_write(&e, EDU_IRQ_ACK, edu_read(&e, EDU_CAUSES));
}

static void drive(void)
{
    uint32_t before;
    for (uint32_t i = 0; i < ARRAY_COUNT(data[0]); i++)
        data[0][i] = i * 5 + 1;
    memset(data[1], 0, sizeof(data[1]));
    check(edu_read(&e, EDU_LIVENESS) == LIVENESS_FRESH && edu_read(&e, EDU_BUFFER) == 0);
    check(edu_dma(&e, (uint64_t)data[0], sizeof(data[0]), false));
    check(edu_dma(&e, (uint64_t)data[1], sizeof(data[1]), true));
    check(memcmp(data[0], data[1], sizeof(data[0])) == 0);
    pci_msi_on(e.bdf, VECTOR);
    before = arrivals();
    for (uint32_t i = 1; i <= 100; i++) {
        edu_write(&e, EDU_IRQ_RAISE, 1);
        check(spin_until(arrivals() == before + i, 100000000));
    }
    edu_write(&e, EDU_LIVENESS, 0x12345678);
}

static void move(uint32_t to)
{
    pci_config_write(e.bdf, PCI_BAR(0), 4, to);
    e.regs = (char *)(uint64_t)to;
}

static void trouble(void)
{
    move(MOVED);
    edu_write(&e, LAB_DMA_SPLIT, 64);
    edu_write(&e, LAB_DMA_DELAY, 100);
    edu_write(&e, LAB_STORM, 3000);
}

static void keep_busy(void)
{
    mmio_write64(e.regs + EDU_DMA_SOURCE, EDU_BUFFER);
    mmio_write64(e.regs + EDU_DMA_TARGET, (uint64_t)data[1]);
    mmio_write64(e.regs + EDU_DMA_COUNT, sizeof(data[1]));
    mmio_write64(e.regs + EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_OUT);
}

static void nothing_comes(void)
{
    uint32_t before = arrivals();
    memset(data[1], 0, sizeof(data[1]));
    compiler_barrier();
    (void)spin_until(false, 100000);
    compiler_barrier();
    for (unsigned i = 0; i < ARRAY_COUNT(data[1]); i++)
        check(data[1][i] == 0);
    check(arrivals() == before);
}

/* Nothing of an earlier life. */
static void check_memory(void)
{
    uint64_t *memory = (uint64_t *)MEMORY;
    for (unsigned i = 0; i < 4096; i++) {
        check(memory[i] == 0);
        memory[i] = i + 1;
    }
}

int main(void)
{
    uint64_t turns = option("turns", 1);
    check_memory();
    apic_on(true);
    on_interrupt(VECTOR, handler);
    interrupts_on();
    for (uint64_t turn = 1;; turn++) {
        while (!present())
            cpu_relax();
        pci_enable(e.bdf);
        e.regs = (char *)pci_bar(e.bdf, 0);
        calm();
        drive();
        print("turn %lu: at work, bar0=0x%lx", turn, (uint64_t)e.regs);
        if (turn == turns)
            return 0;
        trouble();
        while (present())
            keep_busy();
        nothing_comes();
        print("turn %lu: gone", turn);
    }
}
