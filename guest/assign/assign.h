/* SPDX-License-Identifier: MIT */
/*
 * Handing a physical PCI function to a VM: here pci/, vtd/ and the EPT meet.
 * A function goes through: found, allowed, reserved, reset, its domain attached, its registers shown to
 * the guest; and back: bus master and messages off, drained, registers gone, reset, detached, released.
 * From: guest/life/create.c (when a VM is made and when it ends).
 * To: guest/assign/vpci.c (config space as the guest sees it), vbar.c (BARs), vmsi.c, vmsix.c, irq.c.
 */
#pragma once
#include "guest/assign/intx.h"
#include "guest/core/vm.h"
#include "vtd/vtd.h"
#include "guest/assign/vpci.h"

struct assignment {
    struct assignment *next; /* of the same VM */
    struct vm *vm;
    struct pci_function *fn;
    struct device_config config;
    bdf_t requester; /* source-id of its DMA, where a bridge stands in for it */
    uint64_t fault_count;
    struct vtd_fault last_fault; /* meaningful if there was one */
    int fault_budget;            /* lines that its faults may still cause */

    /* guest/assign/faults.c */
    struct assignment *watched_next;
    uint64_t storm_began; /* TSC: faults are counted from here on */
    unsigned storm_faults, storm_count;
    bool parked; /* had too many faults: no bus mastering until a reset */
    bool lost;   /* did not come back from a reset: its guest starts no other */

    struct intx intx;
    struct vpci_function v; /* what the guest sees of it */
};

/* Give the VM every function that its configuration names. A function that is not there, is taken, or
 * must not be given: one line that says why, everything undone, the error. */
MUST_CHECK int assign_all(struct vm *vm);
/* The same for one function and a VM that may be running (its guest finds it by looking at its bus again).
 * -ENODEV: not there, or given already; -EPERM: refused; each logged. Bootstrap processor only. */
MUST_CHECK int assign_hot(struct vm *vm, const struct device_config *c);
/* Take one back from a VM that may be running, in the middle of whatever it does. -ENOENT: not its. */
MUST_CHECK int unassign_hot(struct vm *vm, bdf_t bdf);
/* Take everything back. When it returns no device of this VM reaches its memory or its vCPUs. */
void assign_release_all(struct vm *vm);
/* reset.c: the guest started a function level reset. */
void assign_guest_reset(struct assignment *a);
/* reset.c: reset it; a function that does not come back is lost to its guest. */
void assign_reset_in_use(struct assignment *a);
/* reset.c: while the VM runs its other functions are in use: a reset of a whole bus spares all but `except`. */
void assign_shield(struct vm *vm, const struct pci_function *except, bool on);
/* The VM begins anew: each of its functions is reset and shown as at first, at the places that the virtual
 * firmware gave it. -ENOMEM, -ENOSPC (logged). Bootstrap processor, while no vCPU of it runs. */
MUST_CHECK int assign_restart_all(struct vm *vm);
/* Once, at boot: faults of devices are told to their VMs. */
void assign_init(void);
/* Stop all bus mastering of all assigned functions at once; on a panic. */
void assign_silence(void);
/* dma.c: the domain that the function's requests belong to. */
struct vtd_domain *dma_domain(const struct assignment *a);
