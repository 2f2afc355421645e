/* SPDX-License-Identifier: MIT */
/*
 * A driver of the lab device in Linux' kernel, by its own ways alone: pci_alloc_irq_vectors(),
 * dma_alloc_coherent(). So it works where a device's address of a page is not the kernel's, as in a
 * PV domain of Xen's. All of it happens at insmod: `rounds` transfers each way, with interrupts of
 * the kind `irq` (0 MSI-X, 1 MSI, 2 INTx), then with `stray` two to where nothing is mapped. The
 * probe fails on purpose, so that the next insmod finds the device free.
 * From: tests/judges/xen_init        To: lab/bochs/plugin/device.cc (the device it drives)
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>

#define ID          0x00
#define IRQ_CAUSES  0x24
#define IRQ_ACK     0x64
#define DMA_SOURCE  0x80
#define DMA_TARGET  0x88
#define DMA_COUNT   0x90
#define DMA_COMMAND 0x98
#define REFUSED     0x114
#define BUFFER      0x40000

enum { RUN = 1, TO_MEMORY = 2, IRQ = 4 };

#define BYTES       2048
#define PAGE        4096
#define STRAY_BYTES 64
#define STRAY       0x3000000000ull /* above all memory */

static int irq, rounds = 100, stray;
module_param(irq, int, 0);
module_param(rounds, int, 0);
module_param(stray, int, 0);

static void __iomem *bar;
static atomic_t taken;

static irqreturn_t handler(int number, void *device)
{
    u32 causes = readl(bar + IRQ_CAUSES);
    (void)number, (void)device;
    if (!causes)
        return IRQ_NONE;
    writel(causes, bar + IRQ_ACK);
    atomic_inc(&taken);
    return IRQ_HANDLED;
}

/* Interrupts that came of it. */
static int transfer(u64 source, u64 target, u32 bytes, u32 command)
{
    int before = atomic_read(&taken);
    writeq(source, bar + DMA_SOURCE);
    writeq(target, bar + DMA_TARGET);
    writeq(bytes, bar + DMA_COUNT);
    writeq(command | RUN, bar + DMA_COMMAND);
    for (int i = 0; i < 2000 && (command & IRQ) && atomic_read(&taken) == before; i++)
        usleep_range(20, 50);
    return atomic_read(&taken) - before;
}

static void there_and_back(u8 *memory, dma_addr_t at)
{
    int wrong = 0, lost = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < BYTES; i++)
            memory[i] = i * 7 + round;
        memset(memory + PAGE, 0, BYTES);
        lost += transfer(at, BUFFER, BYTES, IRQ) != 1;
        lost += transfer(BUFFER, at + PAGE, BYTES, IRQ | TO_MEMORY) != 1;
        wrong += memcmp(memory, memory + PAGE, BYTES) != 0;
    }
    pr_info("labdev: irq=%d rounds=%d wrong=%d lost=%d interrupts=%d\n", irq, rounds, wrong, lost,
            atomic_read(&taken));
}

static void go_astray(void)
{
    u32 before = readl(bar + REFUSED);
    transfer(STRAY, BUFFER, STRAY_BYTES, 0);
    mdelay(5);
    transfer(BUFFER, STRAY, STRAY_BYTES, TO_MEMORY);
    mdelay(5);
    pr_info("labdev: stray refused=%u\n", readl(bar + REFUSED) - before);
}

static int probe(struct pci_dev *device, const struct pci_device_id *id)
{
    static const int kinds[] = {PCI_IRQ_MSIX, PCI_IRQ_MSI, PCI_IRQ_LEGACY};
    dma_addr_t at;
    u8 *memory;
    int vectors, error = 0;
    (void)id;
    if (irq < 0 || irq > 2 || pcim_enable_device(device) || !(bar = pcim_iomap(device, 0, 0)))
        return -EIO;
    pci_set_master(device);
    if (dma_set_mask_and_coherent(&device->dev, DMA_BIT_MASK(64)))
        return -EIO;
    vectors = pci_alloc_irq_vectors(device, 1, irq == 2 ? 1 : 4, kinds[irq]);
    if (vectors < 1)
        return -EIO;
    for (int i = 0; i < vectors; i++)
        error |= request_irq(pci_irq_vector(device, i), handler, irq == 2 ? IRQF_SHARED : 0,
                             "labdev", device);
    memory = dma_alloc_coherent(&device->dev, 2 * PAGE, &at, GFP_KERNEL);
    if (error || !memory) {
        pr_err("labdev: error=%d memory=%d\n", error, !!memory);
        return -EIO;
    }
    pr_info("labdev: id=%08x vectors=%d\n", readl(bar + ID), vectors);
    there_and_back(memory, at);
    if (stray)
        go_astray();
    for (int i = 0; i < vectors; i++)
        free_irq(pci_irq_vector(device, i), device);
    pci_free_irq_vectors(device);
    dma_free_coherent(&device->dev, 2 * PAGE, memory, at);
    return -ENODEV;
}

static const struct pci_device_id ids[] = {{PCI_DEVICE(0x1234, 0x11e8)}, {}};
static struct pci_driver labdev = {.name = "labdev", .id_table = ids, .probe = probe};
module_pci_driver(labdev);
MODULE_LICENSE("GPL"); /* the only name by which Linux lets a module call these functions */
