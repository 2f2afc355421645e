/* SPDX-License-Identifier: MIT */
/*
 * pci: the functions of the machine, and one of them as the host and as its guest see it. assign
 * and unassign: hand one over, and take it back, while the VM runs. audit: which of them could be
 * handed over.
 * From: monitor/term/command.c.   To: guest/assign/vpci.c, guest/assign/assign.c,
 * guest/assign/audit.c.
 */
#include "guest/assign/assign.h"
#include "guest/assign/audit.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "monitor/explain/explain.h"

static const char *class_name(uint32_t class_code)
{
    static const char *const names[] = {
        [0x01] = "storage", [0x02] = "network", [0x03] = "display",  [0x04] = "multimedia",
        [0x05] = "memory",  [0x06] = "bridge",  [0x07] = "serial",   [0x08] = "system",
        [0x09] = "input",   [0x0c] = "bus",     [0x0d] = "wireless", [0x12] = "accelerator"};
    unsigned base = PCI_CLASS_BASE(class_code);
    return base < ARRAY_COUNT(names) && names[base] ? names[base] : "device";
}

static void say_tree(void)
{
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *f = pci_get(i);
        const struct assignment *a = assign_of(f);
        int depth = 0;
        for (const struct pci_function *up = f->parent; up; up = up->parent)
            depth += 2;
        say("%*s" BDF_FMT " %04x:%04x %s %06x%s%s%s", depth, "", BDF_ARG(f->bdf), f->vendor,
            f->device, class_name(f->class_code), f->class_code, f->header_type ? " bridge" : "",
            a ? " vm=" : "", a ? a->vm->name : "");
    }
}

#define HEADER(reg) 0, 0, reg
#define CAP(field, reg)                                                                            \
    offsetof(struct pci_function, field), sizeof(((struct pci_function *)0)->field), reg

static const struct pci_register {
    const char *name;
    uint8_t cap, cap_size; /* where struct pci_function has its capability; size 0: in the header */
    uint16_t reg;          /* from the beginning of the capability, or of the header */
    uint8_t width;
    const char *words; /* its name for explain */
} registers[] = {
    {"vendor", HEADER(PCI_VENDOR_ID), 2, NULL},
    {"device", HEADER(PCI_DEVICE_ID), 2, NULL},
    {"command", HEADER(PCI_COMMAND), 2, "pci.command"},
    {"status", HEADER(PCI_STATUS), 2, "pci.status"},
    {"class", HEADER(PCI_CLASS), 4, NULL},
    {"bar0", HEADER(PCI_BAR(0)), 4, "pci.bar"},
    {"bar1", HEADER(PCI_BAR(1)), 4, NULL},
    {"bar2", HEADER(PCI_BAR(2)), 4, NULL},
    {"bar3", HEADER(PCI_BAR(3)), 4, NULL},
    {"bar4", HEADER(PCI_BAR(4)), 4, NULL},
    {"bar5", HEADER(PCI_BAR(5)), 4, NULL},
    {"subsystem", HEADER(PCI_SUBSYSTEM_VENDOR), 4, NULL},
    {"rom", HEADER(PCI_ROM), 4, NULL},
    {"cap-pointer", HEADER(PCI_CAP_POINTER), 1, NULL},
    {"int-line", HEADER(PCI_INTERRUPT_LINE), 1, NULL},
    {"int-pin", HEADER(PCI_INTERRUPT_PIN), 1, NULL},
    {"pm-control", CAP(cap_pm, PCI_PM_CONTROL), 2, "pci.pm_control"},
    {"msi-control", CAP(cap_msi, PCI_MSI_CONTROL), 2, "pci.msi_control"},
    {"msi-address", CAP(cap_msi, PCI_MSI_ADDRESS), 4, "vtd.msi"},
    {"msi-data", CAP(cap_msi, PCI_MSI_DATA(false)), 2, NULL},
    {"msix-control", CAP(cap_msix, PCI_MSIX_CONTROL), 2, "pci.msix_control"},
    {"pcie-control", CAP(cap_pcie, PCIE_DEVICE_CONTROL), 2, "pci.device_control"},
    {"pcie-status", CAP(cap_pcie, PCIE_DEVICE_STATUS), 2, "pci.device_status"},
    {"af-status", CAP(cap_af, PCI_AF_STATUS), 1, NULL},
    {"acs-control", CAP(ext_acs, PCI_ACS_CONTROL), 2, NULL},
    {"sriov-control", CAP(ext_sriov, PCI_SRIOV_CONTROL), 2, "pci.sriov_control"},
};

/* False: this function has no such register. */
static bool find_register(const struct pci_function *f, const struct pci_register *r, uint16_t *at)
{
    *at = r->reg;
    if (!r->cap_size)
        return !f->header_type || r->reg < PCI_BAR(2); /* a bridge has others from there on */
    *at = 0;
    memcpy(at, (const uint8_t *)f + r->cap, r->cap_size);
    if (!*at)
        return false;
    *at += r->reg;
    if (*at == f->cap_msi + PCI_MSI_DATA(false))
        *at = (uint16_t)(f->cap_msi + PCI_MSI_DATA(f->msi_control & PCI_MSI_64));
    return true;
}

static void say_registers(const struct pci_function *f, struct vpci_function *guest)
{
    say("  %-12s %-12s %-12s", "register", "host", guest ? "guest" : "");
    for (const struct pci_register *r = registers; r < registers + ARRAY_COUNT(registers); r++) {
        uint16_t at;
        if (!find_register(f, r, &at))
            continue;
        uint32_t host = pci_read(f->bdf, at, r->width);
        struct text seen = {0};
        if (guest)
            text_add(&seen, "0x%08x", vpci_read(guest, at, r->width));
        say("  %-12s 0x%08x   %-12s %s", r->name, host, seen.at,
            r->words ? explain_words(r->words, host, 0).at : "");
    }
}

static void say_bars(const struct pci_function *f, const struct assignment *a)
{
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &f->bars[i];
        struct text guest = {0};
        if (b->kind == PCI_BAR_NONE)
            continue;
        if (a && a->v.bars[i].mapped)
            text_add(&guest, " guest=0x%lx", a->v.bars[i].mapped_at);
        else if (a)
            text_add(&guest, " not mapped for the guest");
        say("  bar%u %s host=0x%lx size=0x%lx%s", i, b->kind == PCI_BAR_IO ? "io " : "mem", b->base,
            b->size, guest.at);
    }
}

static void say_function(const struct pci_function *f)
{
    struct assignment *a = assign_of(f);
    say(BDF_FMT " %04x:%04x %s rev=%02x reset=%s group=" BDF_FMT, BDF_ARG(f->bdf), f->vendor,
        f->device, class_name(f->class_code), f->revision, pci_reset_name(pci_reset_best(f)),
        BDF_ARG(pci_group(f)));
    if (a)
        say("  vm=%s there=" BDF_FMT " source-id=" BDF_FMT " domain=%u faults=%lu%s", a->vm->name,
            BDF_ARG(a->v.bdf), BDF_ARG(a->requester), vtd_domain_id(dma_domain(a)), a->fault_count,
            a->parked ? " parked" : "");
    say_registers(f, a ? &a->v : NULL);
    say_bars(f, a);
}

void cmd_pci(struct args *a)
{
    bdf_t bdf;
    if (!args_peek(a))
        say_tree();
    else if (!args_bdf(a, &bdf) || !args_end(a))
        return;
    else if (pci_find(bdf))
        say_function(pci_find(bdf));
    else
        complain(a, "nothing at " BDF_FMT, BDF_ARG(bdf));
}

void cmd_assign(struct args *a)
{
    struct device_config config = {.plan = PLAN_POST_HW, .rom = true};
    struct vm *vm;
    if (!args_bdf(a, &config.bdf) || !args_vm(a, &vm) || !args_end(a))
        return;
    if (vm_is_ending(vm) || assign_hot(vm, &config))
        complain(a, BDF_FMT " is not given to vm=%s", BDF_ARG(config.bdf), vm->name);
    else
        say(BDF_FMT " is given to vm=%s", BDF_ARG(config.bdf), vm->name);
}

void cmd_unassign(struct args *a)
{
    bdf_t bdf;
    if (!args_bdf(a, &bdf) || !args_end(a))
        return;
    const struct pci_function *f = pci_find(bdf);
    struct assignment *owner = f ? assign_of(f) : NULL;
    if (!owner)
        complain(a, "no VM has " BDF_FMT, BDF_ARG(bdf));
    else if (assign_take_back(owner->vm, bdf))
        complain(a, BDF_FMT " is not taken back", BDF_ARG(bdf));
    else
        say(BDF_FMT " is taken back", BDF_ARG(bdf));
}

void cmd_audit(struct args *a)
{
    (void)a;
    audit_print();
}
