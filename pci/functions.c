/* SPDX-License-Identifier: MIT */
/*
 * The list of functions, in the order of their bdf, and the line of each in the log.
 * From: pci/scan.c, sriov.c (pci_function_add), everywhere (pci_get, pci_find).
 * To: pci/caps.c (pci_has_flr).
 */
#include "pci/pci_private.h"
#include "lib/text.h"
#include "lib/string.h"
#define LOG "pci"
#include "arch/log.h"

/* An entry never moves, as pointers lead to it. by_bdf has the entries in order; vendor 0: free. */
static struct pci_function functions[PCI_FUNCTION_MAX];
static struct pci_function *by_bdf[PCI_FUNCTION_MAX];
static size_t function_count;

void pci_functions_clear(void)
{
    while (function_count > 0)
        by_bdf[--function_count]->vendor = 0;
}

size_t pci_count(void) { return function_count; }
struct pci_function *pci_get(size_t n) { return n < function_count ? by_bdf[n] : NULL; }

struct pci_function *pci_find(bdf_t bdf)
{
    for (size_t i = 0; i < function_count; i++)
        if (by_bdf[i]->bdf == bdf)
            return by_bdf[i];
    return NULL;
}

struct pci_function *pci_find_id(uint16_t vendor, uint16_t device, unsigned nth)
{
    for (size_t i = 0; i < function_count; i++)
        if (by_bdf[i]->vendor == vendor && by_bdf[i]->device == device && nth-- == 0)
            return by_bdf[i];
    return NULL;
}

struct pci_function *pci_function_add(bdf_t bdf)
{
    struct pci_function *f = NULL;
    for (size_t i = 0; i < PCI_FUNCTION_MAX && !f; i++)
        if (functions[i].vendor == 0)
            f = &functions[i];
    if (!f) {
        log_error(BDF_FMT " left out: more than %u functions", BDF_ARG(bdf), PCI_FUNCTION_MAX);
        return NULL;
    }
    memset(f, 0, sizeof(*f));
    f->bdf = bdf;
    size_t at = function_count++;
    for (; at > 0 && by_bdf[at - 1]->bdf > bdf; at--)
        by_bdf[at] = by_bdf[at - 1];
    by_bdf[at] = f;
    return f;
}

void pci_function_remove(bdf_t bdf)
{
    for (size_t i = 0; i < function_count; i++) {
        if (by_bdf[i]->bdf != bdf)
            continue;
        by_bdf[i]->vendor = 0; /* the entry is free */
        memmove(&by_bdf[i], &by_bdf[i + 1], (--function_count - i) * sizeof(by_bdf[0]));
        return;
    }
}

static void add_size(struct text *t, uint64_t bytes)
{
    static const char unit[] = "\0KMGT";
    unsigned u = 0;
    for (; u < 4 && bytes >= 1024; u++)
        bytes /= 1024;
    text_add(t, u ? "%lu%c" : "%lu", bytes, unit[u]);
}

void pci_function_log(const struct pci_function *f)
{
    struct text t = {0};
    if (f->secondary_bus)
        text_add(&t, " buses=%02x-%02x", f->secondary_bus, f->subordinate_bus);
    for (unsigned i = 0; i <= PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = i < PCI_BAR_COUNT ? &f->bars[i] : &f->rom;
        if (b->kind == PCI_BAR_NONE)
            continue;
        text_add(&t, i < PCI_BAR_COUNT ? " bar%u" : " rom", i);
        text_add(&t, "=%s%s%s,0x%lx,", b->kind == PCI_BAR_IO ? "io" : "mem",
                 b->is_64bit ? "64" : "", b->prefetchable ? "p" : "", b->base);
        add_size(&t, b->size);
    }
    log_info(BDF_FMT " %04x:%04x class=%06x%s%s%s%s flr=%s", BDF_ARG(f->bdf), f->vendor, f->device,
             f->class_code, t.at, f->cap_msi ? " msi" : "", f->cap_msix ? " msix" : "",
             f->cap_pcie ? " pcie" : "", pci_has_flr(f) ? "yes" : "no");
}
