/* SPDX-License-Identifier: MIT */
/*
 * A fault that vtd/ has recorded is counted for the VM whose device caused it. A device that causes
 * too many of them in too short a time is parked. Each fault costs Hamlet an interrupt, so a device
 * that faults without end would take the machine away from every other VM.
 * From: vtd/fault.c (through vtd_fault_handler_set), guest/assign/assign.c,
 * guest/assign/vpci_header.c (bus mastering).   To: pci/config.c pci_command().
 */
#include "guest/assign/faults.h"
#include "arch/time.h"
#define LOG "faults"
#include "arch/log.h"

/* Faults come by interrupt on one CPU and are polled for on others, while VMs are made and end:
 * hence a lock of its own. */
static struct {
    struct spinlock lock;
    struct assignment *first;
} watched = {.lock.name = "watched functions"};

static void log_fault(struct assignment *a, const struct vtd_fault *f)
{
    const char *what = f->is_interrupt ? "interrupt" : f->is_read ? "read" : "write";
    log_guest(&a->fault_budget, "vm=%s " BDF_FMT " blocked: %s %s=0x%lx (%s)", a->vm->name,
              BDF_ARG(f->source_id), what, f->is_interrupt ? "irte" : "address", f->address,
              vtd_reason_name(f->reason));
}

/* Count this fault; true: with it there are too many in this period. */
static bool is_storm(struct assignment *a)
{
    if (a->storm_faults == 0 ||
        rdtsc() - a->storm_began > STORM_PERIOD_US * time_tsc_khz() / 1000) {
        a->storm_began = rdtsc();
        a->storm_faults = 0;
    }
    return ++a->storm_faults >= STORM_FAULTS;
}

static void park_device(struct assignment *a)
{
    pci_command(a->fn->bdf, 0, PCI_COMMAND_MASTER);
    a->parked = true;
    a->storm_count++;
    log_often("vm=%s " BDF_FMT " had %u faults in %lu us: parked, no bus master until it is reset",
              a->vm->name, BDF_ARG(a->fn->bdf), a->storm_faults,
              (rdtsc() - a->storm_began) * 1000 / time_tsc_khz());
}

/* A source that no VM owns: a device that the firmware has left on, or whatever else sends. Without
 * bus mastering a device does not come again; of one that does, no fault is recorded any more. */
static void unowned_stop(const struct vtd_fault *f)
{
    const struct pci_function *fn = pci_find(f->source_id);
    if (fn && fn->owner)
        return;
    bool stops = fn && fn->header_type == 0 &&
                 (pci_command(fn->bdf, 0, PCI_COMMAND_MASTER) & PCI_COMMAND_MASTER);
    if (stops) {
        log_often(BDF_FMT " belongs to no VM and tried DMA: no bus master any more",
                  BDF_ARG(f->source_id));
    } else if (!f->is_interrupt) {
        log_trace(BDF_FMT " tries DMA without bus master: its faults are no longer recorded",
                  BDF_ARG(f->source_id));
        vtd_fault_silence(f);
    }
}

/* Behind a bridge several functions may share a source-id: the fault counts for each of them. */
static void fault_arrived(const struct vtd_fault *f)
{
    bool owned = false, silence = false;
    spin_lock(&watched.lock);
    for (struct assignment *a = watched.first; a; a = a->watched_next) {
        if (a->requester != f->source_id && a->fn->bdf != f->source_id)
            continue;
        owned = true;
        silence |= a->parked;
        a->fault_count++;
        a->last_fault = *f;
        a->vm->fault_count++;
        log_fault(a, f);
        if (!a->parked && is_storm(a))
            park_device(a);
    }
    spin_unlock(&watched.lock);
    if (!owned)
        unowned_stop(f);
    else if (silence) /* it is no bus master, and goes on */
        vtd_fault_silence(f);
}

void faults_watch(struct assignment *a)
{
    spin_lock(&watched.lock);
    a->watched_next = watched.first;
    watched.first = a;
    spin_unlock(&watched.lock);
}

void faults_forget(struct assignment *a)
{
    spin_lock(&watched.lock);
    struct assignment **at = &watched.first;
    while (*at && *at != a)
        at = &(*at)->watched_next;
    if (*at)
        *at = a->watched_next;
    spin_unlock(&watched.lock);
}

void faults_bus_master(struct assignment *a, bool on)
{
    spin_lock(&watched.lock);
    bool master = on && !a->parked;
    pci_command(a->fn->bdf, master ? PCI_COMMAND_MASTER : 0, master ? 0 : PCI_COMMAND_MASTER);
    spin_unlock(&watched.lock);
}

void faults_storm_end(struct assignment *a)
{
    vtd_fault_poll(); /* faults from before the reset do not count after it */
    vtd_fault_listen(a->requester);
    vtd_fault_listen(a->fn->bdf);
    spin_lock(&watched.lock);
    if (a->parked)
        log_often("vm=%s " BDF_FMT " was reset: returned to its VM", a->vm->name,
                  BDF_ARG(a->fn->bdf));
    a->parked = false;
    a->storm_faults = 0;
    spin_unlock(&watched.lock);
}

void faults_init(void) { vtd_fault_handler_set(fault_arrived); }
