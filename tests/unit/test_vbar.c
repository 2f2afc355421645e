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
 * Where a guest may put the BARs of its functions: the ends of the windows, and places that another
 * function has.
 * Spec: PCI Local Bus 3.0 "Base Addresses".
 */
#include "tests/unit/stubs.h"
#include "tests/unit/vpci_fixture.h"

#define BAR0_SIZE 0x100000

TEST(a_bar_at_the_ends_of_its_window)
{
    static const uint32_t ends[] = {VM_MMIO_END - BAR0_SIZE, VM_MMIO_BASE};
    assert_int_equal(f->bars[0].guest, VM_MMIO_BASE); /* where the first one is placed */
    for (unsigned i = 0; i < ARRAY_COUNT(ends); i++) {
        vpci_write(f, PCI_BAR(0), 4, ends[i]);
        assert_true(model_maps(ends[i], BAR0_SIZE));
    }
    vpci_write(f, PCI_BAR(0), 4, VM_MMIO_BASE - BAR0_SIZE);
    assert_false(f->bars[0].mapped);
    vpci_write(f, PCI_BAR(0), 4, VM_MMIO_END);
    assert_false(f->bars[0].mapped);
}

/* Two functions of a VM: neither takes the place of the other, while that one is mapped. */
TEST(a_bar_over_another_functions)
{
    struct device_config c = {.bdf = model_more(BDF(0, 5, 0))->bdf, .plan = PLAN_POST_HW};
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    struct vpci_function *g = m.vm.pci->functions[2];
    uint32_t own = vpci_read(f, PCI_BAR(0), 4), its = vpci_read(g, PCI_BAR(0), 4);
    assert_true(f->bars[0].mapped && g->bars[0].mapped && own != its);
    vpci_write(f, PCI_BAR(0), 4, its);
    assert_false(f->bars[0].mapped);
    vpci_write(g, PCI_BAR(0), 4, own);
    assert_true(g->bars[0].mapped && model_maps(own, BAR0_SIZE));
    vpci_write(f, PCI_BAR(0), 4, its);
    assert_true(f->bars[0].mapped);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_IO); /* what is not decoded takes no place */
    vpci_write(g, PCI_BAR(0), 4, its);
    assert_true(g->bars[0].mapped);
    vpci_write(g, PCI_BAR(4), 4, vpci_read(f, PCI_BAR(4), 4)); /* ports, too */
    assert_false(g->bars[4].mapped);
    assert_true(m.port_passes[0xc040]);
}

/* The register behind a BAR of 64 bits is its upper half, also behind the first one. */
TEST(the_upper_half_of_the_first_bar)
{
    again();
    m.fn.bars[0].is_64bit = true;
    m.fn.bars[1].kind = PCI_BAR_NONE;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    vpci_write(f, PCI_BAR(1), 4, HI32(VM_MMIO64_BASE));
    assert_int_equal(vpci_read(f, PCI_BAR(1), 4), HI32(VM_MMIO64_BASE));
    vpci_write(f, PCI_BAR(0), 4, 0);
    assert_true(model_maps(VM_MMIO64_BASE, BAR0_SIZE));
    vpci_write(f, PCI_BAR(1), 4, HI32(VM_MMIO64_BASE) + 1);
    vpci_write(f, PCI_BAR(0), 4, BAR0_SIZE | 0xf); /* this half alone */
    assert_true(model_maps(VM_MMIO64_BASE + BIT(32) + BAR0_SIZE, BAR0_SIZE));
    vpci_write(f, PCI_BAR(1), 4, 0);
    assert_false(f->bars[0].mapped);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), BAR0_SIZE | 4);
}

/* The first place of a BAR that the low window hardly has room for is high, if it has 64 bits. */
TEST(a_large_bar_is_placed_high)
{
    for (unsigned i = 0; i < 2; i++) {
        again();
        m.fn.bars[0] = (struct pci_bar){PCI_BAR_MEM, true, true, BIT(40), SIZE_1G / 4 << i};
        m.fn.bars[1].kind = PCI_BAR_NONE;
        assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
        f = m.vm.pci->functions[1];
        assert_int_equal(f->bars[0].guest,
                         i ? VM_MMIO64_BASE : 0xe0000000); /* behind a reserved page */
        assert_true(f->bars[0].mapped);
    }
}

/* Four ports are the fewest that a register can describe: two bits below the address. */
TEST(four_ports)
{
    again();
    m.fn.bars[4].size = 4;
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    vpci_write(f, PCI_BAR(4), 4, 0xd007);
    assert_int_equal(vpci_read(f, PCI_BAR(4), 4), 0xd005);
    assert_non_null(vm_bus_find(&m.vm.pio, 0xd004));
    assert_null(vm_bus_find(&m.vm.pio, 0xd003));
    assert_null(vm_bus_find(&m.vm.pio, 0xd008));
}

/* Without memory for the bitmap none of its ports is there. */
TEST(ports_that_cannot_be_opened)
{
    vpci_write(f, PCI_COMMAND, 2, 0);
    m.ports_refused = true;
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_IO);
    assert_false(f->bars[4].mapped);
    assert_null(vm_bus_find(&m.vm.pio, 0xc040));
    m.ports_refused = false;
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_IO);
    assert_true(f->bars[4].mapped && m.port_passes[0xc040]);
}

/* The log tells of a place that is none, but not of the ones that a guest writes to size a BAR. */
TEST(an_impossible_place_is_told)
{
    stub_log_clear();
    vpci_write(f, PCI_BAR(0), 4, UINT32_MAX);
    vpci_write(f, PCI_BAR(4), 4, UINT32_MAX);
    assert_null(strstr(stub_log, "no place"));
    vpci_write(f, PCI_BAR(0), 4, VM_MMIO_END);
    assert_non_null(strstr(stub_log, "bar0 at 0xfec00000 is no place for a BAR"));
}

/* An access to a BAR below a page reaches the device. */
TEST(a_small_bar_is_forwarded)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, vpci_read(f, PCI_BAR(2), 4) + 8);
    unsigned before = m.table_writes;
    assert_int_equal(r->read(&asking, r->owner, 8, 4), 0);
    r->write(&asking, r->owner, 8, 4, 1);
    assert_int_equal(m.table_writes, before + 1);
}

static bool seen(uint64_t at, unsigned width, uint64_t expected)
{
    uint64_t value = 77;
    return vbar_read(&m.vm, gpa(at), width, &value) && value == expected;
}

/* A debugger reads what the guest reaches, to the last byte, and of the MSI-X table the guest's
 * entries. */
TEST(a_debugger_reads_a_bar)
{
    uint64_t bar0 = f->bars[0].guest, bar1 = f->bars[1].guest, bar2 = f->bars[2].guest;
    uint64_t value;
    assert_true(seen(bar0, 4, 0) && seen(bar0 + BAR0_SIZE - 8, 8, 0) && seen(bar2 + 0xff, 1, 0));
    assert_true(seen(bar1 + 0x1010 + PCI_MSIX_ENTRY_CONTROL, 4, PCI_MSIX_ENTRY_MASK));
    assert_false(vbar_read(&m.vm, gpa(bar0 + BAR0_SIZE - 4), 8, &value));
    assert_false(vbar_read(&m.vm, gpa(bar2 + 0x100), 1, &value));
    assert_false(vbar_read(&m.vm, gpa(bar0 - 1), 1, &value));
    assert_false(vbar_read(&m.vm, gpa(0xc040), 1, &value)); /* ports are no memory */
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_IO);
    assert_false(vbar_read(&m.vm, gpa(bar0), 4, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_bar_at_the_ends_of_its_window),
        CASE(a_bar_over_another_functions),
        CASE(the_upper_half_of_the_first_bar),
        CASE(a_large_bar_is_placed_high),
        CASE(four_ports),
        CASE(ports_that_cannot_be_opened),
        CASE(an_impossible_place_is_told),
        CASE(a_small_bar_is_forwarded),
        CASE(a_debugger_reads_a_bar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
