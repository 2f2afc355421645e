/* SPDX-License-Identifier: MIT */
/*
 * Handing a physical PCI function to a VM: here pci/, vtd/ and the EPT meet.
 *   - to a VM: found, allowed, owned, reset, its domain attached, its registers shown to the guest
 *   - back: bus master and interrupts off, registers hidden, drained, reset, detached, released
 * From: guest/life/create.c (a VM is made, and given back), monitor/cmd/pci.c (while it runs).
 * To: guest/assign/assign.c, guest/assign/reset.c, guest/assign/dma.c.
 *
 * Only the bootstrap processor changes a VM's list of assignments, and only with vm->lock held. `v`
 * belongs to that lock, too; `intx` and the counts of faults have locks of their own.
 */
#pragma once
#include "guest/assign/intx.h"
#include "guest/assign/vpci.h"
#include "guest/core/vm.h"
#include "vtd/vtd.h"

struct assignment {
    struct assignment *next; /* of the same VM */
    struct vm *vm;
    struct pci_function *fn;
    struct device_config config;
    /* How it was reset last; an error of pci_reset(): that failed. */
    enum pci_reset_kind reset;
    int reset_error;
    bdf_t requester; /* source-id of its DMA: its own, or that of a bridge before it */
    uint64_t fault_count;
    struct vtd_fault last_fault; /* meaningful if fault_count is not 0 */
    int fault_budget;            /* lines that its faults may still cause */

    /* guest/assign/faults.c, under its lock */
    struct assignment *watched_next;
    uint64_t storm_began; /* TSC at which the period of storm_faults began */
    unsigned storm_faults, storm_count;
    bool parked; /* had too many faults: no bus mastering until a reset */

    /* guest/assign/reset.c */
    bool resetting; /* its guest has started a reset: until that is over no register answers */
    bool lost;      /* it did not come back from a reset; it gets no other */

    int error_budget; /* guest/assign/aer.c: lines about errors of its own */

    /* guest/assign/irq.c */
    unsigned stolen, stolen_tick; /* messages at the expense of other VMs in that tick */
    bool held_told;

    struct intx intx;
    struct vpci_function v; /* what the guest sees of it */
};

/* --- To a VM and back; on the bootstrap processor only ---------------------------------------- */

/* Once, at boot: vtd/ hands over its faults, and a panic silences all assigned functions. */
void assign_init(void);
/* Give the VM every function that its configuration names. If one cannot be given, the reason is
 * logged, the others are taken back, and the error of assign_hot() is returned. */
MUST_CHECK int assign_all(struct vm *vm);
/* Give one function to a VM that may be running; the guest finds it when it scans its bus again.
 * -ENODEV: no such function, or it has an owner; -EPERM: refused; -EIO, -ETIMEDOUT: its reset
 * failed; -ENOMEM, -ENOSPC. Each is logged. */
MUST_CHECK int assign_hot(struct vm *vm, const struct device_config *c);
/* Take one function from a VM that may be running; DMA in flight is drained. -ENOENT: it is not
 * the VM's. */
MUST_CHECK int assign_take_back(struct vm *vm, bdf_t bdf);
/* Take all functions back: then no device of the VM reaches its memory or its vCPUs. */
void assign_release_all(struct vm *vm);
/* The VM is reset: each of its functions is reset and shown as at first, at the places that vbar.c
 * gave to it then. -ENOMEM, -ENOSPC (logged). No vCPU of the VM runs. */
MUST_CHECK int assign_restart_all(struct vm *vm);
/* Switch off bus mastering and INTx of all assigned functions: a panic calls this. */
void assign_silence(void);

/* The assignment of a function; NULL: it belongs to no VM. */
static inline struct assignment *assign_of(const struct pci_function *fn)
{
    const struct vm *vm = fn->owner;
    struct assignment *a = vm ? vm->assignments : NULL;
    while (a && a->fn != fn)
        a = a->next;
    return a;
}
/* dma.c: the domain that the function's requests belong to. */
struct vtd_domain *dma_domain(const struct assignment *a);

/* --- reset.c ---------------------------------------------------------------------------------- */

/* The guest starts a function level reset, which takes some 100 ms: the device is silent at once,
 * and assign_tick() does the rest. vm->lock is held. */
void assign_guest_reset(struct assignment *a);
/* Once a tick, on the bootstrap processor: carry out the resets that were started. It pauses. */
void assign_tick(struct vm *vm);
/* Reset the function. One that does not come back is logged, and lost to its guest. It pauses. */
void assign_reset_in_use(struct assignment *a);
/* on: the other functions of a VM that runs are in use, so a reset of a whole bus spares all
 * but `except`. */
void assign_shield(struct vm *vm, const struct pci_function *except, bool on);
