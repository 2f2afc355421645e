/* SPDX-License-Identifier: MIT */
/*
 * The type 0 header of an assigned function, register by register. Its identity comes from the scan
 * at boot: so it stays the same if the device changes its registers, or is gone.
 * From: guest/assign/assign.c.
 * To: guest/assign/vbar.c, guest/assign/intx.c, guest/assign/faults.c (what Command switches),
 * pci/bar.c (pci_decode_restore).
 * Spec: PCI Local Bus 3.0 "Configuration Space Organization", "Device Control", "Base Addresses".
 */
#include "guest/assign/assign.h"
#include "guest/assign/faults.h"

/* Command bits that the guest may set in its view; command_write() sets those of the hardware. */
#define COMMAND_WRITABLE                                                                           \
    (PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |                  \
     PCI_COMMAND_SERR | PCI_COMMAND_INTX_OFF)

/* Decode in the hardware stays on as long as the function is assigned: a guest's access to mapped
 * addresses that no device decodes would be an error of the machine (Unsupported Request). What the
 * guest switches off is unmapped instead. Bus mastering is switched in the hardware, unless a storm
 * of faults has ended it. Its DMA is confined by then: assign_give() attaches the function before
 * it shows this register. A driver that has reset its device by the device's own registers restores
 * the header that it sees, Command last: then Hamlet restores that of the hardware. */
static void command_write(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    bool decode = value & (PCI_COMMAND_MEM | PCI_COMMAND_IO);
    if (f->of && decode && pci_decode_restore(f->of->fn)) /* before its registers are mapped */
        intx_restore(f->of);
    vpci_set_shadow(f, r->offset, 2, value & COMMAND_WRITABLE);
    vbar_update(f);
    if (!f->of)
        return;
    intx_guest_disable(f->of, value & PCI_COMMAND_INTX_OFF);
    faults_bus_master(f->of, value & PCI_COMMAND_MASTER);
}

static const struct vpci_reg header[] = {
    {.offset = PCI_VENDOR_ID, .width = 2, .shadow = 0xffff},
    {.offset = PCI_DEVICE_ID, .width = 2, .shadow = 0xffff},
    /* Bus master is read from the hardware: so a driver sees that its device is parked. */
    {.offset = PCI_COMMAND,
     .width = 2,
     .shadow = 0xffff & ~PCI_COMMAND_MASTER,
     .write = command_write},
    {.offset = PCI_STATUS,
     .width = 2,
     .shadow = PCI_STATUS_CAP_LIST,
     .clear_on_1 = PCI_STATUS_ERRORS},
    {.offset = PCI_REVISION_ID, .width = 4, .shadow = 0xffffffff},
    {.offset = PCI_CACHE_LINE_SIZE, .width = 1, .shadow = 0xff, .writable = 0xff},
    {.offset = PCI_LATENCY_TIMER, .width = 1, .shadow = 0xff, .writable = 0xff},
    {.offset = PCI_HEADER_TYPE, .width = 1, .shadow = 0xff}, /* a single function */
    {.offset = PCI_BIST, .width = 1, .shadow = 0xff},        /* none */
    {.offset = PCI_CAP_POINTER, .width = 1, .shadow = 0xff},
    {.offset = PCI_INTERRUPT_LINE, .width = 1, .shadow = 0xff, .writable = 0xff},
    {.offset = PCI_INTERRUPT_PIN, .width = 1, .shadow = 0xff},
};

void vpci_header_init(struct vpci_function *f)
{
    const struct pci_function *fn = f->of->fn;
    for (size_t i = 0; i < ARRAY_COUNT(header); i++)
        vpci_add(f, header[i]);
    vpci_set_shadow(f, PCI_VENDOR_ID, 2, fn->vendor);
    vpci_set_shadow(f, PCI_DEVICE_ID, 2, fn->device);
    vpci_set_shadow(f, PCI_REVISION_ID, 4, fn->class_code << 8 | fn->revision);
}
