/* SPDX-License-Identifier: MIT */
/*
 * vtd: the remapping units. irq: how interrupts of devices reach vCPUs. pid: posted-interrupt
 * descriptors. check: the promises of Hamlet.
 * From: monitor/term/command.c.   To: vtd/show.c, guest/assign/irq.c, guest/assign/vmsix.c,
 * arch/ioapic.c, guest/life/check.c.
 */
#include "arch/ioapic.h"
#include "lib/parse.h"
#include "guest/assign/assign.h"
#include "guest/assign/vmsix.h"
#include "guest/life/check.h"
#include "guest/pc/vioapic.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "monitor/explain/explain.h"
#include "vmx/caps.h"
#include "vmx/show/show.h"
#include "vtd/vtd_regs.h"

static void say_words(const char *what, const char *reg, uint64_t value)
{
    say("  %s=0x%lx %s", what, value, explain_words(reg, value, 0).at);
}

static void say_unit(unsigned n, const struct vtd_unit_state *s)
{
    say("unit=%u at=0x%lx segment=%u version=%lu.%lu scope=%s%s", n, s->base.v, s->segment,
        FIELD_GET(VER_MAJOR, s->version), FIELD_GET(BITS(3, 0), s->version),
        s->include_all ? "all others" : "named devices", s->usable ? "" : " (not usable)");
    say_words("cap", "vtd.cap", s->cap);
    say_words("ecap", "vtd.ecap", s->ecap);
    if (!s->usable)
        return;
    say_words("gsts", "vtd.gsts", s->status);
    say_words("fsts", "vtd.fsts", s->fault_status);
    say("  root=0x%lx irta=0x%lx queue head=%u tail=%u", s->root, s->irta, s->queue_head,
        s->queue_tail);
}

static void say_faults(void)
{
    bdf_t source_id;
    uint64_t count;
    unsigned n;
    vtd_fault_poll();
    for (n = 0; vtd_fault_source(n, &source_id, &count); n++)
        say("source-id=" BDF_FMT " faults=%lu", BDF_ARG(source_id), count);
    if (n == 0)
        say("no faults");
}

void cmd_vtd(struct args *a)
{
    bool faults = args_is(a, "faults");
    bdf_t bdf;
    if (!faults && args_peek(a) && parse_bdf(args_peek(a), &bdf) == 0) {
        cmd_walk(a);
        return;
    }
    if (!args_end(a))
        return;
    if (faults) {
        say_faults();
        return;
    }
    struct vtd_unit_state s;
    for (unsigned n = 0; vtd_unit_state(n, &s); n++)
        say_unit(n, &s);
    const char *why = !vmx_caps.ready     ? "this CPU runs no guests"
                      : !vmx_caps.posting ? vmx_caps.no_posting
                                          : vtd_no_posting();
    say("translation=%s interrupt-remapping=%s posting=%s%s%s", vtd_active() ? "on" : "off",
        vtd_ir_active() ? "on" : "off",
        !vmx_caps.posting ? "no"
        : why             ? "by software"
                          : "by hardware",
        why ? " because: " : "", why ? why : "");
}

/* --- pid -------------------------------------------------------------------------------------- */

static void say_pid(const struct vcpu *v)
{
    uint64_t control = atomic_load(&v->pi_desc->control);
    say("vcpu=%s.%u state=%s pid=0x%lx ON=%lu SN=%lu NV=0x%02lx NDST=0x%lx", v->vm->name, v->index,
        vcpu_state_name(v->state), ptr_hpa(v->pi_desc).v, FIELD_GET(PI_ON, control),
        FIELD_GET(PI_SN, control), FIELD_GET(PI_NV, control), FIELD_GET(PI_NDST, control));
    for (unsigned vector = 0; vector < 256; vector++)
        if (atomic_load(&v->pi_desc->pir[vector / 64]) & BIT(vector % 64))
            say("  PIR: vector 0x%02x is posted", vector);
}

void cmd_pid(struct args *a)
{
    struct vcpu *asked;
    if (args_peek(a)) {
        if (args_vcpu(a, &asked) && args_end(a))
            say_pid(asked);
        return;
    }
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
            say_pid(v);
}

/* --- irq -------------------------------------------------------------------------------------- */

/* The reason why an interrupt of this device does not arrive; NULL: it does. */
static const char *obstacle(const struct irq_route *r, struct u128 e, bool guest_masked)
{
    if (guest_masked)
        return "masked by the guest";
    if (r->delivery == IRQ_UNROUTED)
        return "no message that reaches anybody";
    if (!(e.lo & IRTE_P))
        return "the entry is not present";
    if (irq_route_is_foreign(r))
        return "BLOCKED: the entry is for another source-id";
    return NULL;
}

static void say_route(const struct assignment *a, const char *kind, unsigned n,
                      const struct irq_route *r, bool guest_masked)
{
    struct u128 e = vtd_irte_read(r->irte);
    const char *why = obstacle(r, e, guest_masked);
    say(BDF_FMT " %s=%u irte=%u %s vcpu=%d vector=0x%02x count=%lu%s%s", BDF_ARG(a->fn->bdf), kind,
        n, r->irte, irq_delivery_name(r->delivery), r->targets ? __builtin_ctzll(r->targets) : -1,
        r->vector, r->count, why ? " " : "", why ? why : "");
    say("  irte 0x%016lx%016lx %s", e.hi, e.lo, explain_words("vtd.irte", e.lo, e.hi).at);
    if (e.lo & IRTE_P)
        say("  source-id of the entry: " BDF_FMT ", of the device: " BDF_FMT,
            BDF_ARG((bdf_t)FIELD_GET(IRTE_SID, e.hi)), BDF_ARG(a->requester));
    if (r->targets)
        say_pid(a->vm->vcpus[__builtin_ctzll(r->targets)]);
}

static void say_device(const struct assignment *a)
{
    const struct vpci_function *f = &a->v;
    const struct irq_route *r;
    bool masked;
    if (f->cap_msi)
        for (unsigned n = 0; n < 1u << f->msi_info.message_count_log2; n++)
            if (f->msi[n].owner && (n == 0 || f->msi[n].delivery != IRQ_UNROUTED))
                say_route(a, "msi", n, &f->msi[n], !f->msi_live);
    for (unsigned n = 0; (r = vmsix_route(f->msix, n, &masked)); n++)
        if (r->owner && r->delivery != IRQ_UNROUTED)
            say_route(a, "msix", n, r, masked);
    if (a->intx.on)
        say(BDF_FMT " intx pin=%u asserted=%u", BDF_ARG(a->fn->bdf), a->intx.pin, a->intx.asserted);
}

/* The pins of the machine, and those of each VM, that are not masked. */
static void say_pins(void)
{
    const char *entry = vtd_ir_active() ? "vtd.rte" : "ioapic.rte";
    for (size_t n = 0; n < ioapic_count(); n++)
        for (unsigned pin = 0; pin < ioapic_get(n)->pin_count; pin++) {
            uint64_t rte = ioapic_read_rte(ioapic_get(n), pin);
            if (!(rte & RTE_MASKED))
                say("host ioapic=%u pin=%u rte=0x%016lx %s", ioapic_get(n)->id, pin, rte,
                    explain_words(entry, rte, 0).at);
        }
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        for (unsigned pin = 0; vm->ioapic && pin < VIOAPIC_PINS; pin++) {
            bool asserted;
            uint64_t rte = vioapic_rte(vm->ioapic, pin, &asserted);
            if (!(rte & RTE_MASKED) || asserted)
                say("vm=%s pin=%u rte=0x%016lx line=%u %s", vm->name, pin, rte, asserted,
                    explain_words("ioapic.rte", rte, 0).at);
        }
}

void cmd_irq(struct args *a)
{
    bdf_t bdf = 0;
    bool shown = false;
    bool one = args_peek(a);
    if ((one && !args_bdf(a, &bdf)) || !args_end(a))
        return;
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        for (const struct assignment *d = vm->assignments; d; d = d->next)
            if (!one || d->fn->bdf == bdf) {
                say_device(d);
                shown = true;
            }
    if (!one)
        say_pins();
    if (!shown && one)
        complain(a, "no VM has " BDF_FMT, BDF_ARG(bdf));
    else if (!shown)
        say("no VM has a device");
}

void cmd_check(struct args *a)
{
    (void)a;
    unsigned breaches = check_all();
    say("breaches=%u%s", breaches, breaches ? "" : ": every promise holds");
}
