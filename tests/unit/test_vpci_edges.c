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
 * The edges of what a guest can do through config space, BARs and MSI-X table: two VMs, odd
 * widths, the ends of address spaces, tables of two pages, a device that changes after the scan.
 */
#include "tests/unit/vpci_fixture.h"

static uint32_t latch_of(struct vm *vm)
{
    const struct vm_range *r = vm_bus_find(&vm->pio, 0xcf8);
    return (uint32_t)r->read(&asking, r->owner, 0, 4);
}

static void port_out(struct vm *vm, uint16_t port, unsigned width, uint32_t value)
{
    const struct vm_range *r = vm_bus_find(&vm->pio, port);
    r->write(&asking, r->owner, port - r->base, width, value);
}

static uint32_t port_in(struct vm *vm, uint16_t port, unsigned width)
{
    const struct vm_range *r = vm_bus_find(&vm->pio, port);
    return (uint32_t)(r->read(&asking, r->owner, port - r->base, width) & WIDTH_MASK(width));
}

static void ecam_out(uint64_t offset, unsigned width, uint64_t value)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, VM_ECAM_BASE + offset);
    r->write(&asking, r->owner, offset, width, value);
}

/* PCI "Configuration Mechanism #1": between the two accesses of one VM another one makes its
 * own. */
TEST(each_vm_has_a_latch)
{
    struct vm *other = model_other_vm();
    port_out(&m.vm, 0xcf8, 4, 0x80000800);
    port_out(other, 0xcf8, 4, 0x80000000);
    assert_int_equal(latch_of(&m.vm), 0x80000800);
    assert_int_equal(latch_of(other), 0x80000000);
    assert_int_equal(port_in(&m.vm, 0xcfc, 4), 0x11e81234);
    assert_int_equal(port_in(other, 0xcfc, 4), 0x00081b36); /* the bridge: it has no device */
    port_out(other, 0xcf8, 4, 0x80000800);
    assert_int_equal(port_in(other, 0xcfc, 4), UINT32_MAX);
    model_end_other_vm();
}

/* "Configuration Mechanism #1": anything but a dword is no access to the latch. One byte beside its
 * first is the reset register of a chipset. */
TEST(the_latch_takes_dwords)
{
    port_out(&m.vm, 0xcf8, 4, 0x80000800);
    m.events[0] = '\0';
    for (unsigned width = 1; width <= 2; width++)
        for (uint16_t port = 0xcf8; port + width <= 0xcfc; port++) {
            assert_int_equal(port_in(&m.vm, port, width), width == 1 ? 0xff : 0xffff);
            port_out(&m.vm, port, width, port & 0xff);
        }
    assert_int_equal(latch_of(&m.vm), 0x80000800);
    assert_string_equal(m.events, "reset-register 249; ");
    port_out(&m.vm, 0xcf9, 1, 6);
    assert_string_equal(m.events, "reset-register 249; reset-register 6; ");
}

/* The last registers of a function, and an access that reaches over them. */
TEST(an_access_over_the_end_of_a_function)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, VM_ECAM_BASE);
    for (unsigned at = 0xff0; at < 0x1000; at++)
        for (unsigned width = 1; width <= 8; width *= 2) {
            unsigned first = MIN(width, 4u);
            uint64_t value = r->read(&asking, r->owner, 0x8000 + at, width);
            assert_int_equal(value & WIDTH_MASK(first),
                             at + first > 0x1000 ? WIDTH_MASK(first) : 0);
            if (width == 8)
                assert_int_equal(value >> 32, at + 8 > 0x1000 ? UINT32_MAX : 0);
            ecam_out(0x8000 + at, width, UINT64_MAX);
        }
}

/* Both doors have the filter, for writes too. */
TEST(a_write_through_ecam_is_filtered)
{
    unsigned before = m.config_writes;
    ecam_out(0x8000 + PCI_VENDOR_ID, 4, UINT32_MAX);
    ecam_out(0x8000 + 0x84, 4, UINT32_MAX);
    ecam_out(0x8000 + 0x100, 8, UINT64_MAX);
    assert_int_equal(m.config_writes, before);
    ecam_out(0x8000 + PCI_BAR(0), 4, 0xd8000000);
    assert_true(model_maps(0xd8000000, 0x100000));
    assert_int_equal(pci_read32(m.fn.bdf, PCI_BAR(0)), 0xfeb00000); /* the device's own stays */
    ecam_out(0x8000 + PCI_BAR(0), 8, 0xd9000000da000000);           /* two registers */
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xda000000);
    assert_int_equal(vpci_read(f, PCI_BAR(1), 4), 0xd9000000);
    ecam_out(0x108000 + PCI_BAR(0), 4, 0xdb000000); /* another bus: not there */
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xda000000);
}

/* The ports of an I/O BAR pass, but an access over its edge exits. The device gets its own bytes,
 * in the widest parts that are aligned, as from a bridge. Here it answers with its port. */
TEST(an_access_over_the_edge_of_an_io_bar)
{
    uint32_t at = vpci_read(f, PCI_BAR(4), 4) & ~3u, last = at + (uint32_t)m.fn.bars[4].size - 1;
    uint64_t value;
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_IO);
    assert_true(m.port_passes[at]);
    assert_true(vm_bus_read(&asking, &m.vm.pio, at - 2, 4, &value));
    assert_true(value == (0xffff | (uint64_t)at << 16));
    assert_true(vm_bus_read(&asking, &m.vm.pio, last, 2, &value));
    assert_true(value == (0xff00 | (last & 0xff)));
    assert_true(vm_bus_write(&asking, &m.vm.pio, last, 4, 0x44332211));
    assert_int_equal(m.last_out[0], last);
    assert_int_equal(m.last_out[1], 0x11);
    vpci_write(f, PCI_BAR(4), 4, 0xd000); /* elsewhere, they are forwarded */
    assert_false(m.port_passes[at]);
    assert_true(vm_bus_read(&asking, &m.vm.pio, 0xcffe, 4, &value));
    assert_true(value == (0xffff | (uint64_t)at << 16));
}

/* A BAR whose end is the end of 64 bits, which is what a guest writes to size it. */
TEST(a_bar_of_ones_has_no_place)
{
    const uint64_t high_end = VM_MMIO64_BASE + VM_MMIO64_SIZE;
    again();
    m.fn.bars[2] = (struct pci_bar){PCI_BAR_MEM, true, true, 0xfe900000, 0x4000};
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    uint32_t at = vpci_read(f, PCI_BAR(2), 4) & ~15u;
    assert_true(model_maps(at, 0x4000));
    vpci_write(f, PCI_BAR(2), 4, UINT32_MAX);
    vpci_write(f, PCI_BAR(3), 4, UINT32_MAX);
    assert_int_equal(vpci_read(f, PCI_BAR(2), 4), 0xffffc00c);
    assert_int_equal(vpci_read(f, PCI_BAR(3), 4), UINT32_MAX);
    for (unsigned i = 0; i < m.map_count; i++)
        assert_true(m.mapped[i][0] < VM_MMIO_END);
    assert_false(model_maps_any(at, 0x4000));
    vpci_write(f, PCI_BAR(2), 4, 0);
    vpci_write(f, PCI_BAR(3), 4, HI32(VM_MMIO64_BASE));
    assert_true(model_maps(VM_MMIO64_BASE, 0x4000));
    vpci_write(f, PCI_BAR(3), 4, HI32(high_end));
    assert_false(model_maps_any(high_end, 0x4000));
    vpci_write(f, PCI_BAR(2), 4, 0xffffc000);
    vpci_write(f, PCI_BAR(3), 4, HI32(high_end) - 1); /* the last place that there is */
    assert_true(model_maps(high_end - 0x4000, 0x4000));
}

/* From 255 GiB of RAM on, 256 GiB is no place for a BAR. */
TEST(no_bar_over_ram)
{
    again();
    m.vm.ram_size = UINT64_C(400) << 30;
    m.fn.bars[2] = (struct pci_bar){PCI_BAR_MEM, true, true, UINT64_C(0x400000000), BIT(30)};
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, PCI_BAR(3), 4), 128); /* 512 GiB */
    assert_true(model_maps(UINT64_C(512) << 30, BIT(30)));
    vpci_write(f, PCI_BAR(3), 4, HI32(VM_MMIO64_BASE));
    assert_false(model_maps_any(VM_MMIO64_BASE, BIT(30)));
    m.vm.ram_size = 0;
}

/* The ports of a PC are below 0x1000, and belong to the virtual one. */
TEST(no_io_bar_below_0x1000)
{
    static const uint32_t bad[] = {0, 0x20, 0x800, 0xfe0, 0x10000};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        vpci_write(f, PCI_BAR(4), 4, bad[i]);
        assert_null(vm_bus_find(&m.vm.pio, bad[i]));
        assert_false(m.port_passes[bad[i] & 0xffff]);
    }
    vpci_write(f, PCI_BAR(4), 4, 0x1000);
    assert_non_null(vm_bus_find(&m.vm.pio, 0x101f));
    vpci_write(f, PCI_BAR(4), 4, 0xffe0);
    assert_non_null(vm_bus_find(&m.vm.pio, 0xffff));
}

/* PCI "MSI-X Table Entries": 300 of them are more than fit into a page, so two pages trap. */
TEST(a_table_of_two_pages_is_a_hole)
{
    again();
    /* 300 entries at 0x1000 of BAR 1, the PBA at 0x3000 */
    static const uint8_t large[] = {0x2b, 1, 0x01, 0x10, 0, 0, 0x01, 0x30, 0, 0};
    memcpy(m.config + AT_MSIX_CONTROL, large, sizeof(large));
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    uint32_t at = vpci_read(f, PCI_BAR(1), 4);
    assert_true(model_maps(at, 0x1000));
    assert_false(model_maps_any(at + 0x1000, 0x2000));
    assert_true(model_maps(at + 0x3000, 0x1000));
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    table(299 * 16, 8, 0xfee01000);
    table(299 * 16 + 8, 4, 0x55);
    table(299 * 16 + 12, 4, 0);
    assert_int_equal(table_in(299 * 16, 8), 0xfee01000);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 299 * 16), 0xfee00010 | 5 << 5);
    table(300 * 16, 4, 0xabcd); /* behind the last entry: a register */
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 300 * 16), 0xabcd);
}

/* The PBA is read-only to its last byte, an access that ends or begins in it included. */
TEST(the_pba_is_read_only)
{
    table(0xc, 4, 0xabcd); /* right before the table: a register */
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0xc), 0xabcd);
    assert_int_equal(table_in(0xc, 4), 0xabcd);
    table(0x7f8, 8, UINT64_MAX);
    table(0x800, 4, UINT32_MAX);
    table(0x804, 4, UINT32_MAX);
    table(0x808, 4, UINT32_MAX);
    assert_int_equal(*(uint64_t *)(m.bar_bytes + 0x7f8), UINT64_MAX);
    assert_int_equal(*(uint64_t *)(m.bar_bytes + 0x800), 0);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x808), UINT32_MAX);
    table(0x7fc, 8, 0); /* half in it */
    assert_int_equal(*(uint64_t *)(m.bar_bytes + 0x7f8), UINT64_MAX);
    table(0x804, 8, 0); /* the other half */
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x808), UINT32_MAX);
}

/* PCI "MSI Capability Structure": fewer messages, and the others lead nowhere any more. */
TEST(messages_that_are_not_enabled_are_blocked)
{
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x44);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 2));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(f->msi[i].delivery, IRQ_POSTED);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 1));
    assert_int_equal(f->msi[1].delivery, IRQ_POSTED);
    assert_int_equal(f->msi[2].delivery, IRQ_UNROUTED);
    assert_int_equal(f->msi[3].delivery, IRQ_UNROUTED);
    vpci_write(f, AT_MSI_CONTROL, 2, 0);
    assert_int_equal(f->msi[0].delivery, IRQ_UNROUTED);
}

static enum irq_delivery delivery_of(uint32_t address, uint32_t data)
{
    vpci_write(f, AT_MSI_CONTROL, 2, 0);
    vpci_write(f, AT_MSI_ADDRESS, 4, address);
    vpci_write(f, AT_MSI_DATA, 2, data);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    return f->msi[0].delivery;
}

/* SDM "Message Address Register Format", "Message Data Register Format": vectors 0 to 15 are not
 * for interrupts; other addresses are memory. */
TEST(no_message_below_vector_16)
{
    assert_int_equal(delivery_of(0xfee01000, 0x0f), IRQ_UNROUTED);
    assert_int_equal(delivery_of(0xfee01000, 0x10), IRQ_POSTED);
    assert_int_equal(delivery_of(0xfed01000, 0x44), IRQ_UNROUTED);
    assert_int_equal(delivery_of(0xfef01000, 0x44), IRQ_UNROUTED);
    assert_int_equal(delivery_of(0xfee01000, 0x00), IRQ_UNROUTED);
}

/* A message that VT-d does not post reaches each of its vCPUs, and is counted. */
TEST(a_remapped_message_is_passed_on)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        f->of->config.irq = turn ? IRQ_INJECT : IRQ_REMAP;
        m.posted = m.posted_by_exit = m.posted_to = 0;
        assert_int_equal(delivery_of(0xfee03004, 0x44), turn ? IRQ_INJECTED : IRQ_SOFTWARE);
        assert_int_equal(m.last_remapped, f->msi[0].irte);
        assert_non_null(strstr(m.events, "remap 0x41; "));
        m.handler(m.handler_ctx);
        assert_int_equal(m.posted, 2);
        assert_int_equal(m.posted_to, 3);
        assert_int_equal(m.posted_by_exit, turn ? 2 : 0);
        assert_int_equal(m.last_vector, 0x44);
        assert_int_equal(f->msi[0].count, turn + 1);
        assert_int_equal(m.vm.irq_count, turn + 1);
    }
}

/* Message n uses entry n of the function's, and the one vCPU that it names. */
TEST(a_posted_message_has_its_own_entry)
{
    m.events[0] = '\0';
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x44);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 1));
    assert_string_equal(m.events, "post 1 0x44; post 1 0x45; ");
    assert_int_equal(f->msi[1].irte, f->msi[0].irte + 1);
    assert_int_equal(m.last_posted, f->msi[1].irte);
    m.events[0] = '\0';
    vpci_write(f, AT_MSI_DATA, 2, 0x44); /* the same again: nothing to do */
    assert_string_equal(m.events, "");
    assert_int_equal(m.blocked, 0);
    vpci_write(f, AT_MSI_CONTROL, 2, 0);
    assert_int_equal(m.blocked, 2);
    assert_int_equal(m.last_blocked, f->msi[1].irte);
    assert_int_equal(f->msi[0].targets, 0);
    vpci_write(f, AT_MSI_CONTROL, 2, 0); /* blocked already */
    assert_int_equal(m.blocked, 2);
}

/* Without a vector of the host what was posted before is blocked, not left as it was. */
TEST(a_message_that_cannot_be_remapped_is_blocked)
{
    assert_int_equal(delivery_of(0xfee01000, 0x44), IRQ_POSTED);
    m.vectors_left = 0;
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee03004);
    assert_int_equal(f->msi[0].delivery, IRQ_UNROUTED);
    assert_int_equal(m.last_blocked, f->msi[0].irte);
    assert_true(m.blocked > 0);
    m.vectors_left = MODEL_VECTORS - 1; /* INTx has one */
}

/* PCI "Expansion ROM Base Address Register": only read, and decoded by the device only while the
 * guest has it enabled. */
TEST(a_rom_is_decoded_while_it_is_enabled)
{
    again();
    m.fn.rom = (struct pci_bar){PCI_BAR_MEM, false, false, 0xfe800000, 0x10000};
    m.vm.config.devices[0].rom = true;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    uint32_t *hardware = (uint32_t *)(m.config + PCI_ROM), place = vpci_read(f, PCI_ROM, 4);
    m.events[0] = '\0';
    vpci_write(f, PCI_ROM, 4, 0xdf000000 | PCI_ROM_ENABLE);
    assert_string_equal(m.events, "map-read-only; ");
    assert_int_equal(*hardware, 0xfe800000 | PCI_ROM_ENABLE);
    vpci_write(f, PCI_ROM, 4, 0xdf000000);
    assert_false(model_maps_any(0xdf000000, 0x10000));
    assert_int_equal(*hardware, 0xfe800000);
    vpci_write(f, PCI_ROM, 4, 0xdf000000 | PCI_ROM_ENABLE);
    function_reset();
    assert_int_equal(*hardware, 0xfe800000);
    assert_int_equal(vpci_read(f, PCI_ROM, 4), 0xdf000000);
    assert_int_not_equal(place, 0);
    vpci_write(f, PCI_ROM, 4, place | PCI_ROM_ENABLE);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_int_equal(*hardware, 0xfe800000);
}

/* The part behind the table finds no memory for its mapping: the part before it is taken out. */
TEST(a_bar_is_mapped_as_a_whole)
{
    uint32_t at = vpci_read(f, PCI_BAR(1), 4);
    vpci_write(f, PCI_COMMAND, 2, 0);
    m.maps_left = 2; /* BAR 0, and the first part of BAR 1 */
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);
    assert_false(model_maps_any(at, 0x4000));
    assert_null(vm_bus_find(&m.vm.mmio, at + 0x1000));
    assert_false(f->bars[1].mapped);
    m.maps_left = -1;
    vpci_write(f, PCI_COMMAND, 2, 0);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);
    assert_true(model_maps(at + 0x2000, 0x2000));
}

/* Ports that the guest has moved are forwarded, each to its own. */
TEST(a_port_is_forwarded_to_its_own)
{
    vpci_write(f, PCI_BAR(4), 4, 0xd000);
    port_out(&m.vm, 0xd005, 1, 0x99);
    assert_int_equal(m.last_out[0], 0xc045);
    assert_int_equal(m.last_out[1], 0x99);
}

/* The host's memory that a VM may have by its devices: BARs as a whole, no byte beside. */
TEST(the_bar_that_holds_an_address)
{
    assert_ptr_equal(vbar_holding(&m.vm, 0xfeb00000, 0x100000), &f->bars[0]);
    assert_ptr_equal(vbar_holding(&m.vm, 0xfea03fff, 1), &f->bars[1]);
    assert_ptr_equal(vbar_holding(&m.vm, 0xfe900100, 0x100), &f->bars[2]);
    assert_null(vbar_holding(&m.vm, 0xfeb00000, 0x100001));
    assert_null(vbar_holding(&m.vm, 0xfeb00001, 0x100000));
    assert_null(vbar_holding(&m.vm, 0xfeaff000, 0x2000));
    assert_null(vbar_holding(&m.vm, 0xfe9000ff, 1));
    assert_null(vbar_holding(&m.vm, 0xfe900200, 1));
    assert_null(vbar_holding(&m.vm, 0xc040, 1)); /* ports */
    struct vm *other = model_other_vm();
    assert_null(vbar_holding(other, 0xfeb00000, 0x1000));
    model_end_other_vm();
}

static void give_again(void)
{
    struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    f = m.vm.pci->functions[1];
}

/* PCI "Capabilities List": a pointer below 0x40 leads into the header, which holds no
 * capabilities. */
TEST(a_link_into_the_header_ends_the_list)
{
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.config[AT_PCIE + 1] = 0x3c;
    m.config[0x3c] = PCI_CAP_ID_VENDOR;
    m.config[0x3d] = 0;
    give_again();
    assert_int_equal(vpci_read(f, AT_PCIE, 2), PCI_CAP_ID_PCIE);
    assert_int_equal(vpci_read(f, PCI_INTERRUPT_PIN, 1), 1);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.config[PCI_CAP_POINTER] = 0x3c;
    give_again();
    assert_int_equal(vpci_read(f, PCI_CAP_POINTER, 1), 0);
    assert_int_equal(vpci_read(f, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);
}

/* What a driver is chosen by stays as the scan saw it, whatever firmware the device runs now. */
TEST(the_identity_is_that_of_the_scan)
{
    again();
    m.fn.class_code = 0x010802;
    m.fn.revision = 3;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    memset(m.config, 0xff, 16);
    assert_int_equal(vpci_read(f, PCI_VENDOR_ID, 4), 0x11e81234);
    assert_int_equal(vpci_read(f, PCI_REVISION_ID, 4), 0x01080203);
    assert_int_equal(vpci_read(f, PCI_CLASS + 3, 1), 1);
    assert_int_equal(vpci_read(f, PCI_HEADER_TYPE, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_vm_has_a_latch),
        CASE(the_latch_takes_dwords),
        CASE(an_access_over_the_end_of_a_function),
        CASE(a_write_through_ecam_is_filtered),
        CASE(a_bar_of_ones_has_no_place),
        CASE(an_access_over_the_edge_of_an_io_bar),
        CASE(no_bar_over_ram),
        CASE(no_io_bar_below_0x1000),
        CASE(a_table_of_two_pages_is_a_hole),
        CASE(the_pba_is_read_only),
        CASE(messages_that_are_not_enabled_are_blocked),
        CASE(no_message_below_vector_16),
        CASE(a_remapped_message_is_passed_on),
        CASE(a_posted_message_has_its_own_entry),
        CASE(a_message_that_cannot_be_remapped_is_blocked),
        CASE(a_rom_is_decoded_while_it_is_enabled),
        CASE(a_bar_is_mapped_as_a_whole),
        CASE(a_port_is_forwarded_to_its_own),
        CASE(the_bar_that_holds_an_address),
        CASE(a_link_into_the_header_ends_the_list),
        CASE(the_identity_is_that_of_the_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
