/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a fault that vtd/ has recorded: it is counted for the VM whose device it was, and a
 * device that has too many of them in too short a time is parked. Each fault costs Hamlet an interrupt,
 * so a device that is left to fault for ever would take the machine away from everybody else.
 * From: vtd/fault.c (each record), guest/assign/assign.c.   To: pci/config.c pci_command().
 */
#define LOG "storm"
#include "guest/assign/faults.h"
#include "arch/log.h"
#include "arch/time.h"

/* Faults come by interrupt on one CPU and are polled for on others, while VMs are made and end. */
static struct {
    struct spinlock lock;
    struct assignment *first;
} watched;

static void log_fault(struct assignment *a, const struct vtd_fault *f)
{
    const char *what = f->is_interrupt ? "interrupt" : f->is_read ? "read" : "write";

    log_guest(&a->fault_budget, "vm=%s " BDF_FMT " blocked: %s %s=0x%llx (%s)", a->vm->name,
              BDF_ARG(f->source_id), what, f->is_interrupt ? "irte" : "address",
              (unsigned long long)f->address, vtd_reason_name(f->reason));
}

/* Count this fault; true: with it there are too many. */
static bool is_storm(struct assignment *a)
{
    if (a->storm_faults == 0 ||
        rdtsc() - a->storm_began > STORM_PERIOD_US * time_tsc_khz() / 1000) {
        a->storm_began = rdtsc();
        a->storm_faults = 0;
    }
    return ++a->storm_faults >= STORM_FAULTS;
}

static void park(struct assignment *a)
{
    pci_command(a->fn->bdf, 0, PCI_COMMAND_MASTER);
    a->parked = true;
    a->storm_count++;
    log_info("vm=%s " BDF_FMT " had %u faults in %lu us: parked, no bus master until it is reset",
             a->vm->name, BDF_ARG(a->fn->bdf), a->storm_faults,
             (rdtsc() - a->storm_began) * 1000 / time_tsc_khz());
}

/* A device that was left on by the firmware, and that nobody has: one fault is enough. */
static void stop_unowned(bdf_t source_id)
{
    const struct pci_function *f = pci_find(source_id);

    if (!f || f->header_type != 0 || f->owner ||
        !(pci_command(source_id, 0, PCI_COMMAND_MASTER) & PCI_COMMAND_MASTER))
        return;
    log_info(BDF_FMT " belongs to no VM and tried DMA: no bus master any more", BDF_ARG(source_id));
}

/* Behind a bridge several functions may have one source-id: then it is counted for each of them. */
static void fault_arrived(const struct vtd_fault *f)
{
    bool owned = false;

    spin_lock(&watched.lock);
    for (struct assignment *a = watched.first; a; a = a->watched_next) {
        if (a->requester != f->source_id && a->fn->bdf != f->source_id)
            continue;
        owned = true;
        a->fault_count++;
        a->last_fault = *f;
        a->vm->fault_count++;
        log_fault(a, f);
        if (!a->parked && is_storm(a))
            park(a);
    }
    spin_unlock(&watched.lock);
    if (!owned)
        stop_unowned(f->source_id);
}

void storm_watch(struct assignment *a)
{
    spin_lock(&watched.lock);
    a->watched_next = watched.first;
    watched.first = a;
    spin_unlock(&watched.lock);
}

void storm_forget(struct assignment *a)
{
    spin_lock(&watched.lock);
    struct assignment **at = &watched.first;
    while (*at && *at != a)
        at = &(*at)->watched_next;
    if (*at)
        *at = a->watched_next;
    spin_unlock(&watched.lock);
}

void storm_bus_master(struct assignment *a, bool on)
{
    spin_lock(&watched.lock);
    if (on && !a->parked)
        pci_command(a->fn->bdf, PCI_COMMAND_MASTER, 0);
    else
        pci_command(a->fn->bdf, 0, PCI_COMMAND_MASTER);
    spin_unlock(&watched.lock);
}

void storm_end(struct assignment *a)
{
    vtd_fault_poll(); /* what it did before the reset is not held against it after */
    spin_lock(&watched.lock);
    if (a->parked)
        log_info("vm=%s " BDF_FMT " was reset: returned to its VM", a->vm->name,
                 BDF_ARG(a->fn->bdf));
    a->parked = false;
    a->storm_faults = 0;
    spin_unlock(&watched.lock);
}

void storm_init(void) { vtd_fault_handler_set(fault_arrived); }
