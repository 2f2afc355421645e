/* SPDX-License-Identifier: MIT */
/*
 * The virtual PC: memory, vCPUs, a few virtual devices, and the physical ones that were handed over.
 * From: boot/main.c (vm_create_all, vm_run_all), monitor/.
 * To: guest/life/config.c (what the user asked for), load.c and load_*.c (kernels), vm.c (memory), pio.c and
 * mmio.c (who owns an access), vuart.c vlapic.c vpci.c vmsix.c (virtual devices), irq.c (a device's
 * interrupt on its way to a vCPU), assign.c (handing over a function), report.c (the ending).
 */
#pragma once
#include "arch/boot_info.h"
#include "guest/core/config.h"
#include "arch/spinlock.h"
#include "arch/trace.h"
#include "vmx/upcalls.h"
#include "vtd/vtd.h"

#define VM_MAX           16
#define VM_VCPU_MAX      8
#define VM_RANGE_MAX     48

/* The guest-physical map of every VM. RAM from 0; what exceeds VM_LOW_RAM_MAX goes on at 4 GiB. */
#define VM_LOW_RAM_MAX   UINT64_C(0xc0000000)
#define IDENTITY_FIRST   UINT64_C(0x1000000)  /* dma=identity: from here on GPA = HPA */
#define VM_ECAM_BASE     UINT64_C(0xc0000000) /* 256 buses */
#define VM_MMIO_BASE     UINT64_C(0xd0000000) /* 32-bit BARs */
#define VM_MMIO_END      UINT64_C(0xfec00000)
#define VM_IOAPIC_BASE   UINT64_C(0xfec00000)
#define VM_APIC_BASE     UINT64_C(0xfee00000)
#define VM_MMIO64_BASE   UINT64_C(0x1000000000) /* 64 GiB: 64-bit prefetchable BARs */
#define VM_MMIO64_END    UINT64_C(0x2000000000)

/* Exit status where port 0xF4 has no part in it; that one's are odd. Success is 1 (value 0) or 0. */
#define VM_EXIT_SHUTDOWN 0
#define VM_EXIT_CRASH    254

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
    size_t recent; /* index of the range found last: the next access is often there too */
};
/* -EEXIST: overlaps another range; -ENOSPC; -EINVAL: empty, or wraps. */
MUST_CHECK int vm_bus_add(struct vm_bus *bus, const struct vm_range *range);
void vm_bus_remove(struct vm_bus *bus, uint64_t base); /* nothing there: nothing done */
const struct vm_range *vm_bus_find(struct vm_bus *bus, uint64_t address); /* or NULL */

enum vm_state {
    VM_NEW,
    VM_RUNNING,
    VM_PAUSED,
    VM_ENDING, /* its end is decided; its vCPUs are about to leave their CPUs */
    VM_ENDED,  /* reported; memory and devices are given back, struct vm stays for the report */
};

/* One access to configuration space or to trapped MMIO: what a guest did last, for its death report. */
struct vm_access {
    uint64_t at, value; /* at: address; or source-id 31:16, register 15:0 */
    bool config, write;
    uint8_t width, vcpu;
};
#define VM_ACCESS_MAX 8

/* What VMs take and give back (guest/life/kills.c). */
struct vm_census {
    size_t pages;
    unsigned irtes, domains, vectors, vpids, vcpus;
    unsigned vms; /* that have not ended: the same ones, or there is nothing to compare */
};

struct assignment; /* guest/assign/assign.h: one per function that was handed over */

struct vm {
    char name[16];
    unsigned index;
    enum vm_state state;

    hpa_t ram; /* one piece of host memory, aligned to 2 MiB */
    uint64_t ram_size;
    struct ept *ept;
    struct bitmaps *bitmaps;
    struct vtd_domain *domain; /* NULL until the first device */

    /* guest/assign/dma.c: devices that go untranslated */
    struct vtd_domain *untranslated; /* NULL until the first */
    uint16_t *pins;                  /* dma=pv: by page of RAM, how often it is pinned; or NULL */
    uint64_t pinned_count;           /* pages with any pin */
    hpa_t low_part; /* dma=identity: GPA 0 to IDENTITY_FIRST is there; above, GPA = HPA */

    unsigned vcpu_count;
    struct vcpu *vcpus[VM_VCPU_MAX];
    struct vlapic *apics[VM_VCPU_MAX];

    struct spinlock lock; /* of the virtual devices: held while one of them is asked */
    uint8_t rtc_index;    /* which register of the clock port 0x71 is */
    struct vuart *uart;
    struct vioapic *ioapic;
    struct vpci *pci;
    struct assignment *assignments;
    struct vm_bus pio, mmio;

    struct vm_config config;

    /* How it was started: by its kernel's loader */
    struct {
        const char *format;
        enum vcpu_mode mode;
        uint64_t rip, rsp, cr3, rax, rbx, rsi, rdi;
    } start;
    struct {
        unsigned left, done, lost;
        uint64_t at; /* TSC of the next */
        struct vm_census first;
    } kills;
    uint64_t deadline; /* TSC at which timeout= ends it; 0: none */
    bool reset_wanted; /* as soon as it is still */

    /* run=N: see guest/life/step.c */
    uint64_t steps_left, step_tsc; /* step_tsc: when the first was begun */
    uint64_t step_rax, step_rip, step_ticks;

    /* How it ended: VM_EXIT_..., or what was written to port 0xF4 (value << 1 | 1), and in words. */
    unsigned exit_status;
    char why[112];
    struct vm_access accesses[VM_ACCESS_MAX]; /* the last ones; number n at n % VM_ACCESS_MAX */
    uint64_t access_count;
    bool dumped;          /* its registers were printed where it crashed */
    uint64_t fault_count; /* of its devices */
    uint64_t irq_count;   /* interrupts of its devices that came through Hamlet */
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

/* identity.c: RAM of a VM with dma=identity. -ENOMEM (logged). */
/* At boot, before memory is given out: keep what identity=SIZE asks for. */
void identity_keep(void);
bool identity_wanted(const struct vm *vm);
MUST_CHECK int identity_make_ram(struct vm *vm);
void identity_free_ram(struct vm *vm);
/* A copy of RAM in one piece for the loader, and, after that, into its place. NULL: no memory. */
void *identity_stage(const struct vm *vm);
void identity_unstage(struct vm *vm, void *stage);
/* All of RAM to zero, as at the start. */
void vm_clear_ram(struct vm *vm);

/* Guest RAM as Hamlet sees it: NULL unless [at, at + size) is RAM of this VM in one piece. */
void *vm_ram(struct vm *vm, gpa_t at, uint64_t size);

/* End the VM, from an exit handler of one of its vCPUs or from vm_run_all(); the first call counts. The
 * handler then returns STOP_VM; the report comes when all vCPUs have left their CPUs. */
void vm_end(struct vm *vm, unsigned exit_status);
/* The same with VM_EXIT_CRASH and a reason in words. */
void vm_fail(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline bool vm_is_ending(const struct vm *vm) { return vm->state >= VM_ENDING; }

/* control.c: what a person at the console does to a VM, from between two turns of the scheduler on the
 * bootstrap processor (vm_hooks.poll). Each returns at once; the vCPUs follow within a time slice.
 * -EBUSY: not in a state for that. */
MUST_CHECK int vm_pause(struct vm *vm);
MUST_CHECK int vm_resume(struct vm *vm);
/* The same for those of its vCPUs whose bit, by index, is set: the others stay where they are. */
MUST_CHECK int vm_resume_some(struct vm *vm, uint32_t vcpus);
/* As a PC after its reset button: memory and kernel as loaded, devices reset, vCPU 0 at its entry. */
MUST_CHECK int vm_reset(struct vm *vm);
bool vm_is_still(const struct vm *vm); /* no vCPU of it is on a CPU, or waits for one */
void vm_follow_up(struct vm *vm);      /* what vm_pause() and vm_reset() have left to do */
/* Look at a vCPU whose state may be in another CPU: that one gives it away for the while. */
void vm_visit(struct vcpu *v, void (*look)(struct vcpu *v, void *ctx), void *ctx);
/* Load the kernel into the VM's memory. */
MUST_CHECK int vm_load(struct vm *vm);

/* What the monitor, which nobody below it knows, wants to be told. All may be NULL. */
struct vm_hooks {
    void (*poll)(void); /* between two turns of the scheduler on the bootstrap processor */
    /* A piece of a guest's output, the end of a line or not; true: kept back, do not print it. */
    bool (*keep)(struct vm *vm, const char *text, bool line_ends);
    /* It is about to start; true: as a paused one, before its first instruction. */
    bool (*hold)(struct vm *vm);
    /* On the CPU of v, from its exit. True: the debugger's; the VM pauses, and v goes no further. */
    bool (*debug)(struct vcpu *v, enum debug_event event, unsigned n);
};
extern struct vm_hooks vm_hooks;

/* vuart.c: what is typed for a guest. vuart_type() only while there is room. */
bool vuart_has_room(const struct vm *vm);
void vuart_type(struct vm *vm, uint8_t byte);

/* The virtual devices that every VM has; each puts itself on the buses. -ENOMEM, -ENOSPC. */
MUST_CHECK int pio_create(struct vm *vm);              /* pio.c: the port that ends the VM */
MUST_CHECK int vuart_create(struct vm *vm);            /* vuart.c */
MUST_CHECK int vrtc_create(struct vm *vm);             /* vrtc.c: the time of day */
MUST_CHECK int vpower_create(struct vm *vm);           /* vpower.c: power-off and reset */
void vpower_reset_write(struct vm *vm, uint8_t value); /* port 0xCF9 */
MUST_CHECK int vlapic_create(struct vm *vm);           /* vlapic.c: one per vCPU */
void vuart_reset(struct vm *vm); /* as after power-on; what was typed and not taken is gone */
void vuart_destroy(struct vm *vm);
void vlapic_destroy(struct vm *vm);

/* One access to a bus, by width bytes; what nobody answers reads as ones, and writes are lost. True:
 * somebody was there. Takes vm->lock. */
bool vm_bus_read(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t *value);
bool vm_bus_write(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t value);

/* Keep an access, and trace it; vm->lock is held. */
static inline void vm_note_config(struct vcpu *v, bool write, unsigned width, bdf_t bdf,
                                  unsigned reg, uint64_t value)
{
    uint32_t at = (uint32_t)bdf << 16 | reg;
    v->vm->accesses[v->vm->access_count++ % VM_ACCESS_MAX] =
        (struct vm_access){at, value, true, write, (uint8_t)width, (uint8_t)v->index};
    TRACE(TRACE_CONFIG, v->trace_id, width | (write ? TRACE_WRITE : 0), at, value, 0);
}
static inline void vm_note_mmio(struct vcpu *v, bool write, unsigned width, uint64_t at,
                                uint64_t value)
{
    v->vm->accesses[v->vm->access_count++ % VM_ACCESS_MAX] =
        (struct vm_access){at, value, false, write, (uint8_t)width, (uint8_t)v->index};
    TRACE(TRACE_MMIO, v->trace_id, width | (write ? TRACE_WRITE : 0), 0, at, value);
}

/* Put v into the state in which the loader starts it. */
void vm_start_state(struct vm *vm, struct vcpu *v);

/* kills.c: decide when this life ends; is it time; the VM is gone: count. */
void kills_plan(struct vm *vm);
bool kills_due(const struct vm *vm);
void kills_count(struct vm *vm);

/* step.c */
MUST_CHECK int step_prepare(struct vm *vm);
/* report.c */
uint64_t vm_exit_count(const struct vm *vm, unsigned reason); /* of all its vCPUs */
uint64_t vm_exits(const struct vm *vm);                       /* for all reasons */
void report_vm(const struct vm *vm);
