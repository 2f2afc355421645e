/* SPDX-License-Identifier: MIT */
/*
 * A user-space driver of the lab device in a Linux that is a guest: by sysfs alone. The device
 * gets our own guest-physical addresses; that they are right is Hamlet's and the remapping
 * unit's work. Its MSI is set to the one vector that Linux only counts: the notification of KVM,
 * "PIN" in /proc/interrupts.
 * From: tests/cases/test_linux.py      To: lab/bochs/plugin/device.cc (the device it drives)
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE     4096
#define BYTES    2048
#define BAR_SIZE 0x100000
#define VECTOR   0xf2    /* POSTED_INTR_VECTOR of Linux */
#define BUFFER   0x40000 /* in BAR 0, as in QEMU's edu */

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

static int open_file(const char *device, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
    int fd = open(path, O_RDWR);
    must(fd >= 0, path);
    return fd;
}

static volatile uint32_t *map_bar(const char *device)
{
    int fd = open_file(device, "resource0");
    void *at = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(at != MAP_FAILED, "mmap of the BAR");
    return at;
}

static uint32_t config_read(int config, unsigned at, unsigned width)
{
    uint32_t value = 0;
    must(pread(config, &value, width, at) == width, "config read");
    return value;
}

static void config_write(int config, unsigned at, unsigned width, uint32_t value)
{
    must(pwrite(config, &value, width, at) == width, "config write");
}

/* Memory and bus-master; and MSI, one message. */
static void enable(int config)
{
    unsigned cap = config_read(config, 0x34, 1);
    config_write(config, 4, 2, config_read(config, 4, 2) | 6);
    while (cap && config_read(config, cap, 1) != 5)
        cap = config_read(config, cap + 1, 1);
    must(cap, "MSI capability");
    uint32_t control = config_read(config, cap + 2, 2);
    config_write(config, cap + 4, 4, 0xfee00000);
    config_write(config, cap + (control & 0x80 ? 12 : 8), 2, VECTOR);
    config_write(config, cap + 2, 2, (control & ~0x70u) | 1);
}

static unsigned long interrupts(void)
{
    char line[256];
    unsigned long n = 0, sum = 0;
    FILE *f = fopen("/proc/interrupts", "r");
    must(f != NULL, "/proc/interrupts");
    while (fgets(line, sizeof(line), f))
        if (strstr(line, "PIN:"))
            for (char *at = strchr(line, ':') + 1; sscanf(at, "%lu", &n) == 1; sum += n)
                at += strspn(at, " ") + strspn(at + strspn(at, " "), "0123456789");
    fclose(f);
    return sum;
}

/* The guest-physical address of a page of ours that stays where it is. */
static uint64_t physical(void *page)
{
    uint64_t entry;
    int map = open("/proc/self/pagemap", O_RDONLY);
    must(map >= 0, "pagemap");
    must(pread(map, &entry, 8, (uintptr_t)page / PAGE * 8) == 8, "pagemap entry");
    close(map);
    must(entry >> 63, "page present");
    return (entry & ((1ull << 55) - 1)) * PAGE;
}

static uint8_t *locked_page(void)
{
    uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
    must(page != MAP_FAILED, "memory");
    return page;
}

/* One transfer: to its end, and to its interrupt. */
static void transfer(volatile uint32_t *bar, uint64_t source, uint64_t target, uint32_t command)
{
    unsigned long before = interrupts();
    *(volatile uint64_t *)(bar + DMA_SOURCE / 4) = source;
    *(volatile uint64_t *)(bar + DMA_TARGET / 4) = target;
    *(volatile uint64_t *)(bar + DMA_COUNT / 4) = BYTES;
    *(volatile uint64_t *)(bar + DMA_COMMAND / 4) = command | RUN | IRQ;
    for (unsigned patience = 0; bar[DMA_COMMAND / 4] & RUN; patience++)
        must(patience < 1000000, "the transfer does not end");
    bar[IRQ_ACK / 4] = 0x100;
    for (unsigned patience = 0; interrupts() == before; patience++)
        must(patience < 10000, "its interrupt does not come");
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 100;
    must(argc > 1, "usage: linux_device 0000:00:01.0 [rounds]");
    volatile uint32_t *bar = map_bar(argv[1]);
    uint8_t *from = locked_page(), *to = locked_page();
    uint64_t from_at = physical(from), to_at = physical(to);
    enable(open_file(argv[1], "config"));
    unsigned long before = interrupts();
    printf("device: id=%08x\n", bar[ID / 4]);
    for (int round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < BYTES; i++)
            from[i] = (uint8_t)(i * 7 + round);
        memset(to, 0, BYTES);
        transfer(bar, from_at, BUFFER, 0);
        transfer(bar, BUFFER, to_at, TO_MEMORY);
        must(!memcmp(from, to, BYTES), "data differ");
    }
    printf("device: moved %d bytes in %d transfers, %lu interrupts\n", 2 * rounds * BYTES,
           2 * rounds, interrupts() - before);
    return 0;
}
