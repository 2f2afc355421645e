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
 * One access of a guest to config space: which registers it touches, what of it reaches the device,
 * through both doors; and the registers that only the guest sees.
 * Spec: PCI Local Bus 3.0 "Configuration Space Organization", "Device Status".
 */
#include "tests/unit/vpci_fixture.h"

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

static uint64_t ecam_in(uint64_t offset, unsigned width)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, VM_ECAM_BASE + offset);
    return r->read(&asking, r->owner, offset, width) & WIDTH_MASK(width);
}

static void ecam_out(uint64_t offset, unsigned width, uint64_t value)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, VM_ECAM_BASE + offset);
    r->write(&asking, r->owner, offset, width, value);
}

static uint16_t hardware(uint16_t at) { return *(uint16_t *)(m.config + at); }

/* "Device Status": a one clears an error, and a zero nothing. Only what the guest wrote is written,
 * and no bit beside it is cleared. */
TEST(errors_are_cleared_by_ones)
{
    uint16_t errors = (uint16_t)PCI_STATUS_ERRORS, rest = (uint16_t)~PCI_STATUS_ERRORS;
    uint16_t before = hardware(PCI_STATUS) & rest;
    *(uint16_t *)(m.config + PCI_STATUS) = errors | before;
    unsigned writes = m.config_writes;
    vpci_write(f, PCI_STATUS, 2, 0);
    vpci_write(f, PCI_STATUS, 1, 0xff); /* the half without errors */
    vpci_write(f, PCI_STATUS, 2, rest);
    assert_int_equal(m.config_writes, writes);
    vpci_write(f, PCI_STATUS, 2, 0x8000);
    assert_int_equal(hardware(PCI_STATUS), 0x8000 | before);
    *(uint16_t *)(m.config + PCI_STATUS) = errors | before;
    vpci_write(f, PCI_STATUS + 1, 1, 0x40);
    assert_int_equal(hardware(PCI_STATUS), 0x4000 | before);
    uint16_t at = AT_PCIE + PCIE_DEVICE_STATUS;
    *(uint16_t *)(m.config + at) = 0x3f;
    vpci_write(f, at, 2, 0xffff);
    assert_int_equal(hardware(at), 0x3f & (PCIE_DEVICE_ERRORS | 0x30));
}

/* One write over four registers of a byte: each takes what it may. */
TEST(a_write_across_registers)
{
    vpci_write(f, PCI_CACHE_LINE_SIZE, 4, 0x44332211);
    assert_int_equal(vpci_read(f, PCI_CACHE_LINE_SIZE, 4), 0x2211);
    vpci_write(f, PCI_LATENCY_TIMER, 1, 0x55);
    assert_int_equal(vpci_read(f, PCI_CACHE_LINE_SIZE, 2), 0x5511);
    vpci_write(f, PCI_INTERRUPT_LINE, 2, 0x7766);
    assert_int_equal(vpci_read(f, PCI_INTERRUPT_LINE, 2), 0x166);
    assert_int_equal(m.config[PCI_CACHE_LINE_SIZE], (PCI_CACHE_LINE_SIZE * 7) & 0xff);
    vpci_write(f, AT_PM + 3, 2, 0x0300); /* a byte in no list, and one of a register */
    assert_int_equal(vpci_read(f, AT_PM + PCI_PM_CONTROL, 2), PCI_PM_NO_SOFT_RESET | 3);
    vpci_write(f, PCI_BAR(0), 1, 0xff); /* bytes of one register */
    vpci_write(f, PCI_BAR(0) + 2, 2, 0xd870);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd8700000);
    vpci_write(f, PCI_BAR(0) + 3, 1, 0xd9);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd9700000);
    assert_int_equal(vpci_read(f, PCI_BAR(0) + 2, 2), 0xd970);
    assert_int_equal(vpci_read(f, PCI_BAR(0) + 3, 1), 0xd9);
    vpci_write(f, PCI_BAR(0) - 1, 2, 0xffff); /* its first byte, but no other */
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd9700000);
    vpci_write(f, PCI_BAR(1), 4, 0xd2345678);
    vpci_write(f, PCI_BAR(0) + 3, 4, 0xd1ffffda);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xda700000);
    assert_int_equal(vpci_read(f, PCI_BAR(1), 4), 0xd2d1c000);
}

/* Bytes of the device beside registers of Hamlet, in one read. */
TEST(a_read_across_registers)
{
    assert_int_equal(vpci_read(f, AT_PM, 4), (uint32_t)(((AT_PM + 3) * 7) & 0xff) << 24 |
                                                 ((AT_PM + 2) * 7 & 0xff) << 16 | AT_MSI << 8 |
                                                 PCI_CAP_ID_PM);
    assert_int_equal(vpci_read(f, 0x84, 4), (uint32_t)((0x87 * 7) & 0xff) << 24 |
                                                ((0x86 * 7) & 0xff) << 16 |
                                                ((0x85 * 7) & 0xff) << 8 | ((0x84 * 7) & 0xff));
    assert_int_equal(vpci_read(f, 0xfc, 4) >> 24, (0xff * 7) & 0xff);
    for (uint16_t at = 0x84; at < 0x88; at++)
        assert_int_equal(vpci_read(f, at, 1), (at * 7) & 0xff);
    assert_int_equal(vpci_read(f, 0x86, 2), ((0x87 * 7) & 0xff) << 8 | ((0x86 * 7) & 0xff));
    assert_int_equal(vpci_read(NULL, 0, 2), 0xffff);
    vpci_write(NULL, 0, 2, 0);
}

TEST(writes_through_the_ports)
{
    port_out(&m.vm, 0xcf8, 4, 0x80000800 | PCI_BAR(0));
    port_out(&m.vm, 0xcfc, 4, 0xd8000000);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd8000000);
    port_out(&m.vm, 0xcfe, 2, 0xd810);
    port_out(&m.vm, 0xcff, 1, 0xd9);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd9100000);
    assert_int_equal(port_in(&m.vm, 0xcfe, 2), 0xd910);
    port_out(&m.vm, 0xcf8, 4, 0x00000800 | PCI_BAR(0)); /* not enabled */
    port_out(&m.vm, 0xcfc, 4, 0xda000000);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd9100000);
    port_out(&m.vm, 0xcf8, 4, 0x80000900 | PCI_BAR(0)); /* function 1: not there */
    port_out(&m.vm, 0xcfc, 4, 0xda000000);
    assert_int_equal(vpci_read(f, PCI_BAR(0), 4), 0xd9100000);
}

TEST(reads_through_ecam)
{
    assert_int_equal(ecam_in(0x8000, 4), 0x11e81234);
    assert_int_equal(ecam_in(0x8002, 2), 0x11e8);
    assert_int_equal(ecam_in(0x8000, 8), (uint64_t)vpci_read(f, PCI_COMMAND, 4) << 32 | 0x11e81234);
    assert_int_equal(ecam_in(0x10000, 4), UINT32_MAX);
    assert_int_equal(ecam_in(0x10000, 8), UINT64_MAX);
}

/* The last accesses stand in the report of a crash, as they were made. */
TEST(accesses_are_noted)
{
    uint64_t first = m.vm.access_count;
    port_out(&m.vm, 0xcf8, 4, 0x80000800);
    (void)port_in(&m.vm, 0xcfe, 2);
    port_out(&m.vm, 0xcfc, 4, 0x1234);
    (void)ecam_in(0x8008, 4);
    ecam_out(0x800e, 1, 0x56);
    port_out(&m.vm, 0xcf8, 4, 0x800);
    (void)port_in(&m.vm, 0xcfe, 2);
    assert_int_equal(m.vm.access_count, first + 4);
    static const struct vm_access is[] = {
        {.at = 8 << 16 | 2, .value = 0x11e8, .config = true, .width = 2},
        {.at = 8 << 16, .value = 0x1234, .config = true, .write = true, .width = 4},
        {.at = 8 << 16 | 8, .value = 0xff000000, .config = true, .width = 4},
        {.at = 8 << 16 | 0xe, .value = 0x56, .config = true, .write = true, .width = 1},
    };
    for (unsigned i = 0; i < 4; i++) {
        const struct vm_access *a = &m.vm.accesses[(first + i) % VM_ACCESS_MAX];
        assert_int_equal(a->at, is[i].at);
        assert_int_equal(a->value, is[i].value);
        assert_true(a->config && a->write == is[i].write && a->width == is[i].width);
    }
}

/* The host bridge is all shadow, and read-only. */
TEST(the_host_bridge)
{
    struct vpci_function *bridge = m.vm.pci->functions[0];
    for (uint16_t at = 0; at < 256; at += 4) {
        vpci_write(bridge, at, 4, UINT32_MAX);
        assert_int_equal(vpci_read(bridge, at, 4), at == 0 ? 0x00081b36 : at == 8 ? 0x06000000 : 0);
    }
}

/* 31 places beside the bridge. */
TEST(a_bus_that_is_full)
{
    static struct vpci_function more[31];
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(vpci_plug(m.vm.pci, &more[i]), 0);
        assert_int_equal(more[i].bdf, BDF(0, 2 + i, 0));
    }
    assert_int_equal(vpci_plug(m.vm.pci, &more[30]), -ENOSPC);
    vpci_unplug(m.vm.pci, &more[7]);
    assert_int_equal(vpci_plug(m.vm.pci, &more[30]), 0);
    assert_int_equal(more[30].bdf, BDF(0, 9, 0));
    for (unsigned i = 0; i < 31; i++)
        m.vm.pci->functions[1 + i] = i ? NULL : f;
}

static uint8_t owner_width(const struct vpci_function *g, uint16_t at)
{
    return g->reg_of[at] ? g->regs[g->reg_of[at] - 1].width : 0;
}

/* Capabilities of a hostile device may overlap. Whatever the order in which they come, the register
 * that begins first has the byte; of two that begin together, the one that was there. */
TEST(a_byte_has_one_register)
{
    static struct vpci_function g;
    static const uint16_t at[] = {0x46, 0x44, 0x80, 0x40};
    for (unsigned first = 0; first < ARRAY_COUNT(at); first++) {
        g = (struct vpci_function){0};
        for (unsigned i = 0; i < ARRAY_COUNT(at); i++) {
            uint16_t offset = at[(first + i) % ARRAY_COUNT(at)];
            vpci_add(&g, (struct vpci_reg){.offset = offset,
                                           .width = offset == 0x44 ? 4 : 2,
                                           .shadow = offset == 0x44 ? 0xff00ffff : 0xffff});
        }
        vpci_add(&g, (struct vpci_reg){.offset = 0x44, .width = 1, .shadow = 0xf0});
        vpci_add(&g, (struct vpci_reg){.offset = 0x80, .width = 4, .shadow = 0xffffffff});
        assert_int_equal(g.reg_count, ARRAY_COUNT(at) + 2);
        for (unsigned i = 1; i < g.reg_count; i++)
            assert_true(g.regs[i - 1].offset <= g.regs[i].offset);
        for (uint16_t byte = 0x44; byte < 0x48; byte++)
            assert_int_equal(owner_width(&g, byte), 4);
        assert_int_equal(owner_width(&g, 0x40), 2);
        assert_int_equal(owner_width(&g, 0x81), 2);
        assert_int_equal(owner_width(&g, 0x83), 4);
        assert_int_equal(owner_width(&g, 0x42), 0);
        assert_int_equal(owner_width(&g, 0x48), 0);
        assert_int_equal(g.from_shadow[0x44], 0xff);
        assert_int_equal(g.from_shadow[0x46], 0);
        assert_int_equal(g.from_shadow[0x47], 0xff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(errors_are_cleared_by_ones),
        CASE(a_write_across_registers),
        CASE(a_read_across_registers),
        CASE(writes_through_the_ports),
        CASE(reads_through_ecam),
        CASE(accesses_are_noted),
        CASE(the_host_bridge),
        CASE(a_bus_that_is_full),
        CASE(a_byte_has_one_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
