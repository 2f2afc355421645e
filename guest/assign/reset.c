/* SPDX-License-Identifier: MIT */
/*
 * A reset of a function while its VM runs: the guest asked for it, or the VM is reset.
 * From: guest/assign/vpci_caps.c (function level reset), guest/life/run.c (assign_tick),
 * guest/assign/assign.c (the VM is reset).
 * To: pci/reset.c (pci_reset), guest/assign/vbar.c, vmsi.c, vmsix.c, intx.c (each as after a
 * reset), guest/assign/faults.c (a parked device is used again).
 * Spec: PCI Express Base "Function Level Reset (FLR)".
 */
#include "guest/assign/assign.h"
#include "guest/assign/faults.h"
#include "guest/assign/vmsix.h"
#define LOG "assign"
#include "arch/log.h"

void assign_shield(struct vm *vm, const struct pci_function *except, bool on)
{
    for (struct assignment *a = vm->assignments; a; a = a->next)
        a->fn->spared = on && a->fn != except && vm->state != VM_NEW;
}

void assign_reset_in_use(struct assignment *a)
{
    enum pci_reset_kind used;
    if (a->lost)
        return;
    a->lost = pci_reset(a->fn, &used) != 0;
    if (a->lost)
        log_often("vm=%s " BDF_FMT " did not come back from its reset", a->vm->name,
                  BDF_ARG(a->fn->bdf));
    else
        faults_storm_end(a);
}

/* The reset clears what the guest has set. The BARs keep their places, but are not decoded for the
 * guest. No device answers while it is reset, and a driver waits until this one does. */
void assign_guest_reset(struct assignment *a)
{
    a->resetting = true;
    faults_bus_master(a, false);
    vpci_set_shadow(&a->v, PCI_COMMAND, 2, 0);
    vbar_reset(&a->v);
    vmsi_reset(&a->v);
    vmsix_reset(&a->v);
    intx_guest_disable(a, true);
}

/* In the hardware decode is on again at the end, as for every assigned function. */
static void guest_reset_do(struct assignment *a)
{
    assign_shield(a->vm, a->fn, true);
    assign_reset_in_use(a);
    assign_shield(a->vm, a->fn, false);
    spin_lock(&a->vm->lock);
    pci_command(a->fn->bdf, pci_decode_bits(a->fn), PCI_COMMAND_MASTER);
    vmsix_reset(&a->v); /* the device's entries have their masks again */
    intx_reset(a);
    a->resetting = false;
    spin_unlock(&a->vm->lock);
}

void assign_tick(struct vm *vm)
{
    for (struct assignment *a = vm->assignments; a; a = a->next)
        if (atomic_load(&a->resetting))
            guest_reset_do(a);
}
