/* SPDX-License-Identifier: MIT */
/*
 * The way of a physical function to a VM and back.
 * From: guest/life/create.c, guest/life/control.c (reset), monitor/cmd/pci.c (assign, unassign).
 * To: guest/assign/audit.c (may it be given?), pci/reset.c (a clean start),
 * guest/assign/dma.c (which addresses it uses), vtd/context.c (its view of memory),
 * guest/assign/vpci_header.c and guest/assign/vpci_caps.c (its registers),
 * guest/assign/vbar.c (its memory), guest/assign/intx.c (its line), guest/assign/faults.c.
 */
#include "guest/assign/assign.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "guest/assign/audit.h"
#include "guest/assign/dma.h"
#include "guest/assign/faults.h"
#include "guest/assign/vmsix.h"
#include "guest/core/reserved.h"
#include "lib/printf.h"
#include "lib/string.h"
#define LOG "assign"
#include "arch/log.h"

#define PAGES_OF(type) (ALIGN_UP(sizeof(type), PAGE_SIZE) / PAGE_SIZE)

/* --- Which function? -------------------------------------------------------------------------- */

static const char *config_name(const struct device_config *c, char *out, size_t size)
{
    if (c->by_id)
        snprintf(out, size, "%04x:%04x#%u", c->vendor, c->device, c->nth);
    else
        snprintf(out, size, BDF_FMT, BDF_ARG(c->bdf));
    return out;
}

/* --- Giving ----------------------------------------------------------------------------------- */

/* Stop the function's DMA and INTx, then reset it. A device without a reset keeps its inner state,
 * and is silent all the same, as bus master is off. */
static int function_silence(struct pci_function *fn, enum pci_reset_kind *used)
{
    pci_command(fn->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    *used = PCI_RESET_NONE;
    return pci_reset_best(fn) == PCI_RESET_NONE ? 0 : pci_reset(fn, used);
}

/* Another assigned function whose requests arrive under the same id, as they come through the same
 * bridge; NULL: there is none. */
static const struct assignment *requester_twin(const struct assignment *a)
{
    for (size_t i = 0; i < pci_count(); i++) {
        const struct assignment *b = assign_of(pci_get(i));
        if (b && b != a && b->requester == a->requester)
            return b;
    }
    return NULL;
}

/* The id of a bridge leads to the VM's memory until the last function behind it is taken back. */
static void domain_detach(struct assignment *a)
{
    if (!requester_twin(a))
        vtd_detach(a->requester);
    if (a->requester != a->fn->bdf)
        vtd_detach(a->fn->bdf);
}

/* Requests arrive under the function's own id, or under that of a bridge before it: both lead to
 * the VM's memory. */
static int domain_attach(struct assignment *a)
{
    struct vtd_domain *domain = dma_domain(a);
    const struct assignment *twin = requester_twin(a);
    if (twin && dma_domain(twin) != domain)
        return FAIL(EPERM,
                    "vm=%s pci=" BDF_FMT " sends under the id of " BDF_FMT
                    ", which uses another memory",
                    a->vm->name, BDF_ARG(a->fn->bdf), BDF_ARG(twin->fn->bdf));
    int err = vtd_attach(domain, a->requester);
    if (err || a->requester == a->fn->bdf)
        return err;
    err = vtd_attach(domain, a->fn->bdf);
    if (err && !twin)
        vtd_detach(a->requester);
    return err;
}

/* Build the registers that the guest sees, and the routes of its interrupts. */
static int registers_show(struct assignment *a)
{
    vpci_header_init(&a->v);
    int err = vbar_init(&a->v);
    if (!err)
        err = vpci_caps_init(&a->v);
    if (err)
        return err;
    intx_init(a);
    /* Decode stays on until the function is taken back: see vpci_header.c command_write(). */
    pci_command(a->fn->bdf, pci_decode_bits(a->fn), 0);
    vpci_set_shadow(&a->v, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_IO);
    vbar_update(&a->v);
    return 0;
}

/* Make it a device of the guest. The VM's list keeps the order of giving, in which
 * assign_restart_all() shows the functions again. */
static int guest_plug(struct assignment *a)
{
    struct assignment **at = &a->vm->assignments;
    a->v.of = a;
    int err = vpci_plug(a->vm->pci, &a->v);
    if (!err)
        err = registers_show(a);
    if (err)
        return err;
    while (*at)
        at = &(*at)->next;
    *at = a;
    return 0;
}

/* When this returns, the guest reaches nothing of the function, and the function sends no interrupt
 * to the guest. */
static void registers_hide(struct assignment *a)
{
    pci_command(a->fn->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    intx_release(a);
    vbar_unmap_all(&a->v);
    vmsi_release(&a->v);
    vmsix_release(&a->v);
}

/* INVARIANT: a function stays attached to its VM's memory until it was reset. A request that is
 * still under way when bus mastering goes off lands in memory that it was allowed to write. Then
 * its source-id is detached and flushed, and only then may another VM own the function. */
static void assignment_free(struct assignment *a)
{
    struct pci_function *fn = a->fn;
    enum pci_reset_kind used;
    spin_lock(&a->vm->lock);
    registers_hide(a);
    if (a->v.bdf)
        vpci_unplug(a->vm->pci, &a->v);
    spin_unlock(&a->vm->lock);
    faults_forget(a);
    if (pci_drain(fn))
        log_info(BDF_FMT " still has transactions pending", BDF_ARG(fn->bdf));
    /* A device that could not be reset keeps what its owner left in it: audit_allows() refuses it
     * unless the user waives that. */
    if (function_silence(fn, &used) || used == PCI_RESET_NONE) {
        fn->parked = true;
        log_info(BDF_FMT " is parked: bus master off, attached to no VM", BDF_ARG(fn->bdf));
    }
    pci_command(fn->bdf, fn->command_at_boot & (PCI_COMMAND_MEM | PCI_COMMAND_IO),
                PCI_COMMAND_MEM | PCI_COMMAND_IO);
    domain_detach(a);
    fn->owner = NULL;
    pages_free(a, PAGES_OF(struct assignment));
}

static struct assignment *assignment_new(struct vm *vm, const struct device_config *c,
                                         struct pci_function *fn)
{
    struct assignment *a = pages_alloc(PAGES_OF(struct assignment), PAGE_SIZE);
    if (!a)
        return NULL;
    a->vm = vm;
    a->fn = fn;
    a->config = *c;
    a->requester = pci_requester(fn);
    a->fault_budget = LOG_GUEST_BUDGET;
    faults_watch(a);
    return a;
}

/* Confine the device: it is silent and clean, and its DMA reaches the VM's memory only. */
static int function_confine(struct assignment *a, enum pci_reset_kind *used)
{
    int err = function_silence(a->fn, used);
    if (err && !(a->config.unsafe & BIT(UNSAFE_NO_RESET)))
        return err;
    if (err)
        log_info("vm=%s pci=" BDF_FMT " unsafe=no-reset: given although no reset works",
                 a->vm->name, BDF_ARG(a->fn->bdf));
    err = dma_enable(a);
    if (!err && options.rmrr_map && !reserved_complete(a->vm, a->fn))
        err = FAIL(EPERM, "vm=%s pci=" BDF_FMT ": RMRRs are mapped at boot only", a->vm->name,
                   BDF_ARG(a->fn->bdf));
    return err ? err : domain_attach(a);
}

static void log_given(const struct assignment *a, enum pci_reset_kind used)
{
    const char *why;
    const char *delivery = irq_delivery_name(irq_best_delivery(a, &why));
    log_info("vm=%s " BDF_FMT " %04x:%04x is " BDF_FMT " there, source-id=" BDF_FMT
             " domain=%u reset=%s irq=%s%s%s",
             a->vm->name, BDF_ARG(a->fn->bdf), a->fn->vendor, a->fn->device, BDF_ARG(a->v.bdf),
             BDF_ARG(a->requester), vtd_domain_id(dma_domain(a)), pci_reset_name(used), delivery,
             *why ? " because: " : "", why);
}

/* The VM owns the function already (fn->owner). The order is a promise: no register is shown to the
 * guest, and so no bus mastering switched on, before the device is confined. */
static int assign_give(struct vm *vm, const struct device_config *c, struct pci_function *fn)
{
    struct assignment *a = assignment_new(vm, c, fn);
    if (!a)
        return -ENOMEM;
    enum pci_reset_kind used;
    int err = function_confine(a, &used);
    if (err) {
        faults_forget(a);
        pages_free(a, PAGES_OF(struct assignment));
        return err;
    }
    spin_lock(&vm->lock);
    err = guest_plug(a);
    spin_unlock(&vm->lock);
    if (err) {
        assignment_free(a);
        return err;
    }
    fn->parked = false;
    log_given(a, used);
    return 0;
}

int assign_hot(struct vm *vm, const struct device_config *c)
{
    struct pci_function *fn =
        c->by_id ? pci_find_id(c->vendor, c->device, c->nth) : pci_find(c->bdf);
    char name[24];
    if (!fn || fn->owner)
        return FAIL(ENODEV, "vm=%s pci=%s: %s", vm->name, config_name(c, name, sizeof(name)),
                    fn ? "it is given away already" : "there is no such device");
    fn->owner = vm;
    assign_shield(vm, fn, true);
    int err = audit_allows(vm->name, fn, c->unsafe);
    if (!err)
        err = assign_give(vm, c, fn);
    assign_shield(vm, fn, false);
    if (err)
        fn->owner = NULL;
    return err;
}

int assign_all(struct vm *vm)
{
    int err = 0;
    for (unsigned i = 0; i < vm->config.device_count && !err; i++)
        err = assign_hot(vm, &vm->config.devices[i]);
    if (err)
        assign_release_all(vm);
    return err;
}

static void assignment_remove(struct vm *vm, struct assignment **at)
{
    struct assignment *a = *at;
    spin_lock(&vm->lock);
    *at = a->next;
    spin_unlock(&vm->lock);
    assignment_free(a);
}

int assign_take_back(struct vm *vm, bdf_t bdf)
{
    struct assignment **at = &vm->assignments;
    while (*at && (*at)->fn->bdf != bdf)
        at = &(*at)->next;
    if (!*at)
        return -ENOENT;
    assign_shield(vm, (*at)->fn, true);
    assignment_remove(vm, at);
    assign_shield(vm, NULL, false);
    log_info("vm=%s " BDF_FMT " is taken back", vm->name, BDF_ARG(bdf));
    return 0;
}

void assign_release_all(struct vm *vm)
{
    while (vm->assignments)
        assignment_remove(vm, &vm->assignments);
}

struct assignment *assign_of(const struct pci_function *fn)
{
    const struct vm *vm = fn->owner;
    struct assignment *a = vm ? vm->assignments : NULL;
    while (a && a->fn != fn)
        a = a->next;
    return a;
}

/* --- While it runs ---------------------------------------------------------------------------- */

/* All BARs are unmapped before the first is placed, so each gets its first place again. */
int assign_restart_all(struct vm *vm)
{
    int err = 0;
    spin_lock(&vm->lock);
    for (struct assignment *a = vm->assignments; a; a = a->next) {
        bdf_t place = a->v.bdf;
        registers_hide(a);
        assign_reset_in_use(a);
        memset(&a->v, 0, sizeof(a->v));
        a->v.bdf = place;
        a->v.of = a;
    }
    for (struct assignment *a = vm->assignments; a && !err; a = a->next)
        err = registers_show(a);
    spin_unlock(&vm->lock);
    return err;
}

void assign_silence(void)
{
    pci_break_locks();
    for (size_t i = 0; i < pci_count(); i++)
        if (pci_get(i)->owner)
            pci_command(pci_get(i)->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
}

void assign_init(void)
{
    faults_init();
    panic_hook_add(assign_silence);
}
