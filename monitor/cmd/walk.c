/* SPDX-License-Identifier: MIT */
/*
 * walk, and tlb as its other name: from an address of a program to the one in the machine, every
 * entry shown. With a device instead of a vCPU: its address through the second-stage table.
 * From: monitor/term/command.c, monitor/cmd/vtd.c.   To: monitor/memory.c, vmx/ept.c,
 * vtd/show.c.
 */
#include "lib/parse.h"
#include "monitor/cmd/commands.h"
#include "monitor/explain/explain.h"
#include "monitor/memory.h"
#include "pci/pci.h"
#include "vtd/vtd.h"
#include "vtd/vtd_regs.h"

static void say_entry(const char *where, unsigned level, uint64_t entry, const char *reg)
{
    say("  %-6s level %u  0x%016lx  %s", where, level, entry, explain_words(reg, entry, 0).at);
}

/* The device whose accesses exit there; NULL: there is none. A BAR may move at any moment. */
static const char *trapped_by(struct vm *vm, gpa_t at)
{
    spin_lock(&vm->lock);
    const struct vm_range *r = vm_bus_find(&vm->mmio, at.v);
    const char *name = r ? r->name : NULL;
    spin_unlock(&vm->lock);
    return name;
}

static void walk_ept(struct vcpu *v, gpa_t at)
{
    const char *name;
    uint64_t entries[4];
    hpa_t to;
    unsigned perm, n = at.v < BIT(48) ? ept_walk(v->vm->ept, at, entries) : 0;
    enum ept_type type;
    for (unsigned i = 0; i < n; i++)
        say_entry("EPT", 4 - i, entries[i], "ept");
    if (ept_translate(v->vm->ept, at, &to, &perm, &type))
        say("gpa=0x%lx -> hpa=0x%lx %s%s%s %s", at.v, to.v, perm & EPT_PERM_READ ? "r" : "-",
            perm & EPT_PERM_WRITE ? "w" : "-", perm & EPT_PERM_EXEC ? "x" : "-",
            type == EPT_UC ? "UC" : "WB");
    else if ((name = trapped_by(v->vm, at)))
        say("gpa=0x%lx is trapped: %s", at.v, name);
    else
        say("gpa=0x%lx is mapped nowhere: an access is an EPT violation", at.v);
}

static void walk_vcpu(struct vcpu *v, uint64_t gva)
{
    struct memory_walk w = {0};
    int err = memory_walk(v, gva, &w);
    if (!w.paging)
        say("  paging is off: gva = gpa");
    for (unsigned i = 0; i < w.count; i++)
        say_entry("guest", w.levels - i, w.steps[i].entry, "pte");
    if (err == -EPERM) {
        say("gva=0x%lx -> page fault, error code 0x%lx: %s", gva, (uint64_t)w.end.error_code,
            explain_words("pferr", w.end.error_code, 0).at);
    } else if (err == -EINVAL) {
        say("gva=0x%lx is not canonical: general protection fault", gva);
    } else if (err) {
        say("gva=0x%lx: a table of the guest lies outside of its memory", gva);
    } else {
        say("gva=0x%lx -> gpa=0x%lx page=%luK", gva, w.end.gpa.v, w.end.page_size >> 10);
        walk_ept(v, w.end.gpa);
    }
}

static void say_pair(const char *where, struct u128 entry, const char *reg)
{
    say("  %-8s 0x%016lx%016lx  %s", where, entry.hi, entry.lo,
        explain_words(reg, entry.lo, entry.hi).at);
}

static void walk_device(bdf_t bdf, uint64_t iova)
{
    struct vtd_walk w;
    if (!vtd_walk(bdf, gpa(iova), &w)) {
        say(BDF_FMT ": no VT-d unit serves it", BDF_ARG(bdf));
        return;
    }
    say("unit=%u source-id=" BDF_FMT "%s", w.unit, BDF_ARG(bdf),
        pci_find(bdf) ? "" : " (no function is there: what the unit would do with this id)");
    say_pair("root", w.root, "vtd.root");
    if (w.root.lo & ROOT_P)
        say_pair("context", w.context, "vtd.context");
    for (unsigned i = 0; i < w.count; i++)
        say_entry("second", w.levels - i, w.entries[i], "vtd.ss");
    if (w.mapped)
        say("iova=0x%lx -> hpa=0x%lx", iova, w.to.v);
    else
        say("iova=0x%lx is blocked: %s", iova,
            !(w.root.lo & ROOT_P)     ? "root entry not present"
            : !(w.context.lo & CTX_P) ? "context entry not present"
            : w.count                 ? "not mapped"
                                      : "address beyond the width");
}

void cmd_walk(struct args *a)
{
    struct vcpu *v;
    uint64_t at;
    bdf_t bdf;
    if (args_peek(a) && parse_bdf(args_peek(a), &bdf) == 0) {
        args_word(a);
        if (args_number(a, "address", &at) && args_end(a))
            walk_device(bdf, at);
        return;
    }
    if (!args_vcpu(a, &v))
        return;
    bool physical = args_is(a, "gpa");
    if (!args_number(a, "address", &at) || !args_end(a))
        return;
    if (physical)
        walk_ept(v, gpa(at));
    else
        walk_vcpu(v, at);
}

#define WALK_USAGE "[NAME[.N]] [gpa] ADDRESS, or bb:dd.f ADDRESS"
#define WALK_HELP  "an address through the guest's tables, EPT, or VT-d, entry by entry"
