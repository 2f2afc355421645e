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
 * Message interrupts of an assigned function: what its MSI and MSI-X registers show to the guest in
 * each layout, what reaches the device of it, and what is left when it is taken back.
 * Spec: PCI Local Bus 3.0 "MSI Capability Structure", "MSI-X Capability and Table Structures".
 */
#include "guest/assign/vmsix.h"
#include "tests/unit/stubs.h"
#include "tests/unit/vpci_fixture.h"

static uint32_t entry_of_device(unsigned i, unsigned at)
{
    return *(uint32_t *)(m.bar_bytes + 0x10 + 16 * i + at);
}

static void live_entry(unsigned i)
{
    table(0x10 + 16 * i, 8, 0xfee01000);
    table(0x18 + 16 * i, 4, 0x55);
    table(0x1c + 16 * i, 4, 0);
}

/* The device has another layout of MSI than usual. */
static void with_msi(uint16_t control)
{
    again();
    memcpy(m.config + AT_MSI_CONTROL, &control, 2);
    memset(m.config + AT_MSI + 4, 0, 20);
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, AT_MSI_CONTROL, 2), control);
}

/* Address, its upper half, data: read back as written, but for the low bits of the address. */
TEST(msi_of_64_bits)
{
    assert_int_equal(vpci_read(f, AT_MSI_CONTROL, 2), 0x84);
    vpci_write(f, AT_MSI_ADDRESS, 4, UINT32_MAX);
    assert_int_equal(vpci_read(f, AT_MSI_ADDRESS, 4), 0xfffffffc);
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI + PCI_MSI_ADDRESS_HI, 4, UINT32_MAX);
    assert_int_equal(vpci_read(f, AT_MSI + PCI_MSI_ADDRESS_HI, 4), UINT32_MAX);
    vpci_write(f, AT_MSI_DATA, 4, 0x12340044);
    assert_int_equal(vpci_read(f, AT_MSI_DATA, 2), 0x44);
    vpci_write(f, AT_MSI_CONTROL, 2, 0xffff);
    assert_int_equal(vpci_read(f, AT_MSI_CONTROL, 2), 0x84 | PCI_MSI_ENABLE | PCI_MSI_COUNT);
    assert_int_equal(f->msi[0].delivery, IRQ_UNROUTED); /* the address has bits above 32 */
    for (unsigned bit = 0; bit < 2; bit++) {
        vpci_write(f, AT_MSI + PCI_MSI_ADDRESS_HI, 4, bit ? 1u << 31 : 1);
        assert_int_equal(f->msi[0].delivery, IRQ_UNROUTED);
    }
    vpci_write(f, AT_MSI + PCI_MSI_ADDRESS_HI, 4, 0);
    assert_int_equal(f->msi[0].delivery, IRQ_POSTED);
    assert_int_equal(f->msi[3].vector, 0x47);
    assert_int_equal(*(uint16_t *)(m.config + AT_MSI_DATA), 0); /* the data are in the entry */
}

/* One message, 32 bits: the data are where the upper half would be. */
TEST(msi_of_32_bits)
{
    with_msi(0);
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI + PCI_MSI_DATA(false), 2, 0x44);
    assert_int_equal(vpci_read(f, AT_MSI + PCI_MSI_DATA(false), 2), 0x44);
    vpci_write(f, AT_MSI + PCI_MSI_DATA(true), 2, 0x66); /* nothing of this layout */
    assert_int_equal(vpci_read(f, AT_MSI + PCI_MSI_DATA(true), 2), 0);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    assert_int_equal(f->msi[0].vector, 0x44);
    assert_int_equal(f->msi[0].delivery, IRQ_POSTED);
    assert_int_equal(*(uint32_t *)(m.config + AT_MSI_ADDRESS), 0xfee00010 | f->msi[0].irte << 5);
}

/* The mask bits are the device's own. */
TEST(msi_that_masks)
{
    with_msi(PCI_MSI_64 | PCI_MSI_MASKABLE | FIELD_SET(PCI_MSI_CAPABLE, 1));
    uint16_t mask = AT_MSI + PCI_MSI_MASK(true);
    vpci_write(f, mask, 4, 0x80000003);
    assert_int_equal(*(uint32_t *)(m.config + mask), 0x80000003);
    *(uint32_t *)(m.config + mask) = 0x40000001;
    assert_int_equal(vpci_read(f, mask, 4), 0x40000001);
}

/* The number of messages may change while MSI is on, and each time the device hears it. */
TEST(the_number_of_messages_reaches_the_device)
{
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x44);
    for (unsigned turn = 0; turn < 3; turn++) {
        vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 2));
        assert_int_equal(FIELD_GET(PCI_MSI_COUNT, m.config[AT_MSI_CONTROL]), 2);
        assert_true(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
        vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
        assert_int_equal(FIELD_GET(PCI_MSI_COUNT, m.config[AT_MSI_CONTROL]), 0);
        vpci_write(f, AT_MSI_CONTROL, 2, 0);
        assert_false(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
    }
}

static bool msix_is_on(void) { return *(uint16_t *)(m.config + AT_MSIX_CONTROL) & PCI_MSIX_ENABLE; }

/* Table size, enable and function mask, and nothing else. */
TEST(msix_control)
{
    assert_int_equal(vpci_read(f, AT_MSIX_CONTROL, 2), 4);
    vpci_write(f, AT_MSIX_CONTROL, 2, 0xffff);
    assert_int_equal(vpci_read(f, AT_MSIX_CONTROL, 2), 4 | PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    assert_true(msix_is_on());
    assert_false(*(uint16_t *)(m.config + AT_MSIX_CONTROL) & PCI_MSIX_MASK_ALL);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_int_equal(vpci_read(f, AT_MSIX_CONTROL, 2), 4 | PCI_MSIX_ENABLE);
    vpci_write(f, AT_MSIX_CONTROL, 2, 0);
    assert_int_equal(vpci_read(f, AT_MSIX_CONTROL, 2), 4);
    assert_false(msix_is_on());
}

/* All five entries, each by its own remapping entry; what is reserved in a mask is not kept. */
TEST(msix_entries)
{
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    for (unsigned i = 0; i < 5; i++) {
        live_entry(i);
        assert_int_equal(entry_of_device(i, 0), 0xfee00010 | m.last_posted << 5);
        assert_int_equal(entry_of_device(i, 4), 0);
        assert_int_equal(entry_of_device(i, 8), 0);
        assert_int_equal(entry_of_device(i, 12), 0);
    }
    table(0x1c, 4, UINT32_MAX);
    assert_int_equal(table_in(0x1c, 4), 1);
    assert_int_equal(entry_of_device(0, 12), 1);
    assert_int_equal(table_in(0x18, 8), UINT64_C(1) << 32 | 0x55);
    assert_int_equal(table_in(0x19, 1), 0);
    assert_int_equal(table_in(0x18, 1), 0x55);
}

/* With function mask and enable in one write, and one after the other: no entry gets out. */
TEST(function_mask)
{
    live_entry(2);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    assert_true(msix_is_on());
    assert_int_equal(entry_of_device(2, 12), 1);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_true(msix_is_on());
    assert_int_equal(entry_of_device(2, 12), 0);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    assert_int_equal(entry_of_device(2, 12), 1);
}

/* What the monitor shows of an entry: where it leads, and whether the guest holds it back. */
TEST(a_route_and_its_mask)
{
    bool masked;
    assert_null(vmsix_route(NULL, 0, &masked));
    assert_null(vmsix_route(f->msix, 5, &masked));
    live_entry(4);
    assert_non_null(vmsix_route(f->msix, 4, &masked));
    assert_true(masked); /* not enabled */
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_int_equal(vmsix_route(f->msix, 4, &masked)->vector, 0x55);
    assert_false(masked);
    (void)vmsix_route(f->msix, 3, &masked);
    assert_true(masked);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    (void)vmsix_route(f->msix, 4, &masked);
    assert_true(masked);
}

/* No entry of the remapping table is left: that one stays masked, and works when there is one. */
TEST(no_entry_is_left)
{
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    m.irtes_left = 0;
    live_entry(0);
    assert_int_equal(entry_of_device(0, 12), 1);
    m.irtes_left = -1;
    table(0x1c, 4, 0);
    assert_int_equal(entry_of_device(0, 12), 0);
}

/* Taken back in full use: neither way of sending is on, and no route is left. */
TEST(taken_back_no_message_is_left)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        if (turn) {
            vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
            live_entry(0);
        } else {
            vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
            vpci_write(f, AT_MSI_DATA, 2, 0x44);
            vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
        }
        struct device_config c = m.vm.config.devices[0];
        assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
        assert_false(msix_is_on());
        assert_false(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
        assert_int_equal(m.irte_free, m.irte_next);
        assert_int_equal(assign_hot(&m.vm, &c), 0);
        f = m.vm.pci->functions[1];
    }
}

/* A reset by the guest: Message Control and the table are as at power-on, in both views. */
TEST(msix_after_a_reset)
{
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    live_entry(1);
    function_reset();
    assert_false(msix_is_on());
    assert_int_equal(vpci_read(f, AT_MSIX_CONTROL, 2), 4);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);
    live_entry(1);
    assert_int_equal(entry_of_device(1, 12), 1); /* not enabled */
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_true(msix_is_on());
    assert_int_equal(entry_of_device(1, 12), 0); /* and no function mask is left */
}

/* A table that cannot be trusted: no capability, and the BAR is mapped as a whole. */
TEST(a_table_beyond_its_bar)
{
    again();
    m.config[AT_MSIX_TABLE + 1] = 0x40; /* offset 0x4010 of 0x4000 */
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_null(f->msix);
    assert_int_equal(vpci_read(f, AT_MSI + 1, 1), AT_PCIE); /* linked past it */
    assert_true(model_maps(vpci_read(f, PCI_BAR(1), 4), 0x4000));
}

/* SDM "Determining IPI Destination": the guest may write LDR when its messages are set up. Those in
 * use follow: of MSI, and of MSI-X the entries that are not masked. */
TEST(a_logical_address_that_changes)
{
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    for (unsigned i = 0; i < 2; i++) {
        live_entry(i);
        table(0x10 + 16 * i, 8, 0xfee01004); /* to bit 0 */
    }
    table(0x1c, 4, 1); /* entry 0 is masked again */
    m.events[0] = '\0';
    apic_on_address(&asking);
    assert_string_equal(m.events, "");
    m.addresses_swapped = true;
    apic_on_address(&asking);
    assert_string_equal(m.events, "post 1 0x55; ");
    table(0x1c, 4, 0);
    assert_int_equal(vmsix_route(f->msix, 0, &(bool){0})->targets, 2);
    vpci_write(f, AT_MSIX_CONTROL, 2, 0);
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01004);
    vpci_write(f, AT_MSI_DATA, 2, 0x44);
    apic_on_address(&asking);
    assert_int_equal(f->msi[0].delivery, IRQ_UNROUTED); /* not enabled */
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    assert_int_equal(f->msi[0].targets, 2);
    m.addresses_swapped = false;
    apic_on_address(&asking);
    assert_int_equal(f->msi[0].targets, 1);
    assert_true(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
}

/* --- Remapped messages: to which CPU, and how many -------------------------------------------- */

/* Message 0 of MSI, remapped, to vCPU 1, which is at home on the second CPU of the model. */
static struct irq_route *remapped(void)
{
    f->of->config.irq = IRQ_REMAP;
    m.vm.vcpus[1]->cpu = &m.cpus[1];
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x44);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    assert_int_equal(f->msi[0].delivery, IRQ_SOFTWARE);
    return &f->msi[0];
}

static const struct vcpu stranger = {.vm = &m.other_vm};

static void message(void) { m.handler(m.handler_ctx); }

/* It goes to the CPU of its vCPU. When the vCPU has moved, the first message finds out. */
TEST(a_remapped_message_follows_its_vcpu)
{
    (void)remapped();
    assert_int_equal(m.remapped_to, 11);
    m.events[0] = '\0';
    m.here = 1;
    message();
    assert_string_equal(m.events, ""); /* as long as it is right, nothing is written */
    m.vm.vcpus[1]->cpu = &m.cpus[0];
    message();
    assert_int_equal(m.remapped_to, 10);
    assert_string_equal(m.events, "remap 0x41; ");
    message(); /* was on its way: the entry is right by now */
    assert_string_equal(m.events, "remap 0x41; ");
    assert_int_equal(m.posted, 3);
}

/* Whom it has interrupted is at home here, so the entry is right, or about to be. */
TEST(a_message_that_interrupts_its_own_vcpu_asks_for_nothing)
{
    (void)remapped();
    m.vm.vcpus[1]->cpu = &m.cpus[0];
    m.interrupted = m.vm.vcpus[1];
    m.events[0] = '\0';
    message();
    assert_string_equal(m.events, "");
    m.interrupted = m.vm.vcpus[0]; /* another one of its VM */
    message();
    assert_string_equal(m.events, "remap 0x41; ");
    assert_int_equal(m.posted, 2);
}

TEST(a_vcpu_that_has_never_run_is_on_the_first_cpu)
{
    m.vm.vcpus[0]->cpu = &m.cpus[1];
    f->of->config.irq = IRQ_REMAP;
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000); /* vCPU 1 */
    vpci_write(f, AT_MSI_DATA, 2, 0x44);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    assert_int_equal(m.remapped_to, 10);
}

/* Another CPU is about to change the entry: it is left alone, and the next message tries again. */
TEST(an_entry_that_another_cpu_changes_is_left_alone)
{
    (void)remapped();
    m.vm.vcpus[1]->cpu = &m.cpus[0];
    spin_lock(&m.vm.lock);
    message();
    spin_unlock(&m.vm.lock);
    assert_int_equal(m.remapped_to, 11);
    vpci_write(f, AT_MSI_CONTROL, 2, 0); /* blocked, and one message was on its way */
    message();
    assert_int_equal(m.remapped_to, 11);
    assert_int_equal(m.posted, 1); /* it leads nowhere */
    assert_int_equal(m.vm.lock.next, m.vm.lock.serving);
}

/* A storm: while another VM runs here, so many a tick and no more. Then the entry is not present,
 * and what was lost of it is one interrupt at the tick. */
TEST(a_storm_is_held_until_the_tick)
{
    const struct irq_route *route = remapped();
    m.interrupted = &stranger;
    stub_log_clear();
    for (unsigned tick = 1; tick <= 3; tick++) {
        for (unsigned i = 0; i < IRQ_STOLEN_MAX; i++)
            message();
        assert_int_equal(m.held, tick - 1);
        message();
        assert_int_equal(m.held, tick);
        assert_int_equal(m.last_held, route->irte);
        assert_true(!strstr(stub_log, "vector=0x44: more than 16 interrupts in a tick, while "
                                      "others run: held back") == (tick > 1)); /* one line */
        stub_log_clear();
        m.posted = 0;
        m.events[0] = '\0';
        irq_tick();
        assert_string_equal(m.events, "remap 0x41; ");
        assert_int_equal(m.posted, 1);
        irq_tick(); /* once */
        assert_int_equal(m.posted, 1);
    }
}

/* What a VM loses to its own device is its own affair, and an idle CPU loses nothing. */
TEST(a_storm_at_its_own_expense_goes_on)
{
    (void)remapped();
    const struct vcpu *here[] = {NULL, m.vm.vcpus[0], m.vm.vcpus[1]};
    for (unsigned i = 0; i < 10 * IRQ_STOLEN_MAX; i++) {
        m.interrupted = here[i % ARRAY_COUNT(here)];
        message();
    }
    assert_int_equal(m.held, 0);
    assert_int_equal(m.posted, 10 * IRQ_STOLEN_MAX);
}

static void storm(void)
{
    m.interrupted = &stranger;
    for (unsigned i = 0; i <= IRQ_STOLEN_MAX; i++)
        message();
    assert_int_equal(m.held, 1);
}

/* Messages that were on their way when the entry was held: it stays held, and is on the list once.
 */
TEST(a_held_message_stays_held)
{
    (void)remapped();
    storm();
    message();
    m.interrupted = NULL;
    m.vm.vcpus[1]->cpu = &m.cpus[0];
    m.events[0] = '\0';
    message();
    assert_string_equal(m.events, "");
    irq_tick();
    assert_string_equal(m.events, "remap 0x41; ");
    assert_null(m.vm.held);
}

/* The guest has made it a posted one, and a remapped message of before arrives. */
TEST(a_posted_message_is_not_held)
{
    (void)remapped();
    m.interrupted = &stranger;
    for (unsigned i = 0; i < IRQ_STOLEN_MAX; i++)
        message();
    f->of->config.irq = IRQ_POST;
    vpci_write(f, AT_MSI_DATA, 2, 0x45);
    assert_int_equal(f->msi[0].delivery, IRQ_POSTED);
    message();
    assert_int_equal(m.held, 0);
}

/* The guest blocks the message, resets the device, or loses it, while it is held. */
TEST(a_held_message_that_ends)
{
    (void)remapped();
    storm();
    vpci_write(f, AT_MSI_CONTROL, 2, 0);
    m.posted = 0;
    m.events[0] = '\0';
    irq_tick();
    assert_int_equal(m.posted, 0);
    assert_string_equal(m.events, "");
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    m.held = 0;
    storm();
    assert_non_null(m.vm.held);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_null(m.vm.held);
    irq_tick();
    assert_int_equal(m.posted, IRQ_STOLEN_MAX + 1);
    struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    f = m.vm.pci->functions[1];
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(msi_of_64_bits),
        CASE(msi_of_32_bits),
        CASE(msi_that_masks),
        CASE(the_number_of_messages_reaches_the_device),
        CASE(msix_control),
        CASE(msix_entries),
        CASE(function_mask),
        CASE(a_route_and_its_mask),
        CASE(no_entry_is_left),
        CASE(taken_back_no_message_is_left),
        CASE(msix_after_a_reset),
        CASE(a_table_beyond_its_bar),
        CASE(a_logical_address_that_changes),
        CASE(a_remapped_message_follows_its_vcpu),
        CASE(a_message_that_interrupts_its_own_vcpu_asks_for_nothing),
        CASE(a_vcpu_that_has_never_run_is_on_the_first_cpu),
        CASE(an_entry_that_another_cpu_changes_is_left_alone),
        CASE(a_storm_is_held_until_the_tick),
        CASE(a_storm_at_its_own_expense_goes_on),
        CASE(a_held_message_stays_held),
        CASE(a_posted_message_is_not_held),
        CASE(a_held_message_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
