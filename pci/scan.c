/* SPDX-License-Identifier: MIT */
/*
 * Find every function of the machine and note what it is.
 * From: boot/main.c.   To: pci/bar.c, caps.c (what each one has); vtd/dmar.c (scope paths).
 * Spec: PCI Local Bus "Configuration Space Organization"; PCI-to-PCI Bridge "Bus Number Registers".
 *
 * Buses are looked at in ascending order, and a bridge may only name buses above its own that
 * nobody named before it. So the walk needs no recursion, ends after 256 buses whatever the
 * registers say, and finds the functions in the order of their bdf.
 */
#include "pci/pci_private.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "arch/time.h"
#define LOG "pci"
#include "arch/log.h"

#define BUS_COUNT        256
#define DEVICES_PER_BUS  32
#define FUNCTIONS_PER    8
#define RETRY_TIMEOUT_US 1000000 /* PCI Express Base "Configuration RRS Software Visibility" */

/* Entries never move, as others point to them; by_bdf is the order in which they are handed out. */
static struct pci_function functions[PCI_FUNCTION_MAX];
static struct pci_function *by_bdf[PCI_FUNCTION_MAX];
static size_t function_count;

/* While scanning: the innermost bridge so far that has the bus behind it, NULL: none has. */
static struct pci_function *innermost[BUS_COUNT];

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

/* Does somebody answer there? A device that is still starting up may ask for patience. */
static bool is_present(bdf_t bdf)
{
    uint16_t vendor = pci_read16(bdf, PCI_VENDOR_ID);
    if (vendor == PCI_VENDOR_RETRY)
        (void)wait_until((vendor = pci_read16(bdf, PCI_VENDOR_ID)) != PCI_VENDOR_RETRY,
                         RETRY_TIMEOUT_US);
    return vendor != PCI_VENDOR_NONE && vendor != PCI_VENDOR_RETRY && vendor != 0;
}

static void header_read(struct pci_function *f)
{
    uint8_t type = pci_read8(f->bdf, PCI_HEADER_TYPE);
    uint32_t class = pci_read32(f->bdf, PCI_CLASS);
    f->vendor = pci_read16(f->bdf, PCI_VENDOR_ID);
    f->device = pci_read16(f->bdf, PCI_DEVICE_ID);
    f->command_at_boot = pci_read16(f->bdf, PCI_COMMAND);
    f->class_code = FIELD_GET(PCI_CLASS_CODE, class);
    f->revision = pci_read8(f->bdf, PCI_REVISION_ID);
    f->header_type = FIELD_GET(PCI_HEADER_LAYOUT, type);
    f->multifunction = type & PCI_HEADER_MULTI;
    f->interrupt_pin = pci_read8(f->bdf, PCI_INTERRUPT_PIN);
    f->interrupt_line = pci_read8(f->bdf, PCI_INTERRUPT_LINE);
}

/* Take the bridge's word for the buses behind it, unless it would lead in a circle or into the buses
 * of somebody else. */
static void bridge_read(struct pci_function *f)
{
    uint8_t secondary = pci_read8(f->bdf, PCI_BRIDGE_SECONDARY);
    uint8_t subordinate = pci_read8(f->bdf, PCI_BRIDGE_SUBORDINATE);
    if (secondary == 0) /* the firmware left it unused */
        return;
    bool sane = secondary > BDF_BUS(f->bdf) && secondary <= subordinate;
    for (unsigned bus = secondary; sane && bus <= subordinate; bus++)
        sane = innermost[bus] == f->parent;
    if (!sane) {
        log_error(BDF_FMT " bridge not followed: secondary=%02x subordinate=%02x", BDF_ARG(f->bdf),
                  secondary, subordinate);
        return;
    }
    f->secondary_bus = secondary;
    f->subordinate_bus = subordinate;
    for (unsigned bus = secondary; bus <= subordinate; bus++)
        innermost[bus] = f;
}

static size_t append_size(char *out, size_t size, uint64_t bytes)
{
    static const char unit[] = "\0KMGT";
    unsigned u = 0;
    for (; u < 4 && bytes >= 1024; u++)
        bytes /= 1024;
    return (size_t)snprintf(out, size, u ? "%llu%c" : "%llu", (unsigned long long)bytes, unit[u]);
}

void pci_function_log(const struct pci_function *f)
{
    char text[256] = "";
    size_t at = 0;
    for (unsigned i = 0; i <= PCI_BAR_COUNT && at < sizeof(text) - 48; i++) {
        const struct pci_bar *b = i < PCI_BAR_COUNT ? &f->bars[i] : &f->rom;
        if (b->kind == PCI_BAR_NONE)
            continue;
        char name[8] = "rom";
        if (i < PCI_BAR_COUNT)
            snprintf(name, sizeof(name), "bar%u", i);
        at += (size_t)snprintf(text + at, sizeof(text) - at, " %s=%s%s%s,0x%llx,", name,
                               b->kind == PCI_BAR_IO ? "io" : "mem", b->is_64bit ? "64" : "",
                               b->prefetchable ? "p" : "", (unsigned long long)b->base);
        at += append_size(text + at, sizeof(text) - at, b->size);
    }
    char bridge[24] = "";
    if (f->secondary_bus)
        snprintf(bridge, sizeof(bridge), " buses=%02x-%02x", f->secondary_bus, f->subordinate_bus);
    log_info(BDF_FMT " %04x:%04x class=%06x%s%s%s%s%s flr=%s", BDF_ARG(f->bdf), f->vendor,
             f->device, f->class_code, bridge, text, f->cap_msi ? " msi" : "",
             f->cap_msix ? " msix" : "", f->cap_pcie ? " pcie" : "",
             pci_reset_best(f) == PCI_RESET_FLR ? "yes" : "no");
}

static struct pci_function *function_scan(bdf_t bdf, struct pci_function *parent)
{
    struct pci_function *f = is_present(bdf) ? pci_function_add(bdf) : NULL;
    if (!f)
        return NULL;
    f->parent = parent;
    header_read(f);
    pci_caps_read(f);
    pci_bars_read(f);
    pci_acs_enable(f);
    if (f->header_type == PCI_HEADER_BRIDGE)
        bridge_read(f);
    pci_function_log(f);
    return f;
}

static void bus_scan(unsigned bus, struct pci_function *parent)
{
    /* A link has one device at its end; some ports answer for the other 31 as well. */
    int port = parent ? pci_port_type(parent) : -1;
    unsigned devices = port == PCIE_ROOT_PORT || port == PCIE_DOWNSTREAM ? 1 : DEVICES_PER_BUS;
    for (unsigned dev = 0; dev < devices; dev++) {
        struct pci_function *first = function_scan(BDF(bus, dev, 0), parent);
        for (unsigned fn = 1; first && first->multifunction && fn < FUNCTIONS_PER; fn++)
            function_scan(BDF(bus, dev, fn), parent);
    }
}

/* A root bus beside bus 0 (a second processor's, say). Only AML names them; one whose device 0 is
 * absent stays unseen, and so without any access to memory. */
static bool is_other_root(unsigned bus)
{
    bdf_t first = BDF(bus, 0, 0);
    return !innermost[bus] && pci_has_ecam(first) && is_present(first);
}

void pci_scan(void)
{
    function_count = 0; /* tests scan one machine after another */
    memset(functions, 0, sizeof(functions));
    memset(innermost, 0, sizeof(innermost));
    pci_config_init();
    for (unsigned bus = 0; bus < BUS_COUNT; bus++) {
        struct pci_function *bridge = innermost[bus];
        if (bridge ? bridge->secondary_bus == bus : bus == 0 || is_other_root(bus))
            bus_scan(bus, bridge);
    }
    log_info("functions=%zu", function_count);
}
