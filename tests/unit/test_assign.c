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
 * The life of an assignment: given, used, reset, in trouble, taken back.
 */
#include "arch/options.h"
#include "guest/assign/faults.h"
#include "guest/assign/audit.h"
#include "tests/unit/vpci_fixture.h"

/* As a PC after its reset button: nothing that the guest had set is left, in its view or
 * in the device. */
TEST(a_restarted_vm_finds_its_device_as_at_first)
{
    uint8_t first[256];
    unsigned before;
    for (unsigned i = 0; i < sizeof(first); i++)
        first[i] = (uint8_t)vpci_read(f, (uint16_t)i, 1);
    before = m.resets;
    vpci_write(f, PCI_BAR(0), 4, 0xd8000000);
    vpci_write(f, PCI_BAR(4), 4, 0xffffffff); /* in the middle of sizing it */
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    table(0x18, 4, 0x55);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_int_equal(assign_restart_all(&m.vm), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(m.resets, before + 1);
    for (unsigned i = 0; i < sizeof(first); i++)
        assert_int_equal(first[i], vpci_read(f, (uint16_t)i, 1));
    assert_true(model_maps(0xd0000000, 0x100000) && m.port_passes[0xc040]);
    assert_int_equal(table_in(0x18, 8), UINT64_C(1) << 32);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

static void faults(unsigned count)
{
    const struct vtd_fault fault = {.source_id = m.fn.bdf, .reason = 5, .address = 0x1000};
    while (count--)
        m.fault_handler(&fault);
}

/* A device with too many faults cannot be made to master the bus, until its guest has reset it. */
TEST(storm_parks_the_device)
{
    assign_init();
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    faults(STORM_FAULTS - 1);
    assert_true(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    faults(1);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    assert_int_equal(m.vm.fault_count, STORM_FAULTS);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    assert_false(vpci_read(f, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
    function_reset();
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    assert_true(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    faults(STORM_FAULTS - 1);
    assert_true(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

/* A function that no VM owns, left on by the firmware: one fault, and it masters the bus no more. A
 * source-id that is no function's, or a bridge's, is left alone. */
TEST(a_device_of_no_vm_is_stopped)
{
    struct pci_function *g = model_more(BDF(0, 6, 0)), *bridge = model_more(BDF(0, 7, 0));
    struct vtd_fault fault = {.source_id = g->bdf, .reason = 2};
    bridge->header_type = PCI_HEADER_BRIDGE;
    assign_init();
    pci_command(g->bdf, PCI_COMMAND_MASTER, 0);
    pci_command(bridge->bdf, PCI_COMMAND_MASTER, 0);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    m.events[0] = '\0';
    m.fault_handler(&fault);
    fault.source_id = bridge->bdf;
    m.fault_handler(&fault);
    fault.source_id = BDF(3, 0, 0);
    m.fault_handler(&fault);
    fault.source_id = m.fn.bdf; /* this one has an owner: it counts there */
    m.fault_handler(&fault);
    assert_string_equal(m.events, "master-off 00:06.0; ");
    assert_int_equal(m.vm.fault_count, 1);
}

/* A device that is no bus master and goes on: no fault of it is recorded, until the reset. */
TEST(a_parked_device_that_goes_on_is_silenced)
{
    assign_init();
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    faults(STORM_FAULTS);
    assert_int_equal(m.silenced, 0);
    faults(1);
    assert_int_equal(m.silenced, m.fn.bdf);
    function_reset();
    assert_int_equal(m.silenced, 0);
}

/* So is one that no VM has. An interrupt is not refused by its context entry. */
TEST(a_source_without_a_vm_is_silenced)
{
    assign_init();
    struct vtd_fault fault = {.source_id = BDF(9, 9, 1), .reason = 1};
    m.fault_handler(&fault); /* not even a function */
    assert_int_equal(m.silenced, BDF(9, 9, 1));
    model_end();
    m.silenced = 0;
    m.config[PCI_COMMAND] |= PCI_COMMAND_MASTER;
    faults(1);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    assert_int_equal(m.silenced, 0);
    fault = (struct vtd_fault){.source_id = m.fn.bdf, .reason = 0x22, .is_interrupt = true};
    m.fault_handler(&fault);
    assert_int_equal(m.silenced, 0);
    faults(1);
    assert_int_equal(m.silenced, m.fn.bdf);
    model_init(PLAN_POST_HW, BAR_EAGER);
}

/* Behind a bridge a fault counts for each function that it may be of, else for its own. */
TEST(faults_count_for_whom_they_may_be_of)
{
    struct device_config c = {.bdf = model_more(BDF(0, 5, 0))->bdf, .plan = PLAN_POST_HW};
    assign_init();
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    struct assignment *a = f->of, *b = m.vm.pci->functions[2]->of;
    a->requester = b->requester = BDF(0, 0x1e, 0);
    struct vtd_fault fault = {.source_id = BDF(0, 0x1e, 0), .reason = 5, .address = 0x2000};
    m.fault_handler(&fault);
    assert_true(a->fault_count == 1 && b->fault_count == 1);
    assert_int_equal(a->last_fault.address, 0x2000);
    fault.source_id = c.bdf;
    m.fault_handler(&fault);
    assert_true(a->fault_count == 1 && b->fault_count == 2);
    fault.source_id = BDF(0, 9, 0);
    m.fault_handler(&fault);
    assert_true(a->fault_count == 1 && b->fault_count == 2);
    assert_int_equal(m.vm.fault_count, 3);
    fault.source_id = m.fn.bdf;
    for (unsigned i = 0; i < STORM_FAULTS; i++)
        m.fault_handler(&fault);
    assert_true(a->parked && !b->parked);
    assert_int_equal(a->storm_count, 1);
}

/* The count is of a period: faults that are far apart park no device. */
TEST(slow_faults_are_no_storm)
{
    assign_init();
    m.tsc_khz = 0;
    faults(3 * STORM_FAULTS);
    assert_false(f->of->parked);
    assert_int_equal(f->of->fault_count, 3 * STORM_FAULTS);
    m.tsc_khz = 1000000000;
}

TEST(hot_unassign_takes_everything_and_assign_gives_it_again)
{
    const struct device_config c = m.vm.config.devices[0];
    for (unsigned turn = 0; turn < 10; turn++) {
        assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
        assert_null(m.vm.pci->functions[1]);
        assert_int_equal(m.map_count, 0);
        assert_false(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_MASTER);
        assert_int_equal(m.irte_free, m.irte_next);
        assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), -ENOENT);
        assert_int_equal(assign_hot(&m.vm, &c), 0);
        assert_int_equal(assign_hot(&m.vm, &c), -ENODEV); /* it is given away already */
        assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_VENDOR_ID, 4), 0x11e81234);
    }
}

/* What cannot be reset stays parked, until the monitor asks for it as it is. */
TEST(what_cannot_be_reset_is_parked)
{
    struct device_config c = m.vm.config.devices[0];
    m.no_reset = true;
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_true(m.fn.parked);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    m.no_reset = false; /* it has one, say, but that failed */
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    assert_non_null(strstr(m.last_line, "refused: no-reset"));
    assert_null(m.fn.owner);
    c.unsafe = 1u << UNSAFE_NO_RESET;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_false(m.fn.parked);
}

/* VT-d's registers, and addresses wider than the CPU's, belong to no device, whatever a
 * BAR says. */
TEST(a_bar_is_not_given_over_a_unit_or_out_of_reach)
{
    const struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.fn.bars[0].base = 0xbed00000;
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    assert_non_null(strstr(m.last_line, "refused: out-of-reach (a BAR lies over a VT-d unit)"));
    m.fn.bars[0].base = BIT(52);
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    assert_non_null(strstr(m.last_line, "a BAR ends beyond physical memory"));
    m.fn.bars[0].base = 0xfeb00000;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
}

static void is_refused(const char *why)
{
    struct device_config c = m.vm.config.devices[0];
    c.unsafe = UINT32_MAX;
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    assert_non_null(strstr(m.last_line, why));
    assert_null(m.fn.owner);
}

/* Each reason by itself, and none of them can be waived. */
TEST(what_no_unit_confines_is_not_given)
{
    const struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.uncovered = true;
    is_refused("refused: no-iommu (no VT-d unit has it in its scope)");
    m.uncovered = false;
    m.no_remapping = true;
    is_refused("refused: no-iommu (interrupt remapping is off, it could send any interrupt)");
    m.no_remapping = false;
    uint8_t pcie = m.fn.cap_pcie;
    m.fn.bars[0].base = 0;
    m.fn.cap_pcie = 0; /* on a conventional bus its neighbours would lose DMA to it */
    is_refused("refused: unplaced (the firmware left a memory BAR without an address)");
    m.fn.bars[0].base = 0xfeb00000;
    m.fn.cap_pcie = pcie;
    m.fn.class_code = PCI_SUB_HOST_BRIDGE << 8;
    is_refused("refused: bridge (it is the host bridge)");
    m.fn.class_code = 0;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
}

/* Functions that cannot be told apart have one owner. */
TEST(a_group_has_one_owner)
{
    struct vm *other = model_other_vm();
    struct pci_function *g = model_more(BDF(0, 4, 1)); /* the same device, and no ACS */
    struct device_config c = {.bdf = g->bdf, .plan = PLAN_POST_HW};
    assert_int_equal(assign_hot(other, &c), -EPERM);
    assert_non_null(strstr(m.last_line, "refused: group (its group has another owner)"));
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    model_end_other_vm();
}

/* Firmware leaves I/O BARs without an address when it runs out of ports. PCI "Base Addresses". */
TEST(a_bar_without_an_address_is_not_shown)
{
    const struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    memset(m.config + PCI_COMMAND, 0, 2);
    memset(m.config + PCI_BAR(4), 0, 4);
    m.fn.bars[4].base = 0;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    f = m.vm.pci->functions[1];
    vpci_write(f, PCI_BAR(4), 4, 0xffffffff);
    assert_int_equal(vpci_read(f, PCI_BAR(4), 4), 0);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_IO);
    assert_int_equal(m.config[PCI_COMMAND] & 3, PCI_COMMAND_MEM);
    assert_false(m.port_passes[0]);
    assert_true(model_maps(vpci_read(f, PCI_BAR(0), 4), 0x100000));
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.fn.bars[2].base = 0; /* of memory, on a link of its own */
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_BAR(2), 4), 0);
}

TEST(one_waiver_waives_one_objection)
{
    struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.no_reset = true;
    options.hidden[0] = m.fn.bdf;
    options.hidden_count = 1;
    c.unsafe = 1u << UNSAFE_NO_RESET;
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    assert_non_null(strstr(m.last_line, "refused: hidden (the command line hides it)"));
    c.unsafe |= 1u << UNSAFE_HIDDEN;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    options.hidden_count = 0;
}

/* The registers of a function that no waiver helps are mapped nowhere, whatever else speaks against
 * it, and in whatever order: its BAR may claim any address. */
TEST(what_is_refused_is_not_mapped)
{
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.no_reset = true; /* stands first, and could be waived */
    m.mmio_maps = 0;
    audit_print();
    assert_int_equal(m.mmio_maps, 3);
    m.fn.bars[1].base = BIT(52);
    m.mmio_maps = 0;
    audit_print();
    assert_int_equal(m.mmio_maps, 0);
    m.fn.bars[1].base = 0xfea00000;
}

/* On a root bus the firmware's map is all that tells. Behind a bridge the bridge tells. */
TEST(a_bar_over_reserved_memory)
{
    static struct pci_function bridge = {.header_type = PCI_HEADER_BRIDGE};
    struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.reserved_at = m.fn.bars[1].base + 0x3000;
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    assert_non_null(strstr(m.last_line, "refused: reserved (the firmware reserves memory where"));
    m.fn.parent = &bridge;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.fn.parent = NULL;
    c.unsafe = 1u << UNSAFE_RESERVED;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_restarted_vm_finds_its_device_as_at_first),
        CASE(storm_parks_the_device),
        CASE(a_device_of_no_vm_is_stopped),
        CASE(a_parked_device_that_goes_on_is_silenced),
        CASE(a_source_without_a_vm_is_silenced),
        CASE(faults_count_for_whom_they_may_be_of),
        CASE(slow_faults_are_no_storm),
        CASE(hot_unassign_takes_everything_and_assign_gives_it_again),
        CASE(what_cannot_be_reset_is_parked),
        CASE(a_bar_is_not_given_over_a_unit_or_out_of_reach),
        CASE(what_no_unit_confines_is_not_given),
        CASE(a_group_has_one_owner),
        CASE(a_bar_without_an_address_is_not_shown),
        CASE(one_waiver_waives_one_objection),
        CASE(what_is_refused_is_not_mapped),
        CASE(a_bar_over_reserved_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
