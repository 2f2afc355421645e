/* SPDX-License-Identifier: MIT */
// sources: tests/unit/assign_model.c guest/assign/vpci.c guest/assign/vpci_header.c
// sources: guest/assign/vpci_caps.c guest/assign/vpci_ext.c guest/assign/aer.c guest/assign/vbar.c
// sources: pci/errors.c lib/text.c
// sources: guest/assign/vmsi.c guest/assign/vmsix.c
// sources: guest/assign/irq.c guest/assign/assign.c guest/assign/faults.c guest/assign/dma.c
// sources: guest/assign/audit.c guest/life/config.c guest/core/config.c lib/option.c lib/parse.c
// sources: guest/core/bus.c guest/assign/intx.c guest/pc/vioapic.c pci/caps.c pci/msi.c
// sources: guest/assign/reset.c pci/objection.c pci/requester.c pci/bar.c
// sources: tests/unit/assign_machine.c
/*
 * What a guest reads and writes in the capabilities of an assigned function: what stays in its
 * view, what resets the device, and lists that end early.
 * Spec: PCI Local Bus 3.0 "Capabilities List"; "Advanced Capabilities for Conventional PCI".
 */
#include "tests/unit/vpci_fixture.h"

#define AT_AF 0xd0

static void given(void)
{
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
}

/* As above, with an AF capability behind the others, which has these bits. */
static void given_af(uint8_t capabilities)
{
    again();
    m.config[AT_PCIE + 1] = AT_AF;
    memcpy(m.config + AT_AF, (uint8_t[]){PCI_CAP_ID_AF, 0, 6, capabilities}, 4);
    given();
}

/* The reset bit reads as zero, and what is beside the register is the device's. */
TEST(an_af_reset)
{
    given_af((uint8_t)PCI_AF_CAP_FLR);
    assert_int_equal(vpci_read(f, AT_PCIE + 1, 1), AT_AF);
    assert_int_equal(vpci_read(f, AT_AF + PCI_AF_CONTROL, 1), 0);
    assert_int_equal(vpci_read(f, AT_AF + PCI_AF_CONTROL + 1, 1), m.config[AT_AF + 5]);
    unsigned resets = m.resets;
    vpci_write(f, AT_AF + PCI_AF_CONTROL, 1, 0xfe);
    vpci_write(f, AT_AF + PCI_AF_CONTROL + 1, 1, 0xff);
    vpci_write(f, AT_AF + PCI_AF_CAPABILITIES, 1, 0xff);
    assign_tick(&m.vm);
    assert_int_equal(m.resets, resets);
    vpci_write(f, AT_AF + PCI_AF_CONTROL, 1, PCI_AF_FLR);
    assert_int_equal(vpci_read(f, AT_AF, 1), 0xff); /* it is busy with that */
    assign_tick(&m.vm);
    assert_int_equal(m.resets, resets + 1);
    assert_int_equal(vpci_read(f, AT_AF + PCI_AF_CONTROL, 1), 0);
}

/* The device says that it has no such reset: the register is read-only. */
TEST(no_af_reset)
{
    given_af((uint8_t)~PCI_AF_CAP_FLR);
    unsigned resets = m.resets, writes = m.config_writes;
    assert_int_equal(vpci_read(f, AT_PCIE + 1, 1), AT_AF);
    assert_int_equal(vpci_read(f, AT_AF + PCI_AF_CONTROL, 1), m.config[AT_AF + 4]);
    vpci_write(f, AT_AF + PCI_AF_CONTROL, 1, PCI_AF_FLR);
    assign_tick(&m.vm);
    assert_int_equal(m.resets, resets);
    assert_int_equal(m.config_writes, writes);
}

/* "Device Control Register": the guest reads what the firmware set, and then what it wrote. */
TEST(payload_sizes_stay_in_the_view)
{
    again();
    m.config[AT_PCIE_CONTROL] = 0x50;
    m.config[AT_PCIE_CONTROL + 1] = 0x29;
    given();
    unsigned resets = m.resets;
    assert_int_equal(vpci_read(f, AT_PCIE_CONTROL, 2), 0x2950);
    vpci_write(f, AT_PCIE_CONTROL, 2, 0x5810);
    assert_int_equal(vpci_read(f, AT_PCIE_CONTROL, 2), 0x5810);
    assert_int_equal(pci_read16(m.fn.bdf, AT_PCIE_CONTROL), 0x2950);
    assert_int_equal(m.resets, resets);
    vpci_write(f, AT_PCIE_CONTROL, 2, 0x5810 | PCIE_DEVICE_FLR);
    assign_tick(&m.vm);
    assert_int_equal(vpci_read(f, AT_PCIE_CONTROL, 2), 0x5810);
    assert_int_equal(m.resets, resets + 1);
}

/* The registers beside the links are as their owners set them. */
TEST(message_controls_at_first)
{
    assert_int_equal(vpci_read(f, AT_MSI_CONTROL, 2), 0x84);
    assert_int_equal(vpci_read(f, AT_MSIX_CONTROL, 2), 4);
    assert_int_equal(vpci_read(f, AT_PM + PCI_PM_CONTROL, 2), PCI_PM_NO_SOFT_RESET);
    assert_int_equal(vpci_read(f, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, PCI_STATUS_CAP_LIST);
    vpci_write(f, AT_PM + PCI_PM_CONTROL, 2, 0xffff);
    assert_int_equal(vpci_read(f, AT_PM + PCI_PM_CONTROL, 2), PCI_PM_NO_SOFT_RESET | PCI_PM_STATE);
}

/* "Status Register": without the bit there is no list, whatever the pointer says. */
TEST(a_device_without_a_list)
{
    again();
    m.config[PCI_STATUS] = 0;
    given();
    assert_int_equal(vpci_read(f, PCI_CAP_POINTER, 1), 0);
    assert_int_equal(vpci_read(f, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);
}

/* Links may lead back. */
TEST(a_list_in_another_order)
{
    again();
    m.config[PCI_CAP_POINTER] = AT_MSI;
    m.config[AT_MSI + 1] = AT_PM;
    m.config[AT_PM + 1] = AT_MSIX;
    given();
    assert_int_equal(vpci_read(f, PCI_CAP_POINTER, 1), AT_MSI);
    assert_int_equal(vpci_read(f, AT_MSI + 1, 1), AT_PM);
    assert_int_equal(vpci_read(f, AT_PM + 1, 1), AT_MSIX);
}

/* A table that does not lie in its BAR: the link leads past it. */
TEST(a_table_that_cannot_be_trusted)
{
    again();
    m.config[AT_MSIX_TABLE + 1] = 0x40; /* the BAR has 0x4000 bytes */
    given();
    assert_int_equal(vpci_read(f, AT_MSI + 1, 1), AT_PCIE);
    assert_null(f->msix);
    unsigned writes = m.config_writes;
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_int_equal(m.config_writes, writes);
}

/* Without entries of the remapping table for its messages the device is not given. */
TEST(no_entries_left)
{
    again();
    m.irtes_left = 0;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), -ENOSPC);
    assert_null(m.vm.pci->functions[1]);
}

/* The latch is 0 after a reset of the VM. */
TEST(the_bus_after_a_reset)
{
    m.vm.pci->address = 0x80000800;
    vpci_reset(&m.vm);
    assert_int_equal(m.vm.pci->address, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_af_reset),
        CASE(no_af_reset),
        CASE(payload_sizes_stay_in_the_view),
        CASE(message_controls_at_first),
        CASE(a_device_without_a_list),
        CASE(a_list_in_another_order),
        CASE(a_table_that_cannot_be_trusted),
        CASE(no_entries_left),
        CASE(the_bus_after_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
