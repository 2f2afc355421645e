/* SPDX-License-Identifier: MIT */
/*
 * The virtual PC: memory, vCPUs, a few virtual devices, and the physical ones that were handed over.
 * From: boot/main.c (vm_create_all, vm_run_all), monitor/.
 * To: guest/config.c (what the user asked for), load.c and load_*.c (kernels), vm.c (memory), pio.c and
 * mmio.c (who owns an access), vuart.c vlapic.c vpci.c vmsix.c (virtual devices), irq.c (a device's
 * interrupt on its way to a vCPU), assign.c (handing over a function), report.c (the ending).
 */
#pragma once
#include "arch/boot_info.h"
#include "guest/config.h"
#include "vmx/vmx.h"
#include "vtd/vtd.h"

#define VM_MAX         16
#define VM_VCPU_MAX    8
#define VM_RANGE_MAX   48

/* The guest-physical map of every VM. RAM from 0; what exceeds VM_LOW_RAM_MAX goes on at 4 GiB. */
#define VM_LOW_RAM_MAX UINT64_C(0xc0000000)
#define VM_ECAM_BASE   UINT64_C(0xc0000000) /* 256 buses */
#define VM_MMIO_BASE   UINT64_C(0xd0000000) /* 32-bit BARs */
#define VM_MMIO_END    UINT64_C(0xfec00000)
#define VM_IOAPIC_BASE UINT64_C(0xfec00000)
#define VM_APIC_BASE   UINT64_C(0xfee00000)
#define VM_MMIO64_BASE UINT64_C(0x1000000000) /* 64 GiB: 64-bit prefetchable BARs */
#define VM_MMIO64_END  UINT64_C(0x2000000000)

struct vm;
struct vcpu;

/* Who answers an access that exits. Handlers get the offset in their range. */
typedef void (*vm_read_fn)(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                           uint64_t *value);
typedef void (*vm_write_fn)(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                            uint64_t value);
struct vm_range {
    uint64_t base, size;
    const char *name;
    vm_read_fn read;
    vm_write_fn write;
    void *owner;
};
struct vm_bus { /* sorted by base; no two overlap */
    struct vm_range ranges[VM_RANGE_MAX];
    size_t count;
};
/* -EEXIST: overlaps another range; -ENOSPC; -EINVAL: empty, or wraps. */
MUST_CHECK int vm_bus_add(struct vm_bus *bus, const struct vm_range *range);
void vm_bus_remove(struct vm_bus *bus, uint64_t base); /* nothing there: nothing done */
const struct vm_range *vm_bus_find(const struct vm_bus *bus, uint64_t address); /* or NULL */

enum vm_state { VM_NEW, VM_RUNNING, VM_PAUSED, VM_ENDED };

struct assignment; /* guest/assign.h: one per function that was handed over */

struct vm {
    char name[16];
    unsigned index;
    enum vm_state state;
    struct vm_config config;

    hpa_t ram; /* one piece of host memory, aligned to 2 MiB */
    uint64_t ram_size;
    struct ept *ept;
    struct vtd_domain *domain; /* NULL until the first device */
    struct bitmaps *bitmaps;

    struct vcpu *vcpus[VM_VCPU_MAX];
    unsigned vcpu_count;

    struct vm_bus pio, mmio;
    struct vuart *uart;
    struct vlapic *apics[VM_VCPU_MAX];
    struct vpci *pci;
    struct assignment *assignments;

    /* How it ended: a value written to port 0xF4 (exit = value << 1 | 1), or a reason in words. */
    bool exited;
    unsigned exit_status;
    char why[96];
    uint64_t fault_count; /* of its devices */
    int log_budget;       /* lines that this guest may still cause (log_guest) */
};

/* Make every VM that the modules describe. One that cannot be made is logged and left out. Returns
 * how many were made. */
unsigned vm_create_all(const struct boot_info *info);
/* Run them until the last has ended. Returns how many did not end with status of success (1, or 0). */
unsigned vm_run_all(void);

size_t vm_count(void);
struct vm *vm_get(size_t n);
struct vm *vm_find(const char *name);

/* The one place where a guest-physical range becomes visible: to the CPU by EPT, and, if there is a
 * domain and `dma` is set, to the VM's devices by the second-stage table. Undone completely on failure. */
MUST_CHECK int vm_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t size, unsigned ept_perm,
                      enum ept_type type, bool dma);
/* Devices first, then the CPU: when it returns nobody reaches the range. */
void vm_unmap(struct vm *vm, gpa_t at, uint64_t size);

/* Make a domain that has the RAM as the EPT has it, for the VM's first device. */
MUST_CHECK int vm_dma_enable(struct vm *vm);

/* Guest RAM as Hamlet sees it: NULL unless [at, at + size) is RAM of this VM in one piece. */
void *vm_ram(struct vm *vm, gpa_t at, uint64_t size);

/* End the VM: its other vCPUs leave their CPUs, then its report is printed. */
void vm_end(struct vm *vm, unsigned exit_status);
void vm_fail(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
