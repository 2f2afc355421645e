/* SPDX-License-Identifier: MIT */
/*
 * Find every function of the machine and record what it is.
 * From: boot/main.c.   To: pci/functions.c (the list), caps.c, bar.c (the contents).
 * Spec: PCI Local Bus "Configuration Space Organization"; PCI-to-PCI Bridge "Bus Number Registers".
 *
 * The walk visits the buses in ascending order. A bridge is followed only if its buses are above
 * its own and no bridge beside it has named them. So the walk needs no recursion, ends after 256
 * buses whatever the registers hold, and finds the functions in the order of their bdf.
 */
#include "pci/pci_private.h"
#include "arch/time.h"
#include "lib/string.h"
#define LOG "pci"
#include "arch/log.h"

#define BUS_COUNT       256
#define DEVICES_PER_BUS 32
#define FUNCTIONS_PER   8

/* During the scan: the innermost bridge found so far that has the bus behind it; NULL: none. */
static struct pci_function *innermost[BUS_COUNT];

/* Is there a function? One that is still starting may answer with a request to retry. */
static bool is_present(bdf_t bdf)
{
    uint16_t vendor = pci_read16(bdf, PCI_VENDOR_ID);
    if (vendor == PCI_VENDOR_RETRY)
        (void)wait_until((vendor = pci_read16(bdf, PCI_VENDOR_ID)) != PCI_VENDOR_RETRY,
                         PCI_RETRY_TIMEOUT_US);
    return vendor != PCI_VENDOR_NONE && vendor != PCI_VENDOR_RETRY && vendor != 0;
}

static void header_read(struct pci_function *f)
{
    uint8_t type = pci_read8(f->bdf, PCI_HEADER_TYPE);
    f->vendor = pci_read16(f->bdf, PCI_VENDOR_ID);
    f->device = pci_read16(f->bdf, PCI_DEVICE_ID);
    f->command_at_boot = pci_read16(f->bdf, PCI_COMMAND);
    f->class_code = FIELD_GET(PCI_CLASS_CODE, pci_read32(f->bdf, PCI_CLASS));
    f->revision = pci_read8(f->bdf, PCI_REVISION_ID);
    f->header_type = FIELD_GET(PCI_HEADER_LAYOUT, type);
    f->multifunction = type & PCI_HEADER_MULTI;
    f->interrupt_pin = pci_read8(f->bdf, PCI_INTERRUPT_PIN);
    f->interrupt_line = pci_read8(f->bdf, PCI_INTERRUPT_LINE);
}

/* Accept the bus numbers of a bridge unless they form a circle or meet those of another bridge. */
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

static struct pci_function *function_scan(bdf_t bdf, struct pci_function *parent)
{
    struct pci_function *f = is_present(bdf) ? pci_function_add(bdf) : NULL;
    if (!f)
        return NULL;
    f->parent = parent;
    header_read(f);
    pci_caps_read(f);
    pci_bars_read(f);
    pci_quirks_read(f);
    pci_acs_enable(f);
    if (f->header_type == PCI_HEADER_BRIDGE)
        bridge_read(f);
    pci_function_log(f);
    return f;
}

static void bus_scan(unsigned bus, struct pci_function *parent)
{
    /* A link has one device at its end, but some ports answer for the other 31, too. */
    int port = parent ? pci_port_type(parent) : -1;
    unsigned devices = port == PCIE_ROOT_PORT || port == PCIE_DOWNSTREAM ? 1 : DEVICES_PER_BUS;
    for (unsigned dev = 0; dev < devices; dev++) {
        struct pci_function *first = function_scan(BDF(bus, dev, 0), parent);
        for (unsigned fn = 1; first && first->multifunction && fn < FUNCTIONS_PER; fn++)
            function_scan(BDF(bus, dev, fn), parent);
    }
}

/* Only AML names the root buses beside bus 0, such as that of a second processor. One without a
 * device 0 is not found, and so VT-d gives its functions no access to memory. */
void pci_scan(void)
{
    pci_functions_clear(); /* host tests scan several machines */
    memset(innermost, 0, sizeof(innermost));
    pci_config_init();
    for (unsigned bus = 0; bus < BUS_COUNT; bus++) {
        struct pci_function *bridge = innermost[bus];
        bdf_t first = BDF(bus, 0, 0);
        if (bridge ? bridge->secondary_bus == bus
                   : bus == 0 || (pci_has_ecam(first) && is_present(first)))
            bus_scan(bus, bridge);
    }
    log_info("functions=%zu", pci_count());
}
