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
 * INTx of an assigned function: who silences it and when, two functions on a line, a function
 * without one, and what a reset leaves.
 */
#include "arch/ioapic.h"
#include "guest/pc/vioapic.h"
#include "tests/unit/vpci_fixture.h"

static void ioapic_write(uint32_t index, uint32_t value)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, VM_IOAPIC_BASE);
    r->write(&asking, r->owner, 0, 4, index);
    r->write(&asking, r->owner, 0x10, 4, value);
}

static void end_of_interrupt(uint8_t vector)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, VM_IOAPIC_BASE);
    r->write(&asking, r->owner, 0x40, 4, vector);
}

static bool is_silenced(void) { return pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF; }

/* PCI "Device Control", "Device Status": one interrupt per service, as long as the device
 * drives the line. */
TEST(intx_is_silenced_until_the_guest_is_done)
{
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    assert_int_equal(vpci_read(f, PCI_INTERRUPT_PIN, 1), 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33); /* level, unmasked */
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    assert_int_equal(m.posted, 1);
    assert_int_equal(m.last_vector, 0x33);
    assert_true(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    m.handler(m.handler_ctx); /* another device on the line: not ours a second time */
    assert_int_equal(m.posted, 1);
    end_of_interrupt(0x33);
    assert_int_equal(m.posted, 1); /* the pin is low */
    assert_false(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    m.handler(m.handler_ctx); /* still driven: it comes again */
    assert_int_equal(m.posted, 2);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    end_of_interrupt(0x33);
    assert_true(pci_read16(m.fn.bdf, PCI_COMMAND) &
                PCI_COMMAND_INTX_OFF); /* as the guest wants it */
}

/* The line comes to the CPU that served it, as long as no other function uses it. */
TEST(a_line_follows_the_vcpu_that_serves_it)
{
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    assert_int_equal(m.remapped_to, 10);
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.here = 1;
    m.handler(m.handler_ctx);
    assert_int_equal(m.remapped_to, 10);
    m.events[0] = '\0';
    end_of_interrupt(0x33);
    assert_int_equal(m.remapped_to, 11);
    assert_string_equal(m.events, "remap-level 0x40; ");
    m.events[0] = '\0';
    m.handler(m.handler_ctx);
    end_of_interrupt(0x33); /* there it is by now */
    assert_string_equal(m.events, "");
}

/* PCI Express "Function Level Reset (FLR)": Interrupt Disable is clear after it, so the line is
 * heard again; the ROM is not decoded, the BARs are where they were. */
TEST(a_guests_reset_leaves_a_device_that_works)
{
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    uint32_t at = vpci_read(f, PCI_BAR(0), 4);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    m.config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    function_reset();
    assert_false(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    assert_int_equal(vpci_read(f, PCI_COMMAND, 2) & 7, 0);
    assert_false(model_maps_any(at, 0x100000));
    end_of_interrupt(0x33);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
    assert_true(model_maps(at, 0x100000));
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    assert_int_equal(m.posted, 2);
}

/* Between the interrupt and the EOI the function stays silent, whatever the guest does to Interrupt
 * Disable. */
TEST(a_guest_cannot_unmask_a_line_that_is_served)
{
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    assert_true(is_silenced());
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);
    assert_true(is_silenced());
    end_of_interrupt(0x33);
    assert_false(is_silenced());
}

/* A reset ends the service of a line: it is low, and the next interrupt is seen, before any EOI,
 * and although the guest had switched INTx off. */
TEST(after_a_reset_the_line_is_low)
{
    bool asserted;
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    (void)vioapic_rte(m.vm.ioapic, pin, &asserted);
    assert_true(asserted);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    function_reset();
    (void)vioapic_rte(m.vm.ioapic, pin, &asserted);
    assert_false(asserted);
    assert_false(is_silenced());
    m.handler(m.handler_ctx);
    assert_true(is_silenced()); /* claimed, and so silenced again */
    (void)vioapic_rte(m.vm.ioapic, pin, &asserted);
    assert_true(asserted);
}

/* A device in a reset reads as all-ones. It does not claim the line of another one. */
TEST(a_device_in_a_reset_claims_nothing)
{
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    vpci_write(f, AT_PCIE_CONTROL, 2, PCIE_DEVICE_FLR);
    memset(m.config, 0xff, 0x40);
    m.handler(m.handler_ctx);
    assert_int_equal(m.posted, 0);
    assign_tick(&m.vm);
}

/* A line that no device claims is masked, not served without end. */
TEST(a_storm_on_a_line_ends)
{
    m.config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    for (unsigned i = 0; i < 999; i++)
        m.handler(m.handler_ctx);
    assert_false(m.rte & RTE_MASKED);
    m.handler(m.handler_ctx);
    assert_true(m.rte & RTE_MASKED);
    assert_int_equal(m.posted, 0);
}

/* The line is open, with its entry in the remapping table before, and the function may drive it; a
 * VM that is reset finds it so again. */
TEST(intx_is_on)
{
    assert_int_equal(vpci_read(f, PCI_INTERRUPT_PIN, 1), 1);
    assert_false(is_silenced());
    assert_int_equal(m.last_remapped, 4); /* behind those of its messages */
    assert_int_equal(m.rte, 0x40 | RTE_LEVEL | RTE_ACTIVE_LOW | UINT64_C(4) << 49);
    assert_non_null(strstr(m.events, "irte ff:00.0; remap-level 0x40; line-open; "));
    assert_int_equal(assign_restart_all(&m.vm), 0);
    assert_false(is_silenced());
    assert_false(m.rte & RTE_MASKED);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_true(is_silenced());
    assert_int_equal(m.rte, RTE_MASKED);
}

/* While it is idle, too, the guest decides. */
TEST(the_guest_disables_its_intx)
{
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
    assert_true(is_silenced());
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    vpci_write(f, PCI_COMMAND, 2, 0);
    assert_false(is_silenced());
    assert_int_equal(m.posted, 0);
}

static bool pin_is_high(unsigned pin)
{
    bool asserted;
    (void)vioapic_rte(m.vm.ioapic, pin, &asserted);
    return asserted;
}

/* Taken back in the middle of a service: the pin is low, and the guest's EOI ends nothing. */
TEST(taken_back_while_it_is_served)
{
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    assert_true(pin_is_high(pin));
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_false(pin_is_high(pin));
    end_of_interrupt(0x33);
    assert_true(is_silenced());
    assert_int_equal(m.posted, 1);
}

/* Another CPU serves the line whenever it can: the interrupt, and its guest's EOI. */
static void serve_elsewhere(void)
{
    m.on_command = NULL;
    m.handler(m.handler_ctx);
    vioapic_eoi(m.vm.ioapic, 0x33);
    m.on_command = serve_elsewhere;
}

/* The function stays silent from the moment at which it leaves its line. Otherwise nothing would
 * serve it, and the line might be masked that another function shares. */
TEST(taken_back_while_another_cpu_serves_it)
{
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.on_command = serve_elsewhere;
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    m.on_command = NULL;
    assert_true(is_silenced());
}

/* Two functions on a line: each claims what is its own, and the line stays until both are gone. */
TEST(a_line_of_two)
{
    struct device_config c = {.bdf = model_more(BDF(0, 5, 0))->bdf, .plan = PLAN_POST_HW};
    uint8_t *status = m.more[0].config + PCI_STATUS;
    m.config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    unsigned pin = vpci_read(m.vm.pci->functions[2], PCI_INTERRUPT_LINE, 1);
    assert_int_not_equal(pin, vpci_read(f, PCI_INTERRUPT_LINE, 1));
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    *status |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    assert_true(pin_is_high(pin));
    assert_false(is_silenced());
    assert_false(pin_is_high(vpci_read(f, PCI_INTERRUPT_LINE, 1)));
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    assert_true(is_silenced());
    m.here = 1;
    end_of_interrupt(0x33);
    assert_false(pin_is_high(pin));
    assert_int_equal(m.remapped_to, 10); /* it would go from CPU to CPU */
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_false(m.rte & RTE_MASKED);
    assert_int_equal(assign_take_back(&m.vm, c.bdf), 0);
    assert_true(m.rte & RTE_MASKED);
}

/* Interrupts that no function claims count only in a row. */
TEST(a_claim_ends_the_count)
{
    for (unsigned turn = 0; turn < 3; turn++) {
        m.config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
        for (unsigned i = 0; i < 500; i++)
            m.handler(m.handler_ctx);
        m.config[PCI_STATUS] |= PCI_STATUS_INTX;
        function_reset(); /* not in service any more */
        m.handler(m.handler_ctx);
    }
    m.config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    for (unsigned i = 0; i < 999; i++)
        m.handler(m.handler_ctx);
    assert_false(m.rte & RTE_MASKED);
    struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_int_equal(assign_hot(&m.vm, &c), 0); /* opened again: counted from the first */
    for (unsigned i = 0; i < 999; i++)
        m.handler(m.handler_ctx);
    assert_false(m.rte & RTE_MASKED);
    m.handler(m.handler_ctx);
    assert_true(m.rte & RTE_MASKED);
}

/* The user names the input of the I/O APIC where the firmware's number is another one. */
TEST(the_user_names_the_input)
{
    struct pci_function *g = model_more(BDF(0, 5, 0));
    struct device_config c = {.bdf = g->bdf, .plan = PLAN_POST_HW, .intx = 12};
    assert_int_equal(g->interrupt_line, 11);
    m.other_rte = RTE_MASKED;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_false(m.other_rte & RTE_MASKED);
    assert_int_equal(assign_take_back(&m.vm, g->bdf), 0);
    assert_true(m.other_rte & RTE_MASKED);
}

/* Two lines: what happens to one is nothing to the other. */
TEST(two_lines)
{
    struct pci_function *g = model_more(BDF(0, 5, 0));
    struct device_config c = {.bdf = g->bdf, .plan = PLAN_POST_HW};
    g->interrupt_line = 12;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_int_equal(m.other_rte >> 49, 9); /* its own entry */
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx); /* the one of line 12 */
    assert_false(is_silenced());
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    assert_true(m.rte & RTE_MASKED);
    assert_false(m.other_rte & RTE_MASKED);
    assert_int_equal(assign_take_back(&m.vm, g->bdf), 0);
    assert_true(m.other_rte & RTE_MASKED);
}

/* PCI Local Bus 2.2 and before: a bit that does not change cannot silence the function. */
TEST(a_function_that_cannot_be_silenced)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        again();
        m.intx_old = true;
        m.config[PCI_COMMAND + 1] = turn ? 0xff : 0;
        assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
        f = m.vm.pci->functions[1];
        assert_null(f->of->intx.on);
        assert_int_equal(vpci_read(f, PCI_INTERRUPT_PIN, 1), 0);
        assert_int_equal(m.rte, 0);
    }
}

static void has_no_intx(void)
{
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, PCI_INTERRUPT_PIN, 1), 0);
    assert_null(f->of->intx.on);
    assert_true(is_silenced());
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF); /* in vain */
    vpci_write(f, PCI_COMMAND, 2, 0);
    assert_true(is_silenced());
}

/* No pin, no line, a line of no I/O APIC, no vector of the host: the function has no INTx in the
 * guest's view, and stays silent. */
TEST(without_a_line_it_stays_silent)
{
    static const uint8_t lines[] = {0, 0xff, 99};
    again();
    m.fn.interrupt_pin = 0;
    has_no_intx();
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        again();
        m.fn.interrupt_line = lines[i];
        has_no_intx();
    }
    again();
    m.vectors_left = 0;
    has_no_intx();
    m.vectors_left = MODEL_VECTORS;
    again();
    m.irtes_left = 1; /* for its messages */
    has_no_intx();
    m.irtes_left = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(intx_is_on),
        CASE(the_guest_disables_its_intx),
        CASE(a_line_follows_the_vcpu_that_serves_it),
        CASE(intx_is_silenced_until_the_guest_is_done),
        CASE(a_guests_reset_leaves_a_device_that_works),
        CASE(a_guest_cannot_unmask_a_line_that_is_served),
        CASE(after_a_reset_the_line_is_low),
        CASE(a_device_in_a_reset_claims_nothing),
        CASE(a_storm_on_a_line_ends),
        CASE(a_claim_ends_the_count),
        CASE(taken_back_while_it_is_served),
        CASE(taken_back_while_another_cpu_serves_it),
        CASE(a_line_of_two),
        CASE(the_user_names_the_input),
        CASE(two_lines),
        CASE(a_function_that_cannot_be_silenced),
        CASE(without_a_line_it_stays_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
