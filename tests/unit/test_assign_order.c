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
 * The order of steps in which a function is given, reset and taken back, as the events of the model
 * tell it: with an id of a bridge beside its own, with a second device, with a second VM.
 */
#include "arch/options.h"
#include "guest/assign/faults.h"
#include "tests/unit/vpci_fixture.h"

#define ORDER(...) assert_string_equal(m.events, __VA_ARGS__)

static struct vpci_function *g; /* of the second device */

/* The function is 01:02.0, behind the conventional bridge 00:1e.0, and the firmware left it
 * with bus master on. */
static void behind_a_bridge(void)
{
    again();
    struct pci_function *bridge = model_more(BDF(0, 0x1e, 0));
    bridge->header_type = PCI_HEADER_BRIDGE;
    bridge->cap_pcie = 0;
    bridge->secondary_bus = bridge->subordinate_bus = 1;
    m.fn.bdf = BDF(1, 2, 0);
    m.fn.parent = bridge;
    m.config[PCI_COMMAND] |= PCI_COMMAND_MASTER;
}

static void assigned(void)
{
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
}

static struct device_config device_at(bdf_t bdf)
{
    return (struct device_config){.bdf = bdf, .plan = PLAN_POST_HW};
}

/* A second device in the same VM. */
static void two_devices(void)
{
    struct device_config c = device_at(model_more(BDF(0, 5, 0))->bdf);
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    g = m.vm.pci->functions[2];
    m.vm.state = VM_RUNNING;
}

static void from_now(void) { m.events[0] = '\0'; }

/* Silent and clean, then under both ids confined to the memory of its VM, and only then shown. */
TEST(given_in_order)
{
    behind_a_bridge();
    m.snooped = NULL;
    assigned();
    assert_ptr_equal(m.snooped, &m.fn);
    ORDER("master-off 01:02.0; reset 01:02.0; attach 00:1e.0; attach 01:02.0; decode 3; "
          "irte 00:1e.0; irte ff:00.0; remap-level 0x40; line-open; map; ");
}

/* The EPT shows nothing, no interrupt arrives, nothing is in flight, the device has forgotten its
 * owner; not before then the translation ends, of both ids. */
TEST(taken_back_in_order)
{
    behind_a_bridge();
    assigned();
    vpci_write(f, PCI_COMMAND, 2, 7);
    from_now();
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    ORDER("master-off 01:02.0; line-masked; irte-free; vector-free; unmap; irte-free; drain "
          "01:02.0; reset 01:02.0; decode 0; "
          "detach 00:1e.0; detach 01:02.0; ");
    struct device_config c = device_at(m.fn.bdf);
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    ORDER("reset 01:02.0; attach 00:1e.0; attach 01:02.0; decode 3; irte 00:1e.0; "
          "irte ff:00.0; remap-level 0x40; line-open; map; ");
}

/* Two functions behind one bridge: its id leads to the VM's memory until the last is taken back. */
TEST(the_id_of_a_bridge_stays_for_the_other)
{
    behind_a_bridge();
    assigned();
    struct pci_function *other = model_more(BDF(1, 3, 0));
    other->parent = m.fn.parent;
    struct device_config c = device_at(other->bdf);
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    from_now();
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_null(strstr(m.events, "detach 00:1e.0"));
    assert_non_null(strstr(m.events, "detach 01:02.0"));
    assert_int_equal(assign_take_back(&m.vm, other->bdf), 0);
    assert_non_null(strstr(m.events, "detach 00:1e.0; detach 01:03.0; "));
}

/* What cannot be reset is silent all the same, and its translation ends last. */
TEST(without_a_reset_it_is_silent)
{
    vpci_write(f, PCI_COMMAND, 2, 7);
    m.no_reset = true;
    from_now();
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    ORDER("master-off 00:04.0; line-masked; irte-free; vector-free; unmap; irte-free; drain "
          "00:04.0; wake 00:04.0; decode 0; detach 00:04.0; ");
    struct device_config c = device_at(m.fn.bdf);
    c.unsafe = 1u << UNSAFE_NO_RESET;
    m.config[PCI_COMMAND] |= PCI_COMMAND_MASTER;
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    ORDER("master-off 00:04.0; wake 00:04.0; attach 00:04.0; decode 3; irte 00:04.0; "
          "irte ff:00.0; remap-level 0x40; line-open; map; ");
    m.no_reset = false;
}

/* If the second id finds no memory, the first is taken out again; nothing was shown. */
TEST(half_attached_is_not_given)
{
    behind_a_bridge();
    m.attaches_left = 1;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), -ENOMEM);
    ORDER("master-off 01:02.0; reset 01:02.0; attach 00:1e.0; detach 00:1e.0; ");
    assert_null(m.vm.assignments);
    assert_null(m.vm.pci->functions[1]);
    assert_null(m.fn.owner);
    m.attaches_left = -1;
    assign_init();
    m.fault_handler(&(struct vtd_fault){.source_id = m.fn.bdf}); /* of no assignment any more */
    assert_int_equal(m.vm.fault_count, 0);
}

/* No entry is left for its messages: what was done before is undone, in order. */
TEST(half_shown_is_not_given)
{
    again();
    m.irtes_left = 0;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), -ENOSPC);
    ORDER("master-off 00:04.0; reset 00:04.0; attach 00:04.0; decode 3; drain 00:04.0; "
          "reset 00:04.0; decode 0; detach 00:04.0; ");
    assert_null(m.vm.assignments);
    assert_null(m.vm.pci->functions[1]);
    assert_null(m.fn.owner);
    m.irtes_left = -1;
}

/* Of two the second finds no entry. The VM has neither, and its list is as it was. */
TEST(one_of_two_is_not_shown)
{
    again();
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.vm.config.devices[1] = device_at(model_more(BDF(0, 5, 0))->bdf);
    m.vm.config.device_count = 2;
    m.irtes_left = 2; /* the first one's: of its messages and its line */
    assert_int_equal(assign_all(&m.vm), -ENOSPC);
    assert_null(m.vm.assignments);
    assert_null(m.fn.owner);
    assert_null(m.more[0].fn.owner);
    m.irtes_left = -1;
}

/* Nor is a device shown that would use addresses which the RAM of its VM does not have. */
TEST(addresses_that_the_ram_has_not)
{
    again();
    struct device_config c = device_at(m.fn.bdf);
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    c.dma = DMA_IDENTITY;
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    ORDER("reset 00:04.0; ");
    assert_null(m.fn.owner);
}

/* The firmware's decode bits come back before the function is another owner's. */
TEST(decode_is_as_the_firmware_left_it)
{
    again();
    m.fn.command_at_boot = PCI_COMMAND_IO | PCI_COMMAND_MASTER;
    assigned();
    assert_int_equal(m.config[PCI_COMMAND] & 7, PCI_COMMAND_IO | PCI_COMMAND_MEM);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_int_equal(m.config[PCI_COMMAND] & 7, PCI_COMMAND_IO);
}

/* A device whose reserved memory the VM did not get at boot would miss it: it is not attached. */
TEST(reserved_memory_comes_first)
{
    again();
    options.rmrr_map = true;
    m.reserved_missing = true;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), -EPERM);
    ORDER("master-off 00:04.0; reset 00:04.0; ");
    m.reserved_missing = false;
    struct device_config c = device_at(m.fn.bdf);
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    options.rmrr_map = false;
    ORDER("reset 00:04.0; attach 00:04.0; decode 3; irte 00:04.0; irte ff:00.0; "
          "remap-level 0x40; line-open; map; ");
}

/* From one VM to another: the first one's translation has ended before the second's begins. */
TEST(from_one_vm_to_another)
{
    struct device_config c = device_at(m.fn.bdf);
    struct vm *other = model_other_vm();
    vpci_write(f, PCI_COMMAND, 2, 7);
    assert_int_equal(assign_hot(other, &c), -ENODEV);
    from_now();
    assert_int_equal(assign_take_back(other, m.fn.bdf), -ENOENT);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_int_equal(assign_hot(other, &c), 0);
    ORDER("master-off 00:04.0; line-masked; irte-free; vector-free; unmap; irte-free; "
          "drain 00:04.0; reset 00:04.0; decode 0; detach 00:04.0; reset 00:04.0; "
          "attach 00:04.0; decode 3; irte 00:04.0; irte ff:00.0; remap-level 0x40; "
          "line-open; map; ");
    assert_ptr_equal(m.fn.owner, other);
    assert_null(m.vm.pci->functions[1]);
    model_end_other_vm();
}

/* All are hidden before the first is shown: so each finds its first place free, even if the guest
 * has put another device there. */
TEST(a_restart_hides_all_before_it_shows_one)
{
    two_devices();
    uint32_t first = vpci_read(f, PCI_BAR(0), 4), second = vpci_read(g, PCI_BAR(0), 4);
    vpci_write(f, PCI_COMMAND, 2, 0);
    vpci_write(g, PCI_BAR(0), 4, first);
    vpci_write(f, PCI_BAR(0), 4, second);
    vpci_write(f, PCI_COMMAND, 2, 7);
    vpci_write(g, PCI_COMMAND, 2, 7);
    from_now();
    assert_int_equal(assign_restart_all(&m.vm), 0);
    ORDER("master-off 00:04.0; unmap; irte-free; master-off 00:05.0; line-masked; irte-free; "
          "vector-free; unmap; irte-free; reset 00:04.0; poll; reset 00:05.0; poll; irte 00:04.0; "
          "irte ff:00.0; remap-level 0x40; line-open; map; "
          "irte 00:05.0; map; ");
    assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_BAR(0), 4), first);
    assert_int_equal(vpci_read(m.vm.pci->functions[2], PCI_BAR(0), 4), second);
}

/* They wait for their resets together, for the longest. One that is lost is left alone. */
TEST(resets_go_on_beside_each_other)
{
    two_devices();
    from_now();
    m.begins = 100;
    assert_int_equal(assign_restart_all(&m.vm), 0);
    assert_non_null(strstr(m.events, "begin 00:04.0; begin 00:05.0; wait 200; reset 00:04.0; "
                                     "poll; reset 00:05.0; "));
    g->of->lost = true;
    from_now();
    assert_int_equal(assign_restart_all(&m.vm), 0);
    assert_non_null(strstr(m.events, "begin 00:04.0; wait 100; reset 00:04.0; poll; irte"));
    from_now();
    assign_release_all(&m.vm);
    assert_non_null(strstr(m.events, "drain 00:05.0; begin 00:04.0; wait 100; reset 00:04.0; "));
}

/* While the VM runs, the reset of one device spares the other. Before it runs, and when all of it
 * is reset, nothing has to be spared. */
TEST(a_reset_spares_what_is_in_use)
{
    two_devices();
    from_now();
    function_reset();
    assert_non_null(strstr(m.events, "reset 00:04.0; sparing 00:05.0; "));
    assert_null(strstr(m.events, "sparing 00:04.0"));
    assert_false(m.fn.spared || m.more[0].fn.spared);
    from_now();
    assert_int_equal(assign_take_back(&m.vm, BDF(0, 5, 0)), 0);
    assert_non_null(strstr(m.events, "reset 00:05.0; sparing 00:04.0; decode 0; detach"));
    assert_false(m.fn.spared || m.more[0].fn.spared);
    m.vm.state = VM_NEW;
    struct device_config c = device_at(BDF(0, 5, 0));
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_null(strstr(m.events, "sparing"));
    assert_int_equal(assign_take_back(&m.vm, BDF(0, 5, 0)), 0);
    m.vm.state = VM_RUNNING;
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_non_null(strstr(m.events, "reset 00:05.0; sparing 00:04.0; attach"));
    assert_false(m.fn.spared || m.more[0].fn.spared);
}

/* A device that reset itself by a register of its own decodes nothing. Its next reset ends with
 * decode on, so that the masks of its MSI-X table can be set. */
TEST(a_reset_after_one_by_the_device_itself)
{
    vpci_write(f, PCI_COMMAND, 2, 7);
    m.config[PCI_COMMAND] = 0;
    function_reset();
    assert_int_equal(m.config[PCI_COMMAND] & 7, PCI_COMMAND_IO | PCI_COMMAND_MEM);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x10 + 16 * i + PCI_MSIX_ENTRY_CONTROL), 1);
}

/* No fault of a parked device that goes on is recorded, whichever id it has. After its reset the
 * unit records again, of both ids, also where a fault from before the reset came last. */
TEST(after_a_reset_faults_are_recorded_again)
{
    behind_a_bridge();
    assigned();
    assign_init();
    for (int own = 0; own < 2; own++) {
        struct vtd_fault fault = {.source_id = own ? m.fn.bdf : BDF(0, 0x1e, 0), .reason = 2};
        for (unsigned i = 0; i <= STORM_FAULTS; i++)
            m.fault_handler(&fault);
        assert_int_equal(m.silenced, fault.source_id);
        m.recorded = &fault;
        function_reset();
        assert_null(m.recorded);
        assert_int_equal(m.silenced, 0);
    }
}

/* A reset of the guest's own: nothing of the device is mapped or can interrupt when it happens. */
TEST(a_guests_reset_in_order)
{
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    table(0x10, 4, 0xfee01000);
    table(0x18, 4, 0x55);
    table(0x1c, 4, 0);
    vpci_write(f, PCI_COMMAND, 2, 7);
    from_now();
    function_reset();
    ORDER("master-off 00:04.0; unmap; irte-free; reset 00:04.0; poll; ");
    for (unsigned i = 0; i < 5; i++) /* the device has forgotten its masks: they are set again */
        assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x10 + 16 * i + PCI_MSIX_ENTRY_CONTROL), 1);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);
    assert_int_equal(table_in(0x10, 8), 0);
    assert_int_equal(vpci_read(f, AT_MSIX_CONTROL, 2), 4);
}

/* The reset takes 100 ms, which the guest's CPU does not wait for: the device is silent at once,
 * and does not answer until the tick has reset it. A second reset meanwhile is no other one. */
TEST(a_guests_reset_takes_time)
{
    uint32_t at = vpci_read(f, PCI_BAR(0), 4);
    unsigned before = m.resets;
    vpci_write(f, PCI_COMMAND, 2, 7);
    from_now();
    vpci_write(f, AT_PCIE_CONTROL, 2, PCIE_DEVICE_FLR);
    ORDER("master-off 00:04.0; unmap; ");
    assert_int_equal(vpci_read(f, PCI_VENDOR_ID, 4), UINT32_MAX);
    assert_int_equal(vpci_read(f, PCI_COMMAND, 2), UINT16_MAX);
    vpci_write(f, PCI_BAR(0), 4, 0xd0000000);
    vpci_write(f, PCI_COMMAND, 2, 7);
    vpci_write(f, AT_PCIE_CONTROL, 2, PCIE_DEVICE_FLR);
    assert_int_equal(m.resets, before);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    assign_tick(&m.vm);
    assign_tick(&m.vm);
    assert_int_equal(m.resets, before + 1);
    assert_int_equal(vpci_read(f, PCI_COMMAND, 2) & 7, 0);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), at);
    vpci_write(f, PCI_COMMAND, 2, 7);
    assert_true(model_maps(at, 0x100000));
}

/* The VM is reset before the tick came to its device's reset: one is enough. */
TEST(a_restart_ends_a_reset)
{
    unsigned before = m.resets;
    vpci_write(f, AT_PCIE_CONTROL, 2, PCIE_DEVICE_FLR);
    assert_int_equal(assign_restart_all(&m.vm), 0);
    assert_int_equal(vpci_read(f, PCI_VENDOR_ID, 4), 0x11e81234);
    assign_tick(&m.vm);
    assert_int_equal(m.resets, before + 1);
}

/* A device that does not come back from a reset is silent, and gets no other one. */
TEST(a_lost_device_is_silent)
{
    vpci_write(f, PCI_COMMAND, 2, 7);
    m.reset_error = -ETIMEDOUT;
    from_now();
    function_reset();
    ORDER("master-off 00:04.0; unmap; reset 00:04.0; ");
    assert_true(f->of->lost);
    unsigned before = m.resets;
    function_reset();
    assert_int_equal(m.resets, before);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_true(m.fn.parked);
}

/* Without a reset that works a device is given only if the user waives it, and is silent then. */
TEST(a_reset_that_fails)
{
    struct device_config c = device_at(m.fn.bdf);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.reset_error = -EIO;
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), -EIO);
    ORDER("reset 00:04.0; ");
    assert_null(m.fn.owner);
    c.unsafe = 1u << UNSAFE_NO_RESET;
    from_now();
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    ORDER("reset 00:04.0; attach 00:04.0; decode 3; irte 00:04.0; irte ff:00.0; "
          "remap-level 0x40; line-open; map; ");
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_true(m.fn.parked);
    m.reset_error = 0;
}

/* PCI "MSI Capability Structure": not enabled after a reset; the routes lead nowhere. */
TEST(a_guests_reset_ends_messages)
{
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x44);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 2));
    assert_true(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
    function_reset();
    assert_false(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
    assert_false(vpci_read(f, AT_MSI_CONTROL, 2) & PCI_MSI_ENABLE);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(f->msi[i].delivery, IRQ_UNROUTED);
}

/* The screen's memory is in a BAR, or it is the text of a VGA: Hamlet draws there no more. */
TEST(a_screen_goes_with_its_device)
{
    struct device_config c = device_at(m.fn.bdf);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.screen = 0xb8000;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_int_equal(m.screen, 0xb8000);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.fn.class_code = 0x030000;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_int_equal(m.screen, 0);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.screen = m.fn.bars[0].base + 0x1000;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_int_equal(m.screen, 0);
}

/* A panic silences what VMs own, and leaves the rest alone. */
TEST(a_panic_silences_what_is_owned)
{
    struct pci_function *unowned = model_more(BDF(0, 6, 0));
    assign_init();
    assert_ptr_equal(m.panic_hook, assign_silence);
    pci_command(unowned->bdf, PCI_COMMAND_MASTER, PCI_COMMAND_INTX_OFF);
    vpci_write(f, PCI_COMMAND, 2, 7);
    from_now();
    m.locks_broken = false;
    m.panic_hook();
    assert_true(m.locks_broken); /* the CPU that held one may have stopped */
    ORDER("master-off 00:04.0; ");
    assert_true(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    assert_false(pci_read16(unowned->bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(given_in_order),
        CASE(taken_back_in_order),
        CASE(the_id_of_a_bridge_stays_for_the_other),
        CASE(without_a_reset_it_is_silent),
        CASE(half_attached_is_not_given),
        CASE(half_shown_is_not_given),
        CASE(one_of_two_is_not_shown),
        CASE(addresses_that_the_ram_has_not),
        CASE(decode_is_as_the_firmware_left_it),
        CASE(reserved_memory_comes_first),
        CASE(from_one_vm_to_another),
        CASE(a_restart_hides_all_before_it_shows_one),
        CASE(resets_go_on_beside_each_other),
        CASE(a_reset_spares_what_is_in_use),
        CASE(a_reset_after_one_by_the_device_itself),
        CASE(after_a_reset_faults_are_recorded_again),
        CASE(a_guests_reset_in_order),
        CASE(a_guests_reset_takes_time),
        CASE(a_restart_ends_a_reset),
        CASE(a_guests_reset_ends_messages),
        CASE(a_lost_device_is_silent),
        CASE(a_reset_that_fails),
        CASE(a_screen_goes_with_its_device),
        CASE(a_panic_silences_what_is_owned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
