/* SPDX-License-Identifier: MIT */
/*
 * An NVMe disk: identify, blocks written and read back, an MSI-X interrupt for each completion.
 * With vf=1 also a virtual function of it: the physical one gives it its queues and interrupts and
 * switches it on.
 * To: guest/assign/vmsix.c, vtd/context.c (each function has its own source-id), pci/sriov.c.
 * Spec: NVM Express Base "Identify Command", "Virtualization Management Command".
 */
#include "guest/programs/nvme.h"

#define VENDOR       0x1b36
#define DEVICE       0x0010
#define VECTOR       0x71
#define BLOCKS       8
#define BLOCK_SIZE   512
#define ACT_ONLINE   9
#define ACT_ASSIGN   8
#define TYPE_QUEUES  0
#define TYPE_VECTORS 1

static uint8_t pages[2][5][4096] __attribute__((aligned(4096)));
static uint8_t block[2][4096] __attribute__((aligned(4096)));
static uint32_t arrived[2];

static void first(struct interrupt_frame *frame) { (void)frame, arrived[0]++; }
static void second(struct interrupt_frame *frame) { (void)frame, arrived[1]++; }

static void attach(struct nvme *n, unsigned which, bdf_t bdf)
{
    n->bdf = bdf;
    pci_enable(bdf);
    n->regs = (char *)pci_bar(bdf, 0);
    n->admin.sq = (void *)pages[which][0];
    n->admin.cq = (void *)pages[which][1];
    n->io.sq = (void *)pages[which][2];
    n->io.cq = (void *)pages[which][3];
}

static void identify(struct nvme *n, const char *name)
{
    static uint8_t data[4096] __attribute__((aligned(4096)));

    check(nvme_run(n, &n->admin,
                   (struct nvme_command){
                       .opcode = NVME_IDENTIFY, .prp1 = (uint64_t)data, .cdw10 = 1}) == 0);
    data[24 + 14] = 0;
    print("%s: model=%s", name, (const char *)data + 24);
    check(data[24] == 'Q'); /* "QEMU NVMe Ctrl" */
}

/* Blocks out and back, each with a pattern of its own; then many, and what they cost. */
static void work(struct nvme *n, const char *name, uint32_t at, uint32_t *interrupts)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        for (unsigned k = 0; k < BLOCK_SIZE; k++)
            block[0][k] = (uint8_t)(k * 7 + i + at);
        memset(block[1], 0, BLOCK_SIZE);
        check(nvme_block(n, NVME_WRITE, at + i, block[0]) == 0);
        check(nvme_block(n, NVME_READ, at + i, block[1]) == 0);
        check(memcmp(block[0], block[1], BLOCK_SIZE) == 0);
    }
    check(spin_until(__atomic_load_n(interrupts, __ATOMIC_SEQ_CST) >= 1, 100000000));
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        check(nvme_block(n, NVME_READ, at + i % BLOCKS, block[1]) == 0);
    steady_end(name, STEADY_OPERATIONS);
    print("%s: %u blocks came back, msix=%u", name, BLOCKS, *interrupts);
}

static void give(struct nvme *pf, unsigned action, unsigned type, uint32_t count)
{
    check(nvme_run(pf, &pf->admin,
                   (struct nvme_command){.opcode = NVME_VIRTUALIZATION,
                                         .cdw10 = 1 << 16 | type << 8 | action,
                                         .cdw11 = count}) == 0);
}

static void virtual_function(struct nvme *pf)
{
    static struct nvme vf;
    bdf_t bdf = BDF(0, BDF_DEV(pf->bdf) + 1, 0);
    check(pci_config_read(bdf, 0, 4) == (DEVICE << 16 | VENDOR));
    attach(&vf, 1, bdf);
    give(pf, ACT_ASSIGN, TYPE_QUEUES, 2);
    give(pf, ACT_ASSIGN, TYPE_VECTORS, 2);
    give(pf, ACT_ONLINE, 0, 0);
    on_interrupt(VECTOR + 1,
                 second); /* one for both queues: its table has the one entry it was born with */
    check(nvme_enable(&vf));
    check(pci_msix_to(bdf, 0, VECTOR + 1, 0));
    identify(&vf, "nvme-vf");
    nvme_io_queue(&vf, 0);
    work(&vf, "nvme-vf", 16, &arrived[1]);
}

int main(void)
{
    static struct nvme n;
    apic_on(false);
    on_interrupt(VECTOR, first);
    interrupts_on();
    attach(&n, 0, pci_device(VENDOR, DEVICE));
    check(nvme_enable(&n));
    check(pci_msix_to(n.bdf, 1, VECTOR, 0));
    identify(&n, "nvme");
    nvme_io_queue(&n, 1);
    work(&n, "nvme", 0, &arrived[0]);
    if (option("vf", 0))
        virtual_function(&n);
    return 0;
}
