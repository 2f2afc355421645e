/* SPDX-License-Identifier: MIT */
/*
 * pci: the functions of the machine, and one of them as the host and as its guest see it. assign and
 * unassign: hand one over while the VM runs. audit: which of them could be.
 * From: monitor/command.c.   To: guest/assign/vpci.c, guest/assign/assign.c, guest/assign/audit.c.
 */
#include "lib/printf.h"
#include "lib/string.h"
#include "guest/assign/assign.h"
#include "guest/assign/audit.h"
#include "monitor/command.h"
#include "monitor/explain.h"

static const struct {
    uint8_t class_code;
    const char *name;
} classes[] = {{0x01, "storage"}, {0x02, "network"}, {0x03, "display"},  {0x04, "multimedia"},
               {0x05, "memory"},  {0x06, "bridge"},  {0x07, "serial"},   {0x08, "system"},
               {0x09, "input"},   {0x0c, "bus"},     {0x0d, "wireless"}, {0x12, "accelerator"}};

static const char *class_name(uint32_t class_code)
{
    for (size_t i = 0; i < ARRAY_COUNT(classes); i++)
        if (classes[i].class_code == PCI_CLASS_BASE(class_code))
            return classes[i].name;
    return "device";
}

/* Its assignment; NULL: nobody has it. */
static struct assignment *assignment_of(const struct pci_function *f)
{
    const struct vm *vm = f->owner;
    for (struct assignment *a = vm ? vm->assignments : NULL; a; a = a->next)
        if (a->fn == f)
            return a;
    return NULL;
}

static void show_tree(void)
{
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *f = pci_get(i);
        const struct assignment *a = assignment_of(f);
        unsigned depth = 0;
        for (const struct pci_function *up = f->parent; up; up = up->parent)
            depth += 2;
        say("%*s" BDF_FMT " %04x:%04x %s %06x%s%s%s", (int)depth, "", BDF_ARG(f->bdf), f->vendor,
            f->device, class_name(f->class_code), f->class_code, f->header_type ? " bridge" : "",
            a ? " vm=" : "", a ? a->vm->name : "");
    }
}

/* Host's and guest's view of a register beside each other. */
static void side(const char *name, uint64_t host, bool has_guest, uint64_t guest, const char *reg)
{
    char words[160] = "", other[24] = "";
    if (reg)
        explain_line(reg, &host, words, sizeof(words));
    if (has_guest)
        snprintf(other, sizeof(other), "0x%08lx", guest);
    say("  %-12s 0x%08lx   %-12s %s", name, host, other, words);
}

static void show_register(const struct pci_function *f, struct vpci_function *guest,
                          const char *name, uint16_t reg, unsigned width, const char *words)
{
    side(name, pci_read(f->bdf, reg, width), guest, guest ? vpci_read(guest, reg, width) : 0,
         words);
}

static void show_header(const struct pci_function *f, struct vpci_function *guest)
{
    static const struct {
        const char *name;
        uint16_t reg;
        uint8_t width;
        const char *words;
    } header[] = {
        {"vendor", PCI_VENDOR_ID, 2, NULL},
        {"device", PCI_DEVICE_ID, 2, NULL},
        {"command", PCI_COMMAND, 2, "pci.command"},
        {"status", PCI_STATUS, 2, "pci.status"},
        {"class", PCI_CLASS, 4, NULL},
        {"bar0", PCI_BAR(0), 4, "pci.bar"},
        {"bar1", PCI_BAR(1), 4, NULL},
        {"bar2", PCI_BAR(2), 4, NULL},
        {"bar3", PCI_BAR(3), 4, NULL},
        {"bar4", PCI_BAR(4), 4, NULL},
        {"bar5", PCI_BAR(5), 4, NULL},
        {"subsystem", PCI_SUBSYSTEM_VENDOR, 4, NULL},
        {"rom", PCI_ROM, 4, NULL},
        {"cap-pointer", PCI_CAP_POINTER, 1, NULL},
        {"int-line", PCI_INTERRUPT_LINE, 1, NULL},
        {"int-pin", PCI_INTERRUPT_PIN, 1, NULL},
    };
    bool bridge = f->header_type != 0;
    for (size_t i = 0; i < ARRAY_COUNT(header); i++)
        if (!bridge || header[i].reg < PCI_BAR(2))
            show_register(f, guest, header[i].name, header[i].reg, header[i].width,
                          header[i].words);
}

static void show_capabilities(const struct pci_function *f, struct vpci_function *guest)
{
#define CAP(field) offsetof(struct pci_function, field), sizeof(f->field)
    static const struct {
        const char *name;
        uint8_t field, size; /* where the capability's offset stands; 0 there: it has none */
        uint8_t reg, width;
        const char *words;
    } rows[] = {
        {"pm-control", CAP(cap_pm), PCI_PM_CONTROL, 2, "pci.pm_control"},
        {"msi-control", CAP(cap_msi), PCI_MSI_CONTROL, 2, "pci.msi_control"},
        {"msi-address", CAP(cap_msi), PCI_MSI_ADDRESS, 4, "vtd.msi"},
        {"msi-data", CAP(cap_msi), PCI_MSI_DATA(false), 2, NULL},
        {"msix-control", CAP(cap_msix), PCI_MSIX_CONTROL, 2, "pci.msix_control"},
        {"pcie-control", CAP(cap_pcie), PCIE_DEVICE_CONTROL, 2, "pci.device_control"},
        {"pcie-status", CAP(cap_pcie), PCIE_DEVICE_STATUS, 2, "pci.device_status"},
        {"af-status", CAP(cap_af), PCI_AF_STATUS, 1, NULL},
        {"acs-control", CAP(ext_acs), PCI_ACS_CONTROL, 2, NULL},
        {"sriov-control", CAP(ext_sriov), PCI_SRIOV_CONTROL, 2, "pci.sriov_control"},
    };
#undef CAP
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint16_t at = 0;
        memcpy(&at, (const uint8_t *)f + rows[i].field, rows[i].size);
        if (!at)
            continue;
        at += rows[i].reg;
        if (at == f->cap_msi + PCI_MSI_DATA(false))
            at = (uint16_t)(f->cap_msi + PCI_MSI_DATA(f->msi_control & PCI_MSI_64));
        show_register(f, guest, rows[i].name, at, rows[i].width, rows[i].words);
    }
}

static void show_bars(const struct pci_function *f, const struct assignment *a)
{
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &f->bars[i];
        if (b->kind == PCI_BAR_NONE)
            continue;
        const struct vbar *v = a ? &a->v.bars[i] : NULL;
        char guest[40] = "";
        if (v && v->mapped)
            snprintf(guest, sizeof(guest), " guest=0x%lx", v->mapped_at);
        else if (v)
            snprintf(guest, sizeof(guest), " not mapped for the guest");
        say("  bar%u %s host=0x%lx size=0x%lx%s", i, b->kind == PCI_BAR_IO ? "io " : "mem", b->base,
            b->size, guest);
    }
}

static void show_function(const struct pci_function *f)
{
    struct assignment *a = assignment_of(f);
    say(BDF_FMT " %04x:%04x %s rev=%02x reset=%s group=" BDF_FMT, BDF_ARG(f->bdf), f->vendor,
        f->device, class_name(f->class_code), f->revision, pci_reset_name(pci_reset_best(f)),
        BDF_ARG(pci_group(f)));
    if (a)
        say("  vm=%s there=" BDF_FMT " source-id=" BDF_FMT " domain=%u faults=%lu%s", a->vm->name,
            BDF_ARG(a->v.bdf), BDF_ARG(a->requester), vtd_domain_id(dma_domain(a)), a->fault_count,
            a->parked ? " parked" : "");
    say("  %-12s %-12s %-12s", "register", "host", a ? "guest" : "");
    show_header(f, a ? &a->v : NULL);
    show_capabilities(f, a ? &a->v : NULL);
    show_bars(f, a);
}

static void run_pci(struct args *a)
{
    bdf_t bdf;
    if (a->next == a->count) {
        show_tree();
        return;
    }
    if (!args_bdf(a, &bdf) || !args_end(a))
        return;
    if (pci_find(bdf))
        show_function(pci_find(bdf));
    else
        complain(a, "nothing at " BDF_FMT, BDF_ARG(bdf));
}

static void run_assign(struct args *a)
{
    struct device_config config = {.plan = PLAN_D, .rom = true};
    struct vm *vm;
    if (!args_bdf(a, &config.bdf) || !args_vm(a, &vm) || !args_end(a))
        return;
    if (vm_is_ending(vm) || assign_hot(vm, &config))
        complain(a, BDF_FMT " is not given to vm=%s", BDF_ARG(config.bdf), vm->name);
    else
        say(BDF_FMT " is given to vm=%s", BDF_ARG(config.bdf), vm->name);
}

static void run_unassign(struct args *a)
{
    bdf_t bdf;
    if (!args_bdf(a, &bdf) || !args_end(a))
        return;
    const struct pci_function *f = pci_find(bdf);
    struct assignment *owner = f ? assignment_of(f) : NULL;
    if (!owner)
        complain(a, "no VM has " BDF_FMT, BDF_ARG(bdf));
    else if (unassign_hot(owner->vm, bdf))
        complain(a, BDF_FMT " is not taken back", BDF_ARG(bdf));
    else
        say(BDF_FMT " is taken back", BDF_ARG(bdf));
}

static void run_audit(struct args *a)
{
    if (args_end(a))
        audit_print();
}

const struct command command_pci = {"pci", run_pci, "[bb:dd.f]",
                                    "the functions; one of them as host and guest see it",
                                    "pci 00:02.0"};
const struct command command_assign = {"assign", run_assign, "bb:dd.f [NAME]",
                                       "give a device to a VM that runs", "assign 00:02.0 alpha"};
const struct command command_unassign = {"unassign", run_unassign, "bb:dd.f",
                                         "take a device back from its VM", "unassign 00:02.0"};
const struct command command_audit = {"audit", run_audit, "",
                                      "which devices can be given away, and why not", "audit"};
