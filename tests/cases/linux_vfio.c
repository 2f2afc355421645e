/* SPDX-License-Identifier: MIT */
/*
 * A user-space driver for the lab device, by way of Linux' vfio-pci: moves data with its DMA engine
 * and takes an MSI-X by eventfd. Linux has set up the remapping unit; nothing in here knows of it.
 * From: tests/cases/test_lab_linux.py      To: lab/bochs/plugin/device.cc (the device it drives)
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICE   "0000:00:02.0"
#define IOVA     0x10000000ull /* where the device shall see our memory */
#define SIZE     0x200000
#define BYTES    2048
#define VECTORS  4
#define BUFFER   0x40000 /* in BAR 0, as in QEMU's edu */
#define DMA_DONE 1       /* MSI-X vector */

enum {
    ID = 0x00,
    IRQ_ACK = 0x64,
    DMA_SOURCE = 0x80,
    DMA_TARGET = 0x88,
    DMA_COUNT = 0x90,
    DMA_COMMAND = 0x98
};
enum { RUN = 1, TO_MEMORY = 2, IRQ = 4 };

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static int open_container(int *device)
{
    char link[256], path[64];
    int container = open("/dev/vfio/vfio", O_RDWR);
    must(container >= 0, "container");
    ssize_t n = readlink("/sys/bus/pci/devices/" DEVICE "/iommu_group", link, sizeof(link) - 1);
    must(n > 0, "iommu_group");
    link[n] = 0;
    snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
    int group = open(path, O_RDWR);
    must(group >= 0, path);
    must(!ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), "VFIO_GROUP_SET_CONTAINER");
    must(!ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "VFIO_SET_IOMMU");
    *device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, DEVICE);
    must(*device >= 0, "VFIO_GROUP_GET_DEVICE_FD");
    return container;
}

static void enable_bus_master(int device)
{
    struct vfio_region_info config = {.argsz = sizeof(config),
                                      .index = VFIO_PCI_CONFIG_REGION_INDEX};
    uint16_t command;
    must(!ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config), "config region");
    must(pread(device, &command, 2, config.offset + 4) == 2, "command");
    command |= 6;
    must(pwrite(device, &command, 2, config.offset + 4) == 2, "bus master");
}

static volatile uint32_t *map_bar(int device, unsigned index)
{
    struct vfio_region_info bar = {.argsz = sizeof(bar), .index = index};
    must(!ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar), "BAR region");
    void *at = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar.offset);
    must(at != MAP_FAILED, "mmap of the BAR");
    return at;
}

static void take_interrupts(int device, int *events)
{
    struct {
        struct vfio_irq_set head;
        int32_t fd[VECTORS];
    } set = {{sizeof(set), VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
              VFIO_PCI_MSIX_IRQ_INDEX, 0, VECTORS},
             {0}};
    for (int i = 0; i < VECTORS; i++)
        set.fd[i] = events[i] = eventfd(0, 0);
    must(!ioctl(device, VFIO_DEVICE_SET_IRQS, &set), "VFIO_DEVICE_SET_IRQS");
}

/* One transfer; returns after its interrupt has come. */
static void transfer(volatile uint32_t *bar, int event, uint64_t source, uint64_t target,
                     uint32_t command)
{
    struct pollfd wait = {event, POLLIN, 0};
    uint64_t count;
    *(volatile uint64_t *)(bar + DMA_SOURCE / 4) = source;
    *(volatile uint64_t *)(bar + DMA_TARGET / 4) = target;
    *(volatile uint64_t *)(bar + DMA_COUNT / 4) = BYTES;
    *(volatile uint64_t *)(bar + DMA_COMMAND / 4) = command | RUN | IRQ;
    must(poll(&wait, 1, 5000) == 1, "no interrupt");
    must(read(event, &count, 8) == 8 && count == 1, "eventfd");
    bar[IRQ_ACK / 4] = 0x100;
}

static void map_memory(int container, void *memory, uint64_t iova)
{
    struct vfio_iommu_type1_dma_map map = {sizeof(map),
                                           VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
                                           (uintptr_t)memory, iova, SIZE};
    must(!ioctl(container, VFIO_IOMMU_MAP_DMA, &map), "VFIO_IOMMU_MAP_DMA");
}

static void unmap_memory(int container, uint64_t iova)
{
    struct vfio_iommu_type1_dma_unmap unmap = {sizeof(unmap), 0, iova, SIZE};
    must(!ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap), "VFIO_IOMMU_UNMAP_DMA");
}

int main(void)
{
    int device, events[VECTORS], container = open_container(&device);
    volatile uint32_t *bar = map_bar(device, VFIO_PCI_BAR0_REGION_INDEX);
    uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "memory");
    enable_bus_master(device);
    take_interrupts(device, events);
    printf("vfio: id=%08x\n", bar[ID / 4]);
    for (unsigned round = 0; round < 8; round++) {
        uint64_t iova = IOVA + (round & 1) * 0x40000000ull;
        map_memory(container, memory, iova);
        for (unsigned i = 0; i < BYTES; i++)
            memory[0x1800 + i] = (uint8_t)(i * 7 + round);
        memset(memory + 0x100800, 0, BYTES);
        transfer(bar, events[DMA_DONE], iova + 0x1800, BUFFER, 0);
        transfer(bar, events[DMA_DONE], BUFFER, iova + 0x100800, TO_MEMORY);
        must(!memcmp(memory + 0x1800, memory + 0x100800, BYTES), "data differ");
        unmap_memory(container, iova);
    }
    printf("vfio: moved %d bytes in 16 transfers, 16 interrupts\n", 16 * BYTES);
    return 0;
}
