/* SPDX-License-Identifier: MIT */
/*
 * MSI of an assigned function. The guest's address and data stay in the shadow and decide where the
 * interrupt goes. The device gets one message in remappable format, which never changes.
 * From: guest/assign/vpci_caps.c, guest/assign/reset.c.   To: guest/assign/irq.c, pci/msi.c.
 * Spec: PCI Local Bus 3.0 "MSI Capability Structure".
 */
#include "guest/assign/assign.h"

static uint16_t data_offset(const struct vpci_function *f)
{
    return (uint16_t)(f->cap_msi + PCI_MSI_DATA(f->msi_info.is_64bit));
}

static void msi_silence(struct vpci_function *f)
{
    pci_msi_enable(f->of->fn, false);
    f->msi_live = false;
    for (unsigned i = 0; i < 1u << f->msi_info.message_count_log2; i++)
        irq_route_block(&f->msi[i]);
}

/* Write the device's message. It names the first of the IRTEs and stays the same: the vectors and
 * vCPUs stand in the IRTEs. So it is written only when the guest writes Message Control, but then
 * always: a device that was reset by its own registers has lost it. */
static void msi_program(struct vpci_function *f, unsigned count_log2)
{
    bool subhandle = f->msi_info.message_count_log2 > 0;
    if (f->msi_live)
        return;
    pci_msi_set(f->of->fn, vtd_msi_address(f->msi[0].irte, subhandle), 0, count_log2);
    pci_msi_enable(f->of->fn, true);
    f->msi_live = true;
}

/* Make routes and device what the shadow says. Routes are set before the device is enabled, and
 * blocked after it was reprogrammed, so the device never sends a message whose route is blocked. */
static void msi_update(struct vpci_function *f)
{
    uint32_t control = vpci_shadow(f, f->cap_msi + PCI_MSI_CONTROL, 2);
    unsigned log2 = (unsigned)FIELD_GET(PCI_MSI_COUNT, control);
    uint64_t address = vpci_shadow(f, f->cap_msi + PCI_MSI_ADDRESS, 4);
    uint32_t data = vpci_shadow(f, data_offset(f), 2);
    unsigned all = 1u << f->msi_info.message_count_log2;
    unsigned used = 1u << MIN(log2, f->msi_info.message_count_log2);
    if (!(control & PCI_MSI_ENABLE)) {
        msi_silence(f);
        return;
    }
    if (f->msi_info.is_64bit)
        address |= (uint64_t)vpci_shadow(f, f->cap_msi + PCI_MSI_ADDRESS_HI, 4) << 32;
    for (unsigned i = 0; i < used; i++)
        irq_route_set(&f->msi[i], address, (data & ~(used - 1)) | i);
    msi_program(f, (unsigned)__builtin_ctz(used));
    for (unsigned i = used; i < all; i++)
        irq_route_block(&f->msi[i]);
}

void vmsi_reroute(struct vpci_function *f)
{
    if (f->cap_msi && f->msi_live)
        msi_update(f);
}

static void msi_write(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    uint32_t old = vpci_shadow(f, r->offset, r->width);
    vpci_set_shadow(f, r->offset, r->width, (old & ~r->writable) | (value & r->writable));
    if (r->offset == f->cap_msi + PCI_MSI_CONTROL)
        f->msi_live = false;
    msi_update(f);
}

static void msi_add(struct vpci_function *f, unsigned at, uint8_t width, uint32_t writable)
{
    vpci_add(f, (struct vpci_reg){.offset = (uint16_t)(f->cap_msi + at),
                                  .width = width,
                                  .shadow = 0xffffffff,
                                  .writable = writable,
                                  .write = msi_write});
}

int vmsi_init(struct vpci_function *f, uint8_t at)
{
    struct pci_msi_info info = pci_msi_info(f->of->fn);
    uint16_t control =
        (uint16_t)(FIELD_SET(PCI_MSI_CAPABLE, info.message_count_log2) |
                   (info.is_64bit ? PCI_MSI_64 : 0) | (info.maskable ? PCI_MSI_MASKABLE : 0));
    f->cap_msi = at;
    f->msi_info = info;
    msi_add(f, PCI_MSI_CONTROL, 2, PCI_MSI_ENABLE | PCI_MSI_COUNT);
    vpci_set_shadow(f, f->cap_msi + PCI_MSI_CONTROL, 2, control);
    msi_add(f, PCI_MSI_ADDRESS, 4, ~UINT32_C(3));
    if (info.is_64bit)
        msi_add(f, PCI_MSI_ADDRESS_HI, 4, ~UINT32_C(0));
    msi_add(f, PCI_MSI_DATA(info.is_64bit), 2, 0xffff);
    if (info.maskable) /* the device masks: the guest's mask bits go to the hardware as they are */
        vpci_add(f, (struct vpci_reg){.offset = (uint16_t)(at + PCI_MSI_MASK(info.is_64bit)),
                                      .width = 4,
                                      .writable = ~UINT32_C(0)});
    int err = irq_routes_alloc(f->of, f->msi, 1u << info.message_count_log2);
    if (err)
        f->cap_msi = 0;
    return err;
}

void vmsi_release(struct vpci_function *f)
{
    if (!f->cap_msi)
        return;
    msi_silence(f);
    irq_routes_free(f->msi, 1u << f->msi_info.message_count_log2);
}

void vmsi_reset(struct vpci_function *f)
{
    if (!f->cap_msi)
        return;
    uint32_t control = vpci_shadow(f, f->cap_msi + PCI_MSI_CONTROL, 2);
    vpci_set_shadow(f, f->cap_msi + PCI_MSI_CONTROL, 2, control & (uint32_t)~PCI_MSI_ENABLE);
    msi_silence(f);
}
