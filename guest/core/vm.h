/* SPDX-License-Identifier: MIT */
/*
 * A VM: what it consists of, and the changes of its state that every room of guest/ may ask for. Above each
 * group of members stands the file that writes it.
 * From: every file of guest/, monitor/.
 * To: guest/core/vm.c (state), guest/core/memory.h (its RAM), guest/core/bus.h (who owns an access).
 */
#pragma once
#include "arch/spinlock.h"
#include "arch/trace.h"
#include "guest/core/bus.h"
#include "guest/core/config.h"
#include "vmx/upcalls.h"

#define VM_MAX           16
#define VM_VCPU_MAX      8

/* The guest-physical map of every VM. RAM from 0; what exceeds VM_LOW_RAM_MAX goes on at 4 GiB. */
#define VM_LOW_RAM_MAX   UINT64_C(0xc0000000)
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

struct assignment; /* guest/assign/assign.h: one per function that was handed over */
struct vtd_domain; /* vtd/vtd.h */

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

/* A block of RAM: guest-physical [at, at + size) is host memory from `to` on. size 0: there is none. */
struct vm_ram {
    uint64_t at;
    hpa_t to;
    uint64_t size;
};
#define VM_RAM_COUNT 2

struct vm {
    /* guest/life/create.c */
    char name[16];
    unsigned index;
    struct ept *ept;
    struct bitmaps *bitmaps;
    struct vtd_domain *domain; /* the second stage: what devices see of it; NULL without VT-d */
    unsigned vcpu_count;
    struct vcpu *vcpus[VM_VCPU_MAX];
    struct vm_config config;
    /* guest/life/kernel.c: how it is started, by its kernel's loader */
    struct {
        const char *format;
        enum vcpu_mode mode;
        uint64_t rip, rsp, cr3, rax, rbx, rsi, rdi;
    } start;

    /* guest/core/memory.c, guest/core/identity.c */
    struct vm_ram ram[VM_RAM_COUNT];
    uint64_t ram_size; /* of both */

    /* guest/core/vm.c, guest/life/ */
    enum vm_state state;
    bool reset_wanted; /* as soon as it is still */
    /* guest/core/vm.c */
    /* How it ended: VM_EXIT_..., or what was written to port 0xF4 (value << 1 | 1), and in words. */
    unsigned exit_status;
    char why[112];

    /* guest/pc/, guest/assign/vpci.c: each its own device */
    struct spinlock lock; /* of the virtual devices: held while one of them is asked */
    struct vm_bus pio, mmio;
    struct vlapic *apics[VM_VCPU_MAX];
    uint8_t rtc_index; /* which register of the clock port 0x71 is */
    struct vuart *uart;
    struct vioapic *ioapic;
    struct vpci *pci;
    struct vm_access accesses[VM_ACCESS_MAX]; /* the last ones; number n at n % VM_ACCESS_MAX */
    uint64_t access_count;

    /* guest/assign/ */
    struct assignment *assignments;
    uint64_t fault_count; /* of its devices */
    uint64_t irq_count;   /* interrupts of its devices that came through Hamlet */

    /* guest/assign/dma.c: devices that go untranslated */
    struct vtd_domain *untranslated; /* NULL until the first */
    uint16_t *pins;                  /* dma=pv: by page of RAM, how often it is pinned; or NULL */
    uint64_t pinned_count;           /* pages with any pin */

    /* guest/life/run.c */
    uint64_t deadline; /* TSC at which timeout= ends it; 0: none */
    bool dumped;       /* its registers were printed where it crashed */

    /* guest/life/kills.c, guest/life/run.c */
    struct {
        unsigned left, done, lost;
        uint64_t at; /* TSC of the next */
        struct vm_census first;
    } kills;

    /* guest/life/step.c, guest/life/run.c: run=N */
    uint64_t steps_left, step_tsc; /* step_tsc: when the first was begun */
    uint64_t step_rax, step_rip, step_ticks;

    /* arch/log.c */
    int log_budget; /* lines that this guest may still cause */
};

#define VM_PAGES (ALIGN_UP(sizeof(struct vm), PAGE_SIZE) / PAGE_SIZE)

/* --- Which there are ------------------------------------------------------------------------------ */

size_t vm_count(void);
struct vm *vm_get(size_t n);
struct vm *vm_find(const char *name); /* NULL: there is none */
void vm_list_add(struct vm *vm);      /* at most VM_MAX; the bootstrap processor only */
struct vm *vm_list_take(void);        /* the last one; NULL: none is left */

/* --- Its state ------------------------------------------------------------------------------------ */

/* End the VM, from an exit handler of one of its vCPUs or from vm_run_all(); the first call counts. The
 * handler then returns STOP_VM; the report comes when all vCPUs have left their CPUs. */
void vm_end(struct vm *vm, unsigned exit_status);
/* The same with VM_EXIT_CRASH and a reason in words. */
void vm_fail(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline bool vm_is_ending(const struct vm *vm) { return vm->state >= VM_ENDING; }

/* Each returns at once; the vCPUs follow within a time slice. -EBUSY: not in a state for that. */
MUST_CHECK int vm_pause(struct vm *vm);
/* As a PC after its reset button, as soon as its vCPUs are still (guest/life/control.c carries it out). */
MUST_CHECK int vm_reset(struct vm *vm);
bool vcpu_is_active(const struct vcpu *v); /* it is on a CPU, waits for one, or sleeps in HLT */
bool vm_is_still(const struct vm *vm);     /* no vCPU of it is active */
/* Ask every active vCPU to stop. One that is started meanwhile is asked the next time: vm_follow_up(). */
void vm_ask_to_stop(struct vm *vm);
/* `from` -> `to`; false: it is in another state. */
bool vm_become(struct vm *vm, enum vm_state from, enum vm_state to);

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
