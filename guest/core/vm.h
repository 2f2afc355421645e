/* SPDX-License-Identifier: MIT */
/*
 * A VM: its parts, and the changes of its state that every room of guest/ may ask for. Above each
 * group of members stands the file that writes it.
 * From: every file of guest/, monitor/.
 * To: guest/core/vm.c (state), guest/core/memory.h (its RAM), guest/core/bus.h (owners of
 * ports and addresses).
 */
#pragma once
#include "arch/spinlock.h"
#include "arch/trace.h"
#include "guest/core/bus.h"
#include "guest/core/config.h"
#include "vmx/upcalls.h"

#define VM_MAX           16
#define VM_VCPU_MAX      CONFIG_VCPU_MAX

/* The guest-physical map of every VM. RAM from 0; what exceeds VM_LOW_RAM_MAX goes on at 4 GiB. */
#define VM_LOW_RAM_MAX   UINT64_C(0xc0000000)
#define VM_ECAM_BASE     UINT64_C(0xc0000000) /* 256 buses */
#define VM_ECAM_SIZE     UINT64_C(0x10000000)
#define VM_MMIO_BASE     UINT64_C(0xd0000000) /* 32-bit BARs */
#define VM_MMIO_END      UINT64_C(0xfec00000)
#define VM_IOAPIC_BASE   UINT64_C(0xfec00000)
#define VM_APIC_BASE     UINT64_C(0xfee00000)
/* 64-bit prefetchable BARs: 256 GiB from here on, or from the next multiple above RAM. Without more
 * RAM they end at 2^39, which the CPUs of PCs can address. */
#define VM_MMIO64_BASE   UINT64_C(0x4000000000)
#define VM_MMIO64_SIZE   UINT64_C(0x4000000000)

/* Exit status of other ends than port 0xF4, which gives odd ones. Success: 0, or 1 (value 0): the
 * guest has said so itself. */
#define VM_EXIT_SHUTDOWN 0
#define VM_EXIT_HALTED   252
#define VM_EXIT_CRASH    254

struct fetch_last; /* guest/pc/fetch.c */
struct legacy;     /* guest/pc/legacy/chips.h */
struct irq_route;  /* guest/assign/irq.h */
struct assignment; /* guest/assign/assign.h: one per function that was handed over */
struct vtd_domain; /* vtd/vtd.h */

enum vm_state {
    VM_NEW,
    VM_RUNNING,
    VM_PAUSED,
    VM_ENDING, /* its end is decided; its vCPUs are about to leave their CPUs */
    VM_ENDED,  /* reported; memory and devices are free again, struct vm stays for the report */
};

/* An access to configuration space or trapped MMIO. The report of a crash lists the last ones. */
struct vm_access {
    uint64_t at, value; /* at: address; or source-id 31:16, register 15:0 */
    bool config, write;
    uint8_t width, vcpu;
};
#define VM_ACCESS_MAX 8

/* Resources that VMs take and return, counted to find leaks (guest/life/kills.c). */
struct vm_census {
    size_t pages;
    unsigned irtes, domains, vectors, vpids, vcpus;
    unsigned vms; /* that have not ended; two counts of different VMs cannot be compared */
};

/* A block of RAM: guest-physical [at, at + size) is host memory from `to` on. size 0: no block. */
struct vm_ram {
    uint64_t at;
    hpa_t to;
    uint64_t size;
};
#define VM_RAM_COUNT      2
#define VM_RESERVED_COUNT 8

/* How the first vCPU starts the kernel. */
struct vm_start {
    const char *format; /* of the kernel's file, for messages */
    enum vcpu_mode mode;
    uint64_t rip, rsp, cr3, rax, rbx, rsi, rdi; /* the rest is as after a reset */
};

/* What became of a typed byte: nothing here takes keys, no room now, taken. */
enum vm_keys { VM_KEYS_NONE, VM_KEYS_FULL, VM_KEYS_TAKEN };

/* How devices that not every VM has are wired to those that it has; NULL: they are not there. */
struct vm_wires {
    /* a line of pins 0 to 15 of the I/O APIC; requires vm->lock, or a VM that is still */
    void (*line)(struct vm *vm, unsigned pin, bool asserted);
    uint8_t (*acknowledge)(struct vm *vm); /* the vector behind LINT0 of the first local APIC */
    enum vm_keys (*keys)(struct vm *vm, int byte); /* a typed byte; -1: only ask */
    void (*unclaimed)(struct vm *vm, uint16_t port, uint32_t value); /* an OUT without a device */
};

struct vm {
    /* guest/life/create.c */
    char name[16];
    unsigned index;
    struct ept *ept;
    struct bitmaps *bitmaps;
    struct vtd_domain *domain; /* the second stage: what its devices see; NULL without VT-d */
    unsigned vcpu_count;
    struct vcpu *vcpus[VM_VCPU_MAX];
    struct vm_config config;
    /* guest/life/kernel.c */
    struct vm_start start; /* as the loader of its kernel left it */

    /* guest/core/memory.c, guest/core/identity.c */
    struct vm_ram ram[VM_RAM_COUNT];
    uint64_t ram_size; /* of both */
    /* guest/core/reserved.c: what the firmware reserves for its devices; `at` is the address of
     * the host, too */
    struct vm_ram reserved[VM_RESERVED_COUNT];

    /* guest/core/vm.c, guest/life/ */
    enum vm_state state;
    bool reset_wanted; /* carried out when all its vCPUs are still */
    /* guest/life/clock.c: the VM's time */
    uint64_t clock;    /* its time less the TSC of the host, while it runs */
    uint64_t still_at; /* its time while it stands; 0: it runs */
    /* guest/core/vm.c */
    /* How it ended: VM_EXIT_..., or by port 0xF4 (value << 1 | 1); and the reason in words. */
    unsigned exit_status;
    char why[112];

    /* guest/pc/, guest/assign/vpci.c: each its own device */
    struct spinlock lock; /* of the virtual devices and the buses: held during an access to them */
    struct vm_bus pio, mmio;
    struct vlapic *apics[VM_VCPU_MAX];
    uint8_t rtc_index; /* which register of the clock port 0x71 is */
    struct vuart *uart;
    struct vioapic *ioapic;
    struct vpci *pci;
    struct legacy *legacy;
    struct vm_wires wires;
    struct fetch_last *fetches;               /* guest/pc/fetch.c: by vCPU */
    struct vm_access accesses[VM_ACCESS_MAX]; /* a ring: access n is at n % VM_ACCESS_MAX */
    uint64_t access_count;

    /* guest/pc/delivery.c */
    void *ones;     /* the page that it lends, or NULL */
    unsigned loans; /* so far */

    /* guest/assign/ */
    struct assignment *assignments;
    uint64_t fault_count;   /* of its devices */
    uint64_t irq_count;     /* interrupts of its devices that came through Hamlet */
    struct irq_route *held; /* those that sent too many, until the next tick; vm->lock */

    /* guest/assign/dma.c: devices that go untranslated */
    struct vtd_domain *untranslated; /* NULL until the first */
    uint16_t *pins;                  /* dma=pv: by page of RAM, how often it is pinned; or NULL */
    uint64_t pinned_count;           /* pages with any pin */

    /* guest/life/run.c, guest/core/vm.c */
    uint64_t deadline; /* TSC at which timeout= ends it; 0: none */
    bool dumped;       /* its registers were printed where it crashed */

    /* guest/life/kills.c, guest/life/run.c */
    struct {
        unsigned left, done, lost;
        uint64_t at; /* TSC of the next */
        struct vm_census first;
    } kills;

    /* guest/life/step.c: run=N */
    uint64_t steps_left, step_tsc; /* step_tsc: when the first had ended */
    uint64_t step_rax, step_rip, step_ticks;

    /* arch/log.c */
    int log_budget; /* lines that this guest may still cause */
};

#define VM_PAGES (ALIGN_UP(sizeof(struct vm), PAGE_SIZE) / PAGE_SIZE)

/* --- The list of VMs -------------------------------------------------------------------------- */

size_t vm_count(void);
struct vm *vm_get(size_t n); /* in the order of creation, n is vm->index; NULL: no more */
/* To visit each: the one behind `before`; NULL gives the first, and NULL ends the round. */
struct vm *vm_next(const struct vm *before);
struct vcpu *vm_next_vcpu(const struct vm *vm, const struct vcpu *before);
struct vm *vm_find(const char *name); /* NULL: there is none */
void vm_list_add(struct vm *vm);      /* at most VM_MAX; the bootstrap processor only */
struct vm *vm_list_take(void);        /* remove the last one; NULL: the list is empty */

/* --- The state of a VM ------------------------------------------------------------------------ */

/* End the VM, from an exit handler of one of its vCPUs or from vm_run_all(); the first call counts.
 * The handler then returns STOP_VM. The report follows when all vCPUs have left their CPUs. */
void vm_end(struct vm *vm, unsigned exit_status);
/* The same with VM_EXIT_CRASH and a reason in words. */
void vm_fail(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, not by the guest: the report leaves out its registers, which tell nothing about it. */
void vm_fail_from_outside(struct vm *vm, const char *why);
static inline bool vm_is_ending(const struct vm *vm) { return vm->state >= VM_ENDING; }
static inline bool vm_is_up(const struct vm *vm)
{
    return vm->state == VM_RUNNING || vm->state == VM_PAUSED;
}

/* Each returns at once; the vCPUs follow within a time slice. -EBUSY: not in a state for that. */
MUST_CHECK int vm_pause(struct vm *vm);
/* Like the reset button of a PC. guest/life/control.c does the reset when all vCPUs are still. */
MUST_CHECK int vm_reset(struct vm *vm);
bool vcpu_is_active(const struct vcpu *v); /* on a CPU, waiting for one, or asleep in HLT */
bool vm_is_still(const struct vm *vm);     /* none of its vCPUs is active */
/* Ask every active vCPU to stop. vm_follow_up() asks again, for vCPUs that start meanwhile. */
void vm_ask_to_stop(struct vm *vm);
/* `from` -> `to`, atomically; false: the VM is in another state. */
bool vm_become(struct vm *vm, enum vm_state from, enum vm_state to);

/* Calls up into the monitor, which registers them at boot. All may be NULL. */
struct vm_hooks {
    /* Between two turns of the scheduler on the bootstrap processor. ended: all VMs have; true: go
     * on all the same. */
    bool (*poll)(bool ended);
    /* A piece of a guest's output, the end of a line or not; true: kept back, do not print it. */
    bool (*keep)(struct vm *vm, const char *text, bool line_ends);
    /* The VM is about to start; true: it starts paused, before its first instruction. */
    bool (*hold)(struct vm *vm);
    /* On the CPU of v, from its exit. True: the event is the debugger's; the VM pauses, v stops. */
    bool (*debug)(struct vcpu *v, enum debug_event event, unsigned n);
};
extern struct vm_hooks vm_hooks;

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

/* The VM's time, in ticks of the TSC: what the guest reads as its TSC, unless it has moved it. */
uint64_t vm_now(const struct vm *vm);

/* Where the window for 64-bit BARs begins. */
static inline uint64_t vm_mmio64_base(const struct vm *vm)
{
    uint64_t high = vm->ram_size - MIN(vm->ram_size, VM_LOW_RAM_MAX);
    return MAX(ALIGN_UP(BIT(32) + high, VM_MMIO64_SIZE), VM_MMIO64_BASE);
}
