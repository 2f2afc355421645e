/* SPDX-License-Identifier: MIT */
/*
 * vtd: the remapping units. irq: how interrupts of devices reach vCPUs. pid: posted-interrupt
 * descriptors. check: the promises of Hamlet.
 * From: monitor/command.c.   To: vtd/show.c, guest/assign/irq.c, guest/assign/vmsix.c, arch/ioapic.c, guest/life/check.c.
 */
#include "arch/ioapic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "guest/assign/assign.h"
#include "guest/life/check.h"
#include "guest/pc/vioapic.h"
#include "guest/assign/vmsix.h"
#include "monitor/command.h"
#include "monitor/explain.h"
#include "vtd/vtd_regs.h"
#include "vmx/show/show.h"

/* --- vtd ------------------------------------------------------------------------------------------ */

static void say_words(const char *what, const char *reg, uint64_t value)
{
    char words[280];
    explain_line(reg, &value, words, sizeof(words));
    say("  %s=0x%lx %s", what, value, words);
}

static void show_unit(unsigned n, const struct vtd_unit_state *s)
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

static void show_faults(void)
{
    bdf_t source_id;
    uint64_t count;
    unsigned n = 0;
    vtd_fault_poll();
    for (; vtd_fault_source(n, &source_id, &count); n++)
        say("source-id=" BDF_FMT " faults=%lu", BDF_ARG(source_id), count);
    if (n == 0)
        say("no faults");
}

static void run_vtd(struct args *a)
{
    bool faults = args_is(a, "faults");
    bdf_t bdf;
    if (!faults && a->next < a->count && parse_bdf(a->words[a->next], &bdf) == 0) {
        command_walk.run(a);
        return;
    }
    if (!args_end(a))
        return;
    if (faults) {
        show_faults();
        return;
    }
    struct vtd_unit_state s;
    for (unsigned n = 0; vtd_unit_state(n, &s); n++)
        show_unit(n, &s);
    say("translation=%s interrupt-remapping=%s posting=%s", vtd_active() ? "on" : "off",
        vtd_ir_active() ? "on" : "off", vtd_can_post() ? "by hardware" : "by software");
}

/* --- pid ------------------------------------------------------------------------------------------ */

static void show_pid(const struct vcpu *v)
{
    uint64_t control = atomic_load(&v->pi_desc->control);
    say("vcpu=%s.%u state=%s pid=0x%lx ON=%lu SN=%lu NV=0x%02lx NDST=0x%lx", v->vm->name, v->index,
        vcpu_state_name(v->state), ptr_hpa(v->pi_desc).v, FIELD_GET(PI_ON, control),
        FIELD_GET(PI_SN, control), FIELD_GET(PI_NV, control), FIELD_GET(PI_NDST, control));
    for (unsigned vector = 0; vector < 256; vector++)
        if (atomic_load(&v->pi_desc->pir[vector / 64]) & BIT(vector % 64))
            say("  PIR: vector 0x%02x is posted", vector);
}

static void run_pid(struct args *a)
{
    struct vcpu *v;
    if (a->next < a->count) {
        if (args_vcpu(a, &v) && args_end(a))
            show_pid(v);
        return;
    }
    for (size_t i = 0; i < vm_count(); i++)
        for (unsigned n = 0; n < vm_get(i)->vcpu_count; n++)
            show_pid(vm_get(i)->vcpus[n]);
}

/* --- irq ------------------------------------------------------------------------------------------ */

/* What would keep an interrupt of this device from arriving; NULL: nothing does. */
static const char *obstacle(const struct assignment *a, const struct irq_route *r, struct u128 e,
                            bool guest_masked)
{
    if (guest_masked)
        return "masked by the guest";
    if (r->delivery == IRQ_UNROUTED)
        return "no message that reaches anybody";
    if (!(e.lo & IRTE_P))
        return "the entry is not present";
    if (FIELD_GET(IRTE_SVT, e.hi) == IRTE_SVT_SID && FIELD_GET(IRTE_SID, e.hi) != a->requester)
        return "BLOCKED: the entry is for another source-id";
    return NULL;
}

static void show_route(const struct assignment *a, const char *kind, unsigned n,
                       const struct irq_route *r, bool guest_masked)
{
    struct u128 e = vtd_irte_read(r->irte);
    uint64_t words[2] = {e.lo, e.hi};
    char text[160];
    const char *why = obstacle(a, r, e, guest_masked);
    say(BDF_FMT " %s=%u irte=%u %s vcpu=%d vector=0x%02x count=%lu%s%s", BDF_ARG(a->fn->bdf), kind,
        n, r->irte, irq_delivery_name(r->delivery), r->targets ? __builtin_ctzll(r->targets) : -1,
        r->vector, r->count, why ? " " : "", why ? why : "");
    explain_line(e.lo & IRTE_IM ? "vtd.irte_posted" : "vtd.irte", words, text, sizeof(text));
    say("  irte 0x%016lx%016lx %s", e.hi, e.lo, text);
    if (e.lo & IRTE_P)
        say("  source-id of the entry: " BDF_FMT ", of the device: " BDF_FMT,
            BDF_ARG((bdf_t)FIELD_GET(IRTE_SID, e.hi)), BDF_ARG(a->requester));
    if (r->targets)
        show_pid(a->vm->vcpus[__builtin_ctzll(r->targets)]);
}

static void show_device(const struct assignment *a)
{
    const struct vpci_function *f = &a->v;
    const struct irq_route *r;
    bool masked;
    if (f->cap_msi)
        for (unsigned n = 0; n < 1u << f->msi_info.message_count_log2; n++)
            if (f->msi[n].owner && (n == 0 || f->msi[n].delivery != IRQ_UNROUTED))
                show_route(a, "msi", n, &f->msi[n], !f->msi_live);
    for (unsigned n = 0; (r = vmsix_route(f->msix, n, &masked)); n++)
        if (r->owner && r->delivery != IRQ_UNROUTED)
            show_route(a, "msix", n, r, masked);
    if (a->intx.on)
        say(BDF_FMT " intx pin=%u asserted=%u", BDF_ARG(a->fn->bdf), a->intx.pin, a->intx.asserted);
}

static void show_ioapics(void)
{
    char words[120];
    bool asserted;
    for (size_t n = 0; n < ioapic_count(); n++) {
        const struct ioapic *io = ioapic_get(n);
        for (unsigned pin = 0; pin < io->pin_count; pin++) {
            uint64_t rte = ioapic_read_rte(io, pin);
            explain_line(vtd_ir_active() ? "vtd.rte" : "ioapic.rte", &rte, words, sizeof(words));
            if (!(rte & BIT(16)))
                say("host ioapic=%u pin=%u rte=0x%016lx %s", io->id, pin, rte, words);
        }
    }
    for (size_t i = 0; i < vm_count(); i++)
        for (unsigned pin = 0; vm_get(i)->ioapic && pin < VIOAPIC_PINS; pin++) {
            uint64_t rte = vioapic_rte(vm_get(i)->ioapic, pin, &asserted);
            explain_line("ioapic.rte", &rte, words, sizeof(words));
            if (!(rte & BIT(16)) || asserted)
                say("vm=%s pin=%u rte=0x%016lx line=%u %s", vm_get(i)->name, pin, rte, asserted,
                    words);
        }
}

static void run_irq(struct args *a)
{
    bdf_t bdf = 0;
    bool one = a->next < a->count;
    if ((one && !args_bdf(a, &bdf)) || !args_end(a))
        return;
    unsigned shown = 0;
    for (size_t i = 0; i < vm_count(); i++)
        for (const struct assignment *d = vm_get(i)->assignments; d; d = d->next)
            if (!one || d->fn->bdf == bdf) {
                show_device(d);
                shown++;
            }
    if (!one)
        show_ioapics();
    if (!shown)
        say(one ? "no VM has this device" : "no VM has a device");
}

/* --- check ---------------------------------------------------------------------------------------- */

static void run_check(struct args *a)
{
    if (!args_end(a))
        return;
    unsigned breaches = check_all();
    say("breaches=%u%s", breaches, breaches ? "" : ": every promise holds");
}

const struct command command_vtd = {
    "vtd", run_vtd, "[faults | bb:dd.f ADDRESS]",
    "remapping units in words; a device's address translated; faults", "vtd 00:02.0 0x1000"};
const struct command command_irq = {"irq", run_irq, "[bb:dd.f]",
                                    "from a device's vectors by IRTE and descriptor to vCPUs",
                                    "irq 00:02.0"};
const struct command command_pid = {"pid", run_pid, "[NAME[.N]]",
                                    "posted-interrupt descriptors: PIR, ON, SN, NV, NDST",
                                    "pid alpha.0"};
const struct command command_check = {"check", run_check, "",
                                      "look up Hamlet's promises in the live tables", "check"};
