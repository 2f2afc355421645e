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
 * What a guest can do to an assigned function through config space, BARs and MSI-X table, against a
 * model of the device (tests/unit/assign_model.c).
 */
#include <string.h>
#include "tests/unit/test.h"
#include "tests/unit/vpci_fixture.h"

/* A guest's port access, as guest/pc/pio.c would bring it. */
static uint32_t port_in(uint16_t port, unsigned width)
{
    const struct vm_range *r = vm_bus_find(&m.vm.pio, port);
    assert_non_null(r);
    return (uint32_t)(r->read(&asking, r->owner, port - r->base, width) & WIDTH_MASK(width));
}

static void port_out(uint16_t port, unsigned width, uint32_t value)
{
    const struct vm_range *r = vm_bus_find(&m.vm.pio, port);
    assert_non_null(r);
    r->write(&asking, r->owner, port - r->base, width, value);
}

/* PCI "Configuration Mechanism #1": bytes and words of the dword that the latch names. */
TEST(both_doors_show_the_same)
{
    port_out(0xcf8, 4, 0x80000800);
    assert_int_equal(port_in(0xcfc, 4), 0x11e81234);
    assert_int_equal(port_in(0xcfe, 2), 0x11e8);
    assert_int_equal(port_in(0xcfd, 1), 0x12);
    const struct vm_range *ecam = vm_bus_find(&m.vm.mmio, VM_ECAM_BASE + 0x8000);
    assert_int_equal(LO32(ecam->read(&asking, ecam->owner, 0x8000, 8)), 0x11e81234);
    port_out(0xcf8, 4, 0x00000800); /* not enabled */
    assert_int_equal(port_in(0xcfc, 4), 0xffffffff);
    port_out(0xcf8, 4, 0x80001000); /* no device at 00:02.0 */
    assert_int_equal(port_in(0xcfc, 4), 0xffffffff);
    /* the reset register of a chipset, guest/pc/vpower.c's: not a byte of the latch */
    port_out(0xcf9, 1, 6);
    assert_int_equal(port_in(0xcf8, 4), 0x80001000);
}

/* PCI "Base Addresses": a BAR written with ones reads its size; it follows while decode is on. */
TEST(bars_are_sized_and_moved)
{
    uint32_t at = vpci_read(f, PCI_BAR(0), 4);
    assert_true(model_maps(at, 0x100000));
    vpci_write(f, PCI_BAR(0), 4, 0xffffffff);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xfff00000);
    assert_false(model_maps_any(at, 0x100000));
    assert_false(model_maps_any(0xfff00000, 0x100000)); /* no place for a BAR */
    vpci_write(f, PCI_BAR(0), 4, 0xd8012345);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd8000000);
    assert_true(model_maps(0xd8000000, 0x100000));
    vpci_write(f, PCI_COMMAND, 2, 0); /* decode off: unmapped, though the device still decodes */
    assert_false(model_maps_any(0xd8000000, 0x100000));
    assert_int_equal(m.config[PCI_COMMAND] & 3, 3);
}

TEST(a_bar_is_not_placed_over_ram_apics_or_another)
{
    static const uint32_t bad[] = {0,          0x100000,   0xbff00000,    0xc0000000,
                                   0xfec00000, 0xfee00000, MODEL_RESERVED};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        vpci_write(f, PCI_BAR(0), 4, bad[i]);
        assert_false(model_maps_any(bad[i], 0x100000));
    }
    uint32_t other = vpci_read(f, PCI_BAR(1), 4);
    vpci_write(f, PCI_BAR(0), 4, other & 0xfff00000);
    assert_false(model_maps(other & 0xfff00000, 0x100000));
}

/* The same ports pass; others are forwarded, and nothing passes twice. */
TEST(the_io_bitmap_follows_an_io_bar)
{
    assert_int_equal(vpci_read(f, PCI_BAR(4), 4), 0xc041);
    assert_true(m.port_passes[0xc040] && m.port_passes[0xc05f]);
    assert_false(m.port_passes[0xc03f] || m.port_passes[0xc060]);
    vpci_write(f, PCI_BAR(4), 4, 0xd000);
    assert_false(m.port_passes[0xc040] || m.port_passes[0xd000]);
    assert_int_equal(port_in(0xd005, 1), 0x45); /* the host's port 0xc045 */
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);
    assert_null(vm_bus_find(&m.vm.pio, 0xd000));
    vpci_write(f, PCI_BAR(4), 4, 0xc040);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_IO);
    assert_true(m.port_passes[0xc040]);
}

TEST(a_bar_below_a_page_is_forwarded)
{
    uint32_t at = vpci_read(f, PCI_BAR(2), 4);
    assert_false(model_maps_any(at, 0x100));
    assert_non_null(vm_bus_find(&m.vm.mmio, at));
    assert_null(vm_bus_find(&m.vm.mmio, at + 0x100));
}

/* PCI "Capabilities List": what is not understood is skipped. */
TEST(the_capability_list_is_relinked)
{
    assert_int_equal(vpci_read(f, PCI_CAP_POINTER, 1), AT_PM);
    assert_int_equal(vpci_read(f, AT_PM, 2), AT_MSI << 8 | PCI_CAP_ID_PM);
    assert_int_equal(vpci_read(f, AT_MSI, 2), AT_MSIX << 8 | PCI_CAP_ID_MSI);
    assert_int_equal(vpci_read(f, AT_MSIX, 2), AT_PCIE << 8 | PCI_CAP_ID_MSIX);
    assert_int_equal(vpci_read(f, AT_PCIE, 2), PCI_CAP_ID_PCIE);
    assert_int_equal(vpci_read(f, 0x100, 4), 0);
}

static void link_capability(uint8_t at, uint8_t id, uint8_t next)
{
    m.config[at] = id;
    m.config[at + 1] = next;
}

/* The list is the device's: it has two MSI capabilities, it has more than fit anywhere, it is
 * another one than the scan saw, it runs in a circle. What Hamlet acts on is shown once, or
 * not at all. */
TEST(a_hostile_capability_list_shows_no_more)
{
    again();
    link_capability(AT_PCIE, PCI_CAP_ID_MSI, 0xd0);
    link_capability(0xd0, PCI_CAP_ID_MSIX, 0);
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, AT_MSIX, 2), 0x0011); /* the second of each is hidden */
    again();
    for (unsigned at = 0x80; at < 0xc0; at += 4)
        link_capability((uint8_t)at, PCI_CAP_ID_VENDOR, (uint8_t)(at + 4));
    link_capability(AT_MSIX, PCI_CAP_ID_MSIX, 0x80);
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, 0x9c, 2) >> 8, AT_PCIE); /* 8 of 16, then PCIe */
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    link_capability(AT_PM, PCI_CAP_ID_MSI, AT_MSI);
    link_capability(AT_MSI, PCI_CAP_ID_PM, AT_PM);
    assert_int_equal(assign_hot(&m.vm, &m.vm.config.devices[0]), 0);
    assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_CAP_POINTER, 1), 0);
    f = m.vm.pci->functions[1];
    again();
    link_capability(AT_PCIE, PCI_CAP_ID_PCIE, AT_PM); /* a circle: the scan notes nothing of it */
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_CAP_POINTER, 1), 0);
    f = m.vm.pci->functions[1];
}

/* PCI Express "Function Level Reset (FLR)": the bit does nothing where the device says that
 * it has none. */
TEST(a_reset_that_is_not_there_cannot_be_started)
{
    function_reset();
    assert_int_equal(m.resets, 2); /* when it was given, and now */
    assert_int_equal(vpci_read(f, AT_PCIE_CONTROL, 2), 0);
    again();
    m.config[AT_PCIE + PCIE_DEVICE_CAP + 3] = 0;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    function_reset();
    assert_int_equal(m.resets, 1);
}

/* XSA-128: a wide write across registers must reach each one's own rule. */
TEST(unlisted_registers_are_read_only)
{
    unsigned before = m.config_writes;
    for (uint16_t at = 0x80; at < 0xc0; at += 4)
        vpci_write(f, at, 4, 0xffffffff);
    vpci_write(f, PCI_VENDOR_ID, 4, 0xffffffff);
    vpci_write(f, AT_MSI, 1, 0xff);
    assert_int_equal(m.config_writes, before);
    assert_int_equal(vpci_read(f, 0x84, 1), (0x84 * 7) & 0xff);
    assert_int_equal(vpci_read(f, PCI_VENDOR_ID, 4), 0x11e81234);
}

TEST(bus_master_is_the_guests_while_it_is_attached)
{
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    vpci_write(f, PCI_COMMAND, 2, 7);
    assert_true(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    vpci_write(f, PCI_COMMAND, 1, 3);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    vpci_write(f, PCI_COMMAND, 2, 7);
    model_end();
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    model_init(PLAN_POST_HW, BAR_EAGER);
}

TEST(a_lazy_bar_is_mapped_at_the_first_touch)
{
    model_end();
    model_init(PLAN_POST_HW, BAR_LAZY);
    f = m.vm.pci->functions[1];
    uint32_t at = vpci_read(f, PCI_BAR(0), 4);
    assert_false(model_maps_any(at, 0x100000));
    assert_true(vm_bus_map(&m.vm, at + 0x80));
    assert_true(model_maps(at, 0x100000));
    assert_int_equal(vm_bus_map(&m.vm, at + 0x80), -ENOENT); /* its range is gone: it is mapped */
    assert_int_equal(vm_bus_map(&m.vm, 0xdf000000), -ENOENT);
}

/* An I/O BAR put where another range begins is not mapped, and does not take that range away. */
TEST(a_bar_in_the_way_of_another_range_is_not_mapped)
{
    assert_int_equal(vm_bus_add(&m.vm.pio, VM_TRAPPED(0xd000, 8, "taken", NULL, NULL, NULL)), 0);
    vpci_write(f, PCI_BAR(4), 4, 0xd000);
    assert_string_equal(vm_bus_find(&m.vm.pio, 0xd000)->name, "taken");
    vpci_write(f, PCI_BAR(4), 4, 0xd100);
    assert_string_equal(vm_bus_find(&m.vm.pio, 0xd000)->name, "taken");
    vm_bus_remove(&m.vm.pio, 0xd000);
    assert_int_equal(port_in(0xd105, 1), 0x45);
}

/* PCI "Expansion ROM Base Address Register": shown if its place is the device's own, read-only. */
TEST(a_rom_without_a_place_is_not_shown)
{
    for (uint32_t base = 0; base <= 0xfe800000; base += 0xfe800000) {
        again();
        m.fn.rom = (struct pci_bar){PCI_BAR_MEM, false, false, base, 0x10000};
        m.vm.config.devices[0].rom = true;
        assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
        f = m.vm.pci->functions[1];
        vpci_write(f, PCI_ROM, 4, 0xfffff800);
        assert_int_equal(vpci_read(f, PCI_ROM, 4), base ? 0xffff0000 : 0);
        vpci_write(f, PCI_ROM, 4, 0xdf000000 | PCI_ROM_ENABLE);
        assert_int_equal(model_maps(0xdf000000, 0x10000), base != 0);
        function_reset();
        vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);
        assert_false(model_maps_any(0xdf000000, 0x10000));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(both_doors_show_the_same),
        CASE(bars_are_sized_and_moved),
        CASE(a_bar_is_not_placed_over_ram_apics_or_another),
        CASE(the_io_bitmap_follows_an_io_bar),
        CASE(a_bar_below_a_page_is_forwarded),
        CASE(the_capability_list_is_relinked),
        CASE(a_hostile_capability_list_shows_no_more),
        CASE(a_reset_that_is_not_there_cannot_be_started),
        CASE(unlisted_registers_are_read_only),
        CASE(bus_master_is_the_guests_while_it_is_attached),
        CASE(a_lazy_bar_is_mapped_at_the_first_touch),
        CASE(a_bar_in_the_way_of_another_range_is_not_mapped),
        CASE(a_rom_without_a_place_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
