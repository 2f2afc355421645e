/* SPDX-License-Identifier: MIT */
/*
 * The way of a physical function to a VM and back.
 * From: guest/life/create.c.
 * To: guest/assign/audit.c (may it be given?), pci/reset.c (a clean start), vtd/context.c (its view of memory),
 * guest/assign/vpci_header.c and guest/assign/vpci_caps.c (its registers), guest/assign/vbar.c (its memory), guest/assign/irq.c (its
 * interrupts), guest/assign/dma.c (which addresses it
 * uses), guest/assign/faults.c (its faults).
 */
#define LOG "assign"
#include "guest/assign/assign.h"
#include "arch/log.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "guest/assign/audit.h"
#include "guest/assign/dma.h"
#include "guest/assign/faults.h"
#include "guest/assign/vmsix.h"

#define PAGES_OF(type) (ALIGN_UP(sizeof(type), PAGE_SIZE) / PAGE_SIZE)

/* --- Which function? ----------------------------------------------------------------------------- */

static struct pci_function *function_of(const struct device_config *c)
{
    return c->by_id ? pci_find_id(c->vendor, c->device, c->nth) : pci_find(c->bdf);
}

static const char *config_name(const struct device_config *c, char *out, size_t size)
{
    if (c->by_id)
        snprintf(out, size, "%04x:%04x#%u", c->vendor, c->device, c->nth);
    else
        snprintf(out, size, BDF_FMT, BDF_ARG(c->bdf));
    return out;
}

/* --- Giving -------------------------------------------------------------------------------------- */

/* From here on the device does nothing that we did not ask for. A device without a reset keeps its inner
 * state; it is silent all the same, as bus master is off. */
static int function_silence(struct pci_function *fn, enum pci_reset_kind *used)
{
    int err = 0;

    pci_command(fn->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    *used = PCI_RESET_NONE;
    if (pci_reset_best(fn) != PCI_RESET_NONE)
        err = pci_reset(fn, used);
    return err;
}

/* Requests arrive under the function's own id, or under that of a bridge before it: both lead to the
 * VM's memory. */
static int domain_attach(struct assignment *a)
{
    struct vtd_domain *domain = dma_domain(a);
    int err = 0;

    if (options.rmrr_map && domain == a->vm->domain)
        err = vtd_map_rmrr(domain, a->fn->bdf);
    if (!err)
        err = vtd_attach(domain, a->requester);
    if (err || a->requester == a->fn->bdf)
        return err;
    err = vtd_attach(domain, a->fn->bdf);
    if (err)
        vtd_detach(a->requester);
    return err;
}

static void domain_detach(struct assignment *a)
{
    vtd_detach(a->requester);
    if (a->requester != a->fn->bdf)
        vtd_detach(a->fn->bdf);
}

/* What the guest sees, and the routes of its interrupts. */
static int registers_show(struct assignment *a)
{
    int err;

    vpci_header_init(&a->v);
    err = vbar_init(&a->v);
    if (!err)
        err = vpci_caps_init(&a->v);
    if (err)
        return err;
    intx_init(a);
    pci_command(a->fn->bdf, PCI_COMMAND_MEM | PCI_COMMAND_IO, 0); /* see command_write() */
    vpci_set_shadow(&a->v, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_IO);
    vbar_update(&a->v);
    return 0;
}

static int guest_plug(struct assignment *a)
{
    int err;

    a->v.of = a;
    err = vpci_plug(a->vm->pci, &a->v);
    return err ? err : registers_show(a);
}

/* From here on nothing of the function reaches the guest, nor the guest it. */
static void registers_hide(struct assignment *a)
{
    pci_command(a->fn->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    intx_release(a);
    vbar_unmap_all(&a->v);
    vmsi_release(&a->v);
    vmsix_release(&a->v);
}

static void guest_unplug(struct assignment *a)
{
    registers_hide(a);
    if (a->v.bdf)
        vpci_unplug(a->vm->pci, &a->v);
}

/* A device that could not be reset keeps what its owner left in it: nobody gets it unasked. */
static void function_quarantine(struct pci_function *fn)
{
    fn->parked = true;
    log_info(BDF_FMT " is parked: bus master off, attached to nobody", BDF_ARG(fn->bdf));
}

/* INVARIANT: the function stays attached to its VM's memory until it was reset: what is still under way
 * when bus mastering goes off lands where it may. Then its id leads nowhere, flushed, and only then is it
 * free for another. */
static void assignment_free(struct assignment *a)
{
    struct pci_function *fn = a->fn;
    enum pci_reset_kind used;

    spin_lock(&a->vm->lock);
    guest_unplug(a);
    spin_unlock(&a->vm->lock);
    faults_forget(a);
    if (pci_drain(fn))
        log_info(BDF_FMT " still has transactions pending", BDF_ARG(fn->bdf));
    if (function_silence(fn, &used) || used == PCI_RESET_NONE)
        function_quarantine(fn);
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

/* In the order in which they were given: assign_restart_all() shows them again in this order. */
static void assignment_append(struct vm *vm, struct assignment *a)
{
    struct assignment **at = &vm->assignments;

    while (*at)
        at = &(*at)->next;
    *at = a;
}

/* fn->owner is the VM already. */
static int assign_give(struct vm *vm, const struct device_config *c, struct pci_function *fn)
{
    struct assignment *a = assignment_new(vm, c, fn);
    enum pci_reset_kind used;
    int err = a ? function_silence(fn, &used) : -ENOMEM;

    if (a && err && (c->unsafe & BIT(UNSAFE_NO_RESET))) {
        log_info("vm=%s pci=" BDF_FMT " unsafe=no-reset: given although no reset works", vm->name,
                 BDF_ARG(fn->bdf));
        err = 0;
    }
    if (!err)
        err = dma_enable(a);
    if (!err)
        err = domain_attach(a);
    if (err) {
        if (a) {
            faults_forget(a);
            pages_free(a, PAGES_OF(struct assignment));
        }
        return err;
    }
    spin_lock(&vm->lock);
    err = guest_plug(a);
    if (!err)
        assignment_append(vm, a);
    spin_unlock(&vm->lock);
    if (err) {
        assignment_free(a);
        return err;
    }
    fn->parked = false;
    const char *why;
    const char *delivery = irq_delivery_name(irq_best_delivery(a, &why));
    log_info("vm=%s " BDF_FMT " %04x:%04x is " BDF_FMT " there, source-id=" BDF_FMT
             " domain=%u reset=%s irq=%s%s%s",
             vm->name, BDF_ARG(fn->bdf), fn->vendor, fn->device, BDF_ARG(a->v.bdf),
             BDF_ARG(a->requester), vtd_domain_id(dma_domain(a)), pci_reset_name(used), delivery,
             *why ? " because: " : "", why);
    return 0;
}

int assign_hot(struct vm *vm, const struct device_config *c)
{
    struct pci_function *fn = function_of(c);
    char name[24];
    int err;

    if (!fn || fn->owner)
        return FAIL(ENODEV, "vm=%s pci=%s: %s", vm->name, config_name(c, name, sizeof(name)),
                    fn ? "it is given away already" : "there is no such device");
    fn->owner = vm;
    assign_shield(vm, fn, true);
    err = audit_allows(vm->name, fn, c->unsafe);
    if (!err)
        err = assign_give(vm, c, fn);
    assign_shield(vm, fn, false);
    if (err)
        fn->owner = NULL;
    return err;
}

int assign_all(struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.device_count; i++) {
        int err = assign_hot(vm, &vm->config.devices[i]);

        if (err) {
            assign_release_all(vm);
            return err;
        }
    }
    return 0;
}

static void assign_take_back(struct vm *vm, struct assignment **at)
{
    struct assignment *a = *at;

    spin_lock(&vm->lock);
    *at = a->next;
    spin_unlock(&vm->lock);
    assignment_free(a);
}

int unassign_hot(struct vm *vm, bdf_t bdf)
{
    for (struct assignment **at = &vm->assignments; *at; at = &(*at)->next)
        if ((*at)->fn->bdf == bdf) {
            assign_shield(vm, (*at)->fn, true);
            assign_take_back(vm, at);
            assign_shield(vm, NULL, false);
            log_info("vm=%s " BDF_FMT " is taken back", vm->name, BDF_ARG(bdf));
            return 0;
        }
    return -ENOENT;
}

void assign_release_all(struct vm *vm)
{
    while (vm->assignments)
        assign_take_back(vm, &vm->assignments);
}

/* --- While it runs ------------------------------------------------------------------------------- */

static void assignment_restart(struct assignment *a)
{
    bdf_t place = a->v.bdf;

    registers_hide(a);
    assign_reset_in_use(a);
    memset(&a->v, 0, sizeof(a->v));
    a->v.bdf = place;
    a->v.of = a;
}

/* All are hidden before the first is shown: so each gets the place that it had at first. */
int assign_restart_all(struct vm *vm)
{
    int err = 0;

    spin_lock(&vm->lock);
    for (struct assignment *a = vm->assignments; a; a = a->next)
        assignment_restart(a);
    for (struct assignment *a = vm->assignments; a && !err; a = a->next)
        err = registers_show(a);
    spin_unlock(&vm->lock);
    return err;
}

void assign_silence(void)
{
    for (size_t i = 0; i < pci_count(); i++)
        if (pci_get(i)->owner)
            pci_command(pci_get(i)->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
}

void assign_init(void)
{
    faults_init();
    panic_hook_add(assign_silence);
}
