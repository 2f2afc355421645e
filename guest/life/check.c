/* SPDX-License-Identifier: MIT */
/*
 * The promises of Hamlet:
 *   - no entry of an EPT or a second-stage table leads to memory of Hamlet or of another VM
 *   - what a device reaches, the CPU of its VM reaches at the same address, with no less permission
 *   - guest RAM of two VMs does not overlap, and is marked as given away
 *   - every present interrupt-remapping entry verifies its source-id, that of the device whose
 *     messages it is for, and posts, if at all, to the descriptor of a live vCPU; no unit takes the
 *     old message format
 *   - ports 0xCF8 to 0xCFF exit
 * A device with dma=pv or dma=identity goes untranslated and is in no table: Hamlet promises
 * nothing for it, and guest/assign/dma.c dma_enable() logs UNSAFE.
 * From: guest/life/create.c, guest/life/run.c (check_or_panic), monitor/cmd/vtd.c (check_all).
 * To: vmx/ept.c ept_visit(), vtd/sspt.c vtd_visit(), vtd/intremap.c.
 */
#include "guest/life/check.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "arch/terminal.h"
#include "guest/assign/assign.h"
#include "guest/assign/vmsix.h"
#include "guest/core/memory.h"
#include "guest/core/reserved.h"
#include "vmx/run/post.h"
#define LOG "check"
#include "arch/log.h"

#define LINES_MAX 8

struct checker {
    struct vm *const *vms; /* all VMs, and the one that is checked */
    size_t count;
    struct vm *vm;
    unsigned breaches;
};

static int budget; /* lines that this check may still log */

#define BREACH(a, ...)                                                                             \
    do {                                                                                           \
        (a)->breaches++;                                                                           \
        if (budget > 0 && budget--)                                                                \
            log_error("breach: " __VA_ARGS__);                                                     \
    } while (0)

/* Of the bytes from `to` on, `size` at most, those that lie in one of the blocks. */
static uint64_t block_part(const struct vm_ram *blocks, size_t count, hpa_t to, uint64_t size)
{
    for (const struct vm_ram *r = blocks; r < blocks + count; r++)
        if (to.v - r->to.v < r->size)
            return MIN(size, r->size - (to.v - r->to.v));
    return 0;
}

/* The same of a BAR, where no RAM is. */
static uint64_t bar_part(const struct vm *vm, hpa_t to, uint64_t size)
{
    const struct vbar *b = vbar_holding(vm, to.v, PAGE_SIZE);
    uint64_t part = b ? MIN(size, b->host.base + b->host.size - to.v) : 0;
    return page_is_ram(to, part) ? 0 : part;
}

/* The same of what is the VM's own. A run may go over several such things, and over what is not. */
static uint64_t own_part(const struct vm *vm, hpa_t to, uint64_t size)
{
    uint64_t part = block_part(vm->ram, VM_RAM_COUNT, to, size);
    if (!part)
        part = block_part(vm->reserved, VM_RESERVED_COUNT, to, size);
    return part ? part : bar_part(vm, to, size);
}

/* Returns the length of the part that begins at `at`; 0: it is not the VM's. */
static uint64_t check_part(struct checker *a, gpa_t at, hpa_t to, uint64_t size)
{
    if (at.v == VM_APIC_BASE) /* the APIC-access page: the CPU never lets the guest reach it */
        return PAGE_SIZE;
    if (a->vm->ones && to.v == ptr_hpa(a->vm->ones).v) /* its own, lent for a delivery */
        return PAGE_SIZE;
    uint64_t part = own_part(a->vm, to, size);
    if (!part)
        BREACH(a, "vm=%s gpa=0x%lx size=0x%lx leads to 0x%lx, which is not its own", a->vm->name,
               at.v, size, to.v);
    else if (reserved_holds(a->vm, to, part) && at.v != to.v)
        BREACH(a, "vm=%s gpa=0x%lx leads to 0x%lx, which the firmware reserves", a->vm->name, at.v,
               to.v);
    else if (memory_holds(a->vm, to, part) && !page_is_guest(to, part))
        BREACH(a, "vm=%s gpa=0x%lx leads to 0x%lx, which was never given away", a->vm->name, at.v,
               to.v);
    return part;
}

static bool visit_ept(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                      enum ept_type type)
{
    (void)perm;
    (void)type;
    for (uint64_t done = 0, part; done < size; done += part) {
        part = check_part(ctx, gpa(at.v + done), hpa(to.v + done), size - done);
        if (!part)
            break;
    }
    return true;
}

static bool visit_dma(void *ctx, gpa_t iova, hpa_t to, uint64_t size, unsigned perm)
{
    struct checker *a = ctx;
    for (uint64_t done = 0, part; done < size; done += part) {
        part = own_part(a->vm, hpa(to.v + done), size - done);
        if (part)
            continue;
        BREACH(a, "vm=%s iova=0x%lx size=0x%lx leads to 0x%lx, which is not its own", a->vm->name,
               iova.v + done, size - done, to.v + done);
        break;
    }
    uint64_t run;
    for (uint64_t offset = 0; offset < size; offset += run) {
        gpa_t at = gpa(iova.v + offset);
        hpa_t cpu;
        unsigned cpu_perm;
        run = ept_run(a->vm->ept, at, size - offset, &cpu, &cpu_perm);
        if (run && cpu.v == to.v + offset && (!(perm & VTD_WRITE) || (cpu_perm & EPT_PERM_WRITE)))
            continue;
        BREACH(a, "vm=%s iova=0x%lx: its device sees what its CPU does not", a->vm->name, at.v);
        break;
    }
    return true;
}

/* Two contiguous blocks overlap only if one holds an end of the other, and each VM is checked
 * against each. */
static void check_pairs(struct checker *a)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t n = 0; n < VM_RAM_COUNT && a->vms[i] != a->vm; n++) {
            const struct vm_ram *r = &a->vms[i]->ram[n];
            if (r->size && (memory_holds(a->vm, r->to, PAGE_SIZE) ||
                            memory_holds(a->vm, hpa(r->to.v + r->size - PAGE_SIZE), PAGE_SIZE)))
                BREACH(a, "vm=%s and vm=%s have the same RAM", a->vm->name, a->vms[i]->name);
        }
}

static void check_vm(struct checker *a)
{
    check_pairs(a);
    ept_visit(a->vm->ept, visit_ept, a);
    if (a->vm->domain)
        vtd_visit(a->vm->domain, visit_dma, a);
    for (uint16_t port = PCI_PORT_ADDRESS; port < PCI_PORT_DATA + 4; port++)
        if (bitmaps_port_passes(a->vm->bitmaps, port))
            BREACH(a, "vm=%s reaches port 0x%x without an exit", a->vm->name, port);
}

/* An IRTE that posts to memory other than a live vCPU's descriptor lets a device write there. */
static void check_descriptor(struct checker *a, unsigned index)
{
    const struct pi_desc *pid;
    bool known = !vtd_irte_posts(index, &pid);
    for (size_t i = 0; i < a->count && !known; i++)
        for (unsigned n = 0; n < a->vms[i]->vcpu_count && !known; n++)
            known = vcpu_descriptor(a->vms[i]->vcpus[n]) == pid;
    if (!known)
        BREACH(a, "irte=%u posts to 0x%lx, which is no vCPU's descriptor", index,
               ptr_hpa((void *)pid).v);
}

/* A device's messages go by entries that let it, and not another function. */
static void check_route(struct checker *a, const struct irq_route *r)
{
    if (r->owner && irq_route_is_foreign(r))
        BREACH(a, "irte=%u of " BDF_FMT " is for another source-id", r->irte,
               BDF_ARG(r->owner->fn->bdf));
}

static void check_device(struct checker *a, const struct assignment *d)
{
    const struct irq_route *r;
    bool masked;
    for (size_t n = 0; n < ARRAY_COUNT(d->v.msi); n++)
        check_route(a, &d->v.msi[n]);
    for (unsigned n = 0; (r = vmsix_route(d->v.msix, n, &masked)); n++)
        check_route(a, r);
}

unsigned check_vms(struct vm *const *vms, size_t count)
{
    struct checker a = {.vms = vms, .count = count};
    budget = LINES_MAX;
    for (size_t i = 0; i < count; i++) {
        a.vm = vms[i];
        if (a.vm->ept)
            check_vm(&a);
        for (const struct assignment *d = a.vm->assignments; d; d = d->next)
            check_device(&a, d);
    }
    for (unsigned index = vtd_irte_next(0); index < VTD_IRTE_MAX;
         index = vtd_irte_next(index + 1)) {
        terminal_poll(); /* no more may be typed meanwhile than the UART's FIFO holds */
        if (vtd_irte_unverified(index))
            BREACH(&a, "irte=%u accepts any source-id", index);
        check_descriptor(&a, index);
    }
    if (vtd_compatibility_units())
        BREACH(&a, "units=0x%x take interrupts in compatibility format", vtd_compatibility_units());
    log_trace("breaches=%u", a.breaches);
    return a.breaches;
}

unsigned check_all(void)
{
    struct vm *vms[VM_MAX];
    for (size_t i = 0; i < vm_count(); i++)
        vms[i] = vm_get(i);
    return check_vms(vms, vm_count());
}

void check_or_panic(const struct vm *vm, const char *when)
{
    if (check_all())
        panic("vm=%s: a promise is broken %s", vm->name, when);
}
