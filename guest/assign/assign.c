/* SPDX-License-Identifier: MIT */
/*
 * The way of a physical function to a VM and back.
 * From: guest/life/create.c, guest/life/control.c (reset), monitor/cmd/pci.c (assign, unassign);
 * vmx/run/run.c (apic_on_address).
 * To: guest/assign/audit.c (may it be given?), pci/reset.c (a clean start),
 * guest/assign/dma.c (which addresses it uses), vtd/context.c (its view of memory),
 * guest/assign/vpci_header.c, guest/assign/vpci_caps.c and guest/assign/vpci_ext.c (its registers),
 * guest/assign/vbar.c (its memory), guest/assign/intx.c (its line), guest/assign/faults.c.
 */
#include "guest/assign/assign.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "arch/task.h"
#include "arch/terminal.h"
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

/* Stop the function's DMA and INTx, and begin its reset: pci_reset_begin(). */
static uint64_t function_silence(struct pci_function *fn)
{
    pci_command(fn->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    return pci_reset_begin(fn);
}

/* Of each function of the list. Their waits are one. */
static void list_silence(struct assignment *list)
{
    uint64_t us = 0;
    for (struct assignment *a = list; a; a = a->next)
        us = MAX(us, a->lost ? 0 : function_silence(a->fn));
    task_delay_us(us);
}

/* A device without a reset keeps its inner state; it is silent as bus master is off, and one that
 * ignores that is blocked once it is detached. */
static int function_reset(struct pci_function *fn, enum pci_reset_kind *used)
{
    *used = PCI_RESET_NONE;
    if (pci_reset_best(fn) != PCI_RESET_NONE)
        return pci_reset(fn, used);
    pci_wake(fn);
    return 0;
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
    /* For the device's MSI-X table. It stays on until the function is taken back: see
     * vpci_header.c command_write(). */
    pci_command(a->fn->bdf, pci_decode_bits(a->fn), 0);
    int err = vbar_init(&a->v);
    if (!err)
        err = vpci_caps_init(&a->v);
    if (err)
        return err;
    vpci_ext_init(&a->v);
    intx_init(a);
    pci_snoop_always(a->fn);
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

/* Reset each function of the list. The reset of a bus hits all that is behind its bridge: one is
 * enough for them. */
static void list_reset(struct assignment *list)
{
    list_silence(list);
    for (struct assignment *a = list; a; a = a->next) {
        const struct assignment *b = list;
        while (b != a && !(b->reset == PCI_RESET_BUS && b->fn->parent == a->fn->parent))
            b = b->next;
        if (b == a)
            a->reset_error = function_reset(a->fn, &a->reset);
        else
            a->reset = b->reset, a->reset_error = b->reset_error;
    }
}

/* A device that could not be reset keeps what its owner left in it: audit_allows() refuses it
 * unless the user waives that. */
static void function_disown(struct assignment *a)
{
    struct pci_function *fn = a->fn;
    if (a->reset_error || a->reset == PCI_RESET_NONE) {
        fn->parked = true;
        log_info(BDF_FMT " is parked: bus master off, attached to no VM", BDF_ARG(fn->bdf));
    }
    pci_command(fn->bdf, fn->command_at_boot & (PCI_COMMAND_MEM | PCI_COMMAND_IO),
                PCI_COMMAND_MEM | PCI_COMMAND_IO);
    domain_detach(a);
    fn->owner = NULL;
    pages_free(a, PAGES_OF(struct assignment));
}

/* INVARIANT: a function stays attached to its VM's memory until it was reset. A request that is
 * still under way when bus mastering goes off lands in memory that it was allowed to write. Then
 * its source-id is detached and flushed, and only then may another VM own the function. */
static void list_free(struct assignment *list)
{
    for (struct assignment *a = list; a; a = a->next) {
        spin_lock(&a->vm->lock);
        registers_hide(a);
        if (a->v.bdf)
            vpci_unplug(a->vm->pci, &a->v);
        spin_unlock(&a->vm->lock);
        faults_forget(a);
        if (pci_drain(a->fn))
            log_info(BDF_FMT " still has transactions pending", BDF_ARG(a->fn->bdf));
    }
    list_reset(list);
    while (list) {
        struct assignment *next = list->next;
        function_disown(list);
        list = next;
    }
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
    a->fault_budget = a->error_budget = LOG_GUEST_BUDGET;
    faults_watch(a);
    return a;
}

/* Confine the device: it is silent and clean, and its DMA reaches the VM's memory only. */
static int function_confine(struct assignment *a)
{
    if (a->reset_error && !(a->config.unsafe & BIT(UNSAFE_NO_RESET)))
        return a->reset_error;
    if (a->reset_error)
        log_info("vm=%s pci=" BDF_FMT " unsafe=no-reset: given although no reset works",
                 a->vm->name, BDF_ARG(a->fn->bdf));
    int err = dma_enable(a);
    if (!err && options.rmrr_map && !reserved_complete(a->vm, a->fn))
        err = FAIL(EPERM, "vm=%s pci=" BDF_FMT ": RMRRs are mapped at boot only", a->vm->name,
                   BDF_ARG(a->fn->bdf));
    return err ? err : domain_attach(a);
}

static void log_given(const struct assignment *a)
{
    const char *why;
    const char *delivery = irq_delivery_name(irq_best_delivery(a, &why));
    log_info("vm=%s " BDF_FMT " %04x:%04x is " BDF_FMT " there, source-id=" BDF_FMT
             " domain=%u reset=%s irq=%s%s%s",
             a->vm->name, BDF_ARG(a->fn->bdf), a->fn->vendor, a->fn->device, BDF_ARG(a->v.bdf),
             BDF_ARG(a->requester), vtd_domain_id(dma_domain(a)), pci_reset_name(a->reset),
             delivery, *why ? " because: " : "", why);
}

/* The function is confined: its guest may see it. */
static int function_show(struct assignment *a)
{
    a->next = NULL;
    spin_lock(&a->vm->lock);
    int err = guest_plug(a);
    spin_unlock(&a->vm->lock);
    if (err)
        return err;
    a->fn->parked = false;
    log_given(a);
    return 0;
}

/* Its device was not attached to the VM. */
static void assignment_drop(struct assignment *a)
{
    faults_forget(a);
    a->fn->owner = NULL;
    pages_free(a, PAGES_OF(struct assignment));
}

/* Take the assignment out of the VM's list, if it is there. */
static void list_remove(struct vm *vm, struct assignment *a)
{
    struct assignment **at = &vm->assignments;
    spin_lock(&vm->lock);
    while (*at && *at != a)
        at = &(*at)->next;
    if (*at)
        *at = a->next;
    a->next = NULL;
    spin_unlock(&vm->lock);
}

/* Take them out of the VM's list, where they are, and make a list of their own. */
static struct assignment *list_of(struct vm *vm, struct assignment *all[], unsigned count)
{
    for (unsigned i = count; i-- > 0;) {
        list_remove(vm, all[i]);
        all[i]->next = i + 1 < count ? all[i + 1] : NULL;
    }
    return count ? all[0] : NULL;
}

/* A screen that a guest gets is no longer Hamlet's to draw on. VGA decodes the text screen beside
 * its BARs. */
static void screen_leave(const struct vm *vm, const struct pci_function *fn)
{
    bool had = PCI_CLASS_SUB(fn->class_code) == PCI_SUB_VGA &&
               terminal_screen_is_in(hpa(VGA_BASE), VGA_SIZE);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        had |= fn->bars[i].kind == PCI_BAR_MEM &&
               terminal_screen_is_in(hpa(fn->bars[i].base), fn->bars[i].size);
    if (!had)
        return;
    log_info("vm=%s " BDF_FMT " has the screen: it goes with the device", vm->name,
             BDF_ARG(fn->bdf));
    terminal_close_screen();
}

/* The VM owns the functions already. The order is a promise: all are reset and confined before a
 * register of one is shown to the guest, and so bus mastering can be switched on. On an error none
 * is given. */
static int assign_give(struct vm *vm, struct assignment *all[], unsigned count)
{
    unsigned confined = 0;
    int err = 0;
    for (unsigned i = 0; i < count; i++)
        screen_leave(vm, all[i]->fn);
    list_reset(list_of(vm, all, count));
    while (confined < count && !(err = function_confine(all[confined])))
        confined++;
    for (unsigned i = 0; i < count && !err; i++)
        err = function_show(all[i]);
    if (!err)
        return 0;
    list_free(list_of(vm, all, confined));
    for (; confined < count; confined++)
        assignment_drop(all[confined]);
    return err;
}

/* Make the VM the owner of the function that this names. NULL: there is none that is free (logged).
 */
static struct pci_function *function_own(struct vm *vm, const struct device_config *c)
{
    struct pci_function *fn =
        c->by_id ? pci_find_id(c->vendor, c->device, c->nth) : pci_find(c->bdf);
    char name[24];
    if (!fn || fn->owner) {
        log_error("vm=%s pci=%s: %s", vm->name, config_name(c, name, sizeof(name)),
                  fn ? "it is given away already" : "there is no such device");
        return NULL;
    }
    fn->owner = vm;
    return fn;
}

/* Own all functions first: some can be reset only together, and a group has one owner. */
static int assign_together(struct vm *vm, const struct device_config *c, unsigned count)
{
    struct pci_function *fn[CONFIG_DEVICE_MAX];
    struct assignment *all[CONFIG_DEVICE_MAX];
    unsigned owned = 0, made = 0;
    while (owned < count && (fn[owned] = function_own(vm, &c[owned])))
        owned++;
    int err = owned < count ? -ENODEV : 0;
    for (unsigned i = 0; i < count && !err; i++)
        err = audit_allows(vm->name, fn[i], c[i].unsafe);
    for (; made < count && !err; made += !err) {
        all[made] = assignment_new(vm, &c[made], fn[made]);
        err = all[made] ? 0 : -ENOMEM;
    }
    if (!err)
        return assign_give(vm, all, count);
    while (made > 0)
        assignment_drop(all[--made]);
    while (owned > 0)
        fn[--owned]->owner = NULL;
    return err;
}

int assign_hot(struct vm *vm, const struct device_config *c)
{
    assign_shield(vm, NULL, true);
    int err = assign_together(vm, c, 1);
    assign_shield(vm, NULL, false);
    return err;
}

int assign_all(struct vm *vm)
{
    return assign_together(vm, vm->config.devices, vm->config.device_count);
}

int assign_take_back(struct vm *vm, bdf_t bdf)
{
    struct assignment *a = vm->assignments;
    while (a && a->fn->bdf != bdf)
        a = a->next;
    if (!a)
        return -ENOENT;
    assign_shield(vm, a->fn, true);
    list_remove(vm, a);
    list_free(a);
    assign_shield(vm, NULL, false);
    log_info("vm=%s " BDF_FMT " is taken back", vm->name, BDF_ARG(bdf));
    return 0;
}

void assign_release_all(struct vm *vm)
{
    spin_lock(&vm->lock);
    struct assignment *list = vm->assignments;
    vm->assignments = NULL;
    spin_unlock(&vm->lock);
    list_free(list);
}

/* --- While it runs ---------------------------------------------------------------------------- */

/* All BARs are unmapped before the first is placed, so each gets its first place again. */
int assign_restart_all(struct vm *vm)
{
    int err = 0;
    spin_lock(&vm->lock);
    for (struct assignment *a = vm->assignments; a; a = a->next)
        registers_hide(a);
    spin_unlock(&vm->lock);
    list_silence(vm->assignments);
    for (struct assignment *a = vm->assignments; a; a = a->next)
        assign_reset_in_use(a);
    spin_lock(&vm->lock);
    for (struct assignment *a = vm->assignments; a; a = a->next) {
        bdf_t place = a->v.bdf;
        a->resetting = false;
        memset(&a->v, 0, sizeof(a->v));
        a->v.bdf = place;
        a->v.of = a;
    }
    for (struct assignment *a = vm->assignments; a && !err; a = a->next)
        err = registers_show(a);
    spin_unlock(&vm->lock);
    return err;
}

/* A message in logical mode names vCPUs by registers that the guest may write later. */
COLD void apic_on_address(struct vcpu *v)
{
    spin_lock(&v->vm->lock);
    for (struct assignment *a = v->vm->assignments; a; a = a->next) {
        vmsi_reroute(&a->v);
        vmsix_reroute(a->v.msix);
    }
    spin_unlock(&v->vm->lock);
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
