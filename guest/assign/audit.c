/* SPDX-License-Identifier: MIT */
/*
 * Which functions may be given away: the objections of pci/ and of VT-d are collected, and one line
 * per function is logged at boot. An objection has a short name, by which the user may waive it
 * (unsafe=NAME). Some are final, because a promise of guest/life/check.c would break.
 * From: guest/assign/assign.c (audit_allows), guest/life/create.c (audit_print).
 * To: pci/objection.c, vtd/scope.c.
 * Spec: VT-d "Reserved Memory Region Reporting Structure"; PCI Express Base "Access Control
 * Services (ACS)".
 */
#include "guest/assign/audit.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/x86.h"
#include "lib/string.h"
#include "vtd/vtd.h"
#define LOG "assign"
#include "arch/log.h"

#define CPUID_PHYSICAL_BITS BITS(7, 0)

static const char *why_no_iommu(const struct pci_function *fn)
{
    if (!vtd_active())
        return "no VT-d unit translates, its DMA could go anywhere";
    if (!vtd_ir_active())
        return "interrupt remapping is off, it could send any interrupt";
    return vtd_covers(fn->bdf) ? NULL : "no VT-d unit has it in its scope";
}

static const char *why_rmrr(const struct pci_function *fn)
{
    hpa_t base;
    uint64_t size;
    return vtd_rmrr(fn->bdf, 0, &base, &size) && !options.rmrr_map
               ? "the firmware reserves memory for it (RMRR)"
               : NULL;
}

/* A BAR without an address is not shown, and an I/O BAR is not decoded then. A memory BAR is, at
 * address 0, as soon as the others are: on a conventional bus it would take DMA of its neighbours
 * there, while a link of PCI Express has no neighbours. */
static const char *why_unplaced(const struct pci_function *fn)
{
    for (size_t i = 0; i < PCI_BAR_COUNT && !fn->cap_pcie; i++)
        if (fn->bars[i].kind == PCI_BAR_MEM && fn->bars[i].base == 0)
            return "the firmware left a memory BAR without an address";
    return NULL;
}

/* A device could claim a BAR over the registers of a VT-d unit, and its guest would then
 * program the unit. An address that is wider than this CPU's physical addresses does not fit
 * into an EPT entry. */
static const char *why_out_of_reach(const struct pci_function *fn)
{
    uint64_t end = BIT(FIELD_GET(CPUID_PHYSICAL_BITS, cpuid(0x80000008, 0).eax));
    struct vtd_unit_state unit;
    for (size_t i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &fn->bars[i];
        if (b->kind != PCI_BAR_MEM)
            continue;
        if (b->base + b->size > end)
            return "a BAR ends beyond physical memory";
        for (unsigned n = 0; vtd_unit_state(n, &unit); n++)
            if (ranges_overlap(b->base, b->size, unit.base.v, PAGE_SIZE))
                return "a BAR lies over a VT-d unit";
    }
    return NULL;
}

/* On a root bus only the firmware's map of memory tells that a BAR lies where something else is.
 * Some maps call the whole window for devices reserved, so this can be waived. Behind a bridge,
 * what the bridge passes down is the function's: pci/objection.c. */
static const char *why_reserved(const struct pci_function *fn)
{
    for (size_t i = 0; i < PCI_BAR_COUNT && !fn->parent; i++)
        if (fn->bars[i].kind == PCI_BAR_MEM &&
            page_is_reserved(hpa(fn->bars[i].base), fn->bars[i].size))
            return "the firmware reserves memory where a BAR lies";
    return NULL;
}

static const char *why_hidden(const struct pci_function *fn)
{
    for (unsigned i = 0; i < options.hidden_count; i++)
        if (options.hidden[i] == fn->bdf)
            return "the command line hides it";
    return NULL;
}

static const struct {
    const char *name;
    const char *(*check)(const struct pci_function *fn);
    bool final;
} ours[] = {
    {"hidden", why_hidden, false},    {"no-iommu", why_no_iommu, true},
    {"rmrr", why_rmrr, false},        {"reserved", why_reserved, false},
    {"unplaced", why_unplaced, true}, {"out-of-reach", why_out_of_reach, true},
};
#define OBJECTION_MAX (PCI_OBJECTION_MAX + ARRAY_COUNT(ours))

/* All objections of both lists; `out` has room for OBJECTION_MAX. Returns how many there are. */
static size_t find_objections(const struct pci_function *fn, struct pci_objection *out)
{
    size_t count = pci_objections(fn, out);
    if (count && out[0].final)
        return count; /* a bridge, say: the other reasons do not matter */
    for (size_t i = 0; i < ARRAY_COUNT(ours); i++) {
        const char *why = ours[i].check(fn);
        if (why)
            out[count++] = (struct pci_objection){ours[i].name, why, ours[i].final};
    }
    return count;
}

static bool is_final(const struct pci_objection *all, size_t count)
{
    while (count > 0)
        if (all[--count].final)
            return true;
    return false;
}

static bool is_waived(const struct pci_objection *o, unsigned unsafe)
{
    for (unsigned i = 0; i < UNSAFE_COUNT && !o->final; i++)
        if ((unsafe & BIT(i)) && !strcmp(o->name, unsafe_names[i]))
            return true;
    return false;
}

int audit_allows(const char *vm, const struct pci_function *fn, unsigned unsafe)
{
    struct pci_objection all[OBJECTION_MAX];
    size_t count = find_objections(fn, all);
    for (size_t i = 0; i < count; i++)
        if (!is_waived(&all[i], unsafe))
            return FAIL(EPERM, "vm=%s pci=" BDF_FMT " refused: %s (%s)", vm, BDF_ARG(fn->bdf),
                        all[i].name, all[i].why);
    for (size_t i = 0; i < count; i++)
        log_info("vm=%s pci=" BDF_FMT " unsafe=%s: given although %s", vm, BDF_ARG(fn->bdf),
                 all[i].name, all[i].why);
    return 0;
}

/* The EPT maps whole pages: accesses to a smaller BAR are trapped and forwarded. */
static bool has_small_bar(const struct pci_function *fn)
{
    for (size_t i = 0; i < PCI_BAR_COUNT; i++)
        if (fn->bars[i].kind == PCI_BAR_MEM && fn->bars[i].size < PAGE_SIZE)
            return true;
    return false;
}

/* Map the BARs for Hamlet, which may have to forward accesses, and let VT-d make its tables for the
 * source-ids. Both stay. So what is allocated later, when a function is given, is freed when it is
 * taken back. */
#define FORWARD_MAX (UINT64_C(16) << 20)
static void prepare_function(const struct pci_function *fn)
{
    vtd_prepare(fn->bdf);
    vtd_prepare(pci_requester(fn));
    for (size_t i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &fn->bars[i];
        if (b->kind == PCI_BAR_MEM && b->base && b->size <= FORWARD_MAX &&
            !mmio_map(hpa(b->base), b->size))
            log_info(BDF_FMT " no memory to map bar%zu", BDF_ARG(fn->bdf), i);
    }
}

void audit_print(void)
{
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *fn = pci_get(i);
        struct pci_objection all[OBJECTION_MAX];
        size_t count = find_objections(fn, all);
        if (!is_final(all, count))
            prepare_function(fn);
        if (count == 0)
            log_info(BDF_FMT " %04x:%04x assignable reset=%s%s", BDF_ARG(fn->bdf), fn->vendor,
                     fn->device, pci_reset_name(pci_reset_best(fn)),
                     has_small_bar(fn) ? " trapped-bar=yes" : "");
        else
            log_info(BDF_FMT " %04x:%04x not assignable: %s (%s)%s", BDF_ARG(fn->bdf), fn->vendor,
                     fn->device, all[0].name, all[0].why, count > 1 ? " and more" : "");
    }
}
