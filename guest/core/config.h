/* SPDX-License-Identifier: MIT */
/*
 * What the user wrote about a VM on GRUB's module lines, as a struct; guest/life/config.h is the
 * parser. The keys are documented in README.md and must keep their names and meaning.
 *   module2 /boot/alpha.elf vm=alpha mem=64M vcpus=1 pci=00:04.0,plan=D,bar=lazy cmdline="a b"
 *   module2 /boot/initrd    vm=alpha initrd cmdline="its string"
 *   module2 /boot/dmar.bin  acpi
 * From: every room of guest/, monitor/.   To: guest/core/config.c.
 */
#pragma once
#include "arch/boot_info.h"

#define CONFIG_DEVICE_MAX 31 /* the slots of its PCI bus, less the host bridge */
#define CONFIG_NAME_MAX   15
#define CONFIG_FILE_MAX   8
#define CONFIG_STRING_MAX 127
#define CONFIG_VCPU_MAX   8

enum plan {
    PLAN_FORWARD, /* A: each access to a BAR is trapped and forwarded */
    PLAN_INJECT,  /* B: BARs are direct, interrupts are injected */
    PLAN_POST_SW, /* C: interrupts are posted by Hamlet */
    PLAN_POST_HW, /* D: interrupts are posted by VT-d, where it can */
};
enum bar_mapping { BAR_EAGER, BAR_LAZY };
enum dma_mode { DMA_VTD, DMA_PV, DMA_IDENTITY };
enum legacy_mode { LEGACY_AUTO, LEGACY_ON, LEGACY_OFF };
enum irq_mode { IRQ_POST, IRQ_REMAP, IRQ_INJECT };

/* Reasons not to assign a device that the user may waive, each by its name. */
enum unsafe {
    UNSAFE_NO_RESET,
    UNSAFE_GROUP,
    UNSAFE_RMRR,
    UNSAFE_CONSOLE,
    UNSAFE_VFS,
    UNSAFE_HIDDEN,
    UNSAFE_RESERVED,
    UNSAFE_COUNT
};
/* Indexed by enum unsafe and enum dma_mode; NULL behind the last. */
extern const char *const unsafe_names[], *const dma_mode_names[];

struct device_config {
    bool by_id; /* vendor:device#nth instead of a bdf */
    bdf_t bdf;
    uint16_t vendor, device;
    unsigned nth;
    enum plan plan;
    enum bar_mapping bar;
    enum dma_mode dma;
    enum irq_mode irq;
    bool rom;
    unsigned intx;   /* input of the I/O APICs that its line ends at; 0: as Interrupt Line says */
    unsigned unsafe; /* bits by enum unsafe; unsafe=no-reset may stand several times */
};

/* A module beside the kernel, and the string that it has for a Multiboot kernel. */
struct file_config {
    const struct boot_module *module;
    char string[CONFIG_STRING_MAX + 1];
};

struct vm_config {
    char name[CONFIG_NAME_MAX + 1];
    const struct boot_module *kernel;
    struct file_config files[CONFIG_FILE_MAX]; /* in the order of their lines */
    unsigned file_count;
    char cmdline[512];
    uint64_t mem; /* bytes, a multiple of 2 MiB */
    unsigned vcpus;
    enum legacy_mode legacy;        /* chips of a PC before ACPI: guest/pc/legacy/ */
    uint16_t pins[CONFIG_VCPU_MAX]; /* indices of CPUs: of each vCPU; one alone: of all */
    unsigned pin_count;             /* 0: they may run anywhere */
    /* run=N: only the first instruction, N times (guest/life/step.c); 0: no limit */
    unsigned run;
    unsigned kills;   /* kills=N: kill and restart the VM N times (guest/life/kills.c) */
    unsigned timeout; /* timeout=N: stop the VM after N seconds; 0: never */
    bool reveal;      /* reveal=on: it may ask for addresses of the host (guest/life/hypercall.c) */
    size_t module;    /* index of the kernel's module, for messages */
    struct device_config devices[CONFIG_DEVICE_MAX];
    unsigned device_count;
    char why[112]; /* it is not started: the first reason */
};

/* The CPU of the VM's n-th vCPU; -1: any. */
int config_pin(const struct vm_config *vm, unsigned n);
