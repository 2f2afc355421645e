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
 * Messages of an assigned function, MSI and MSI-X: what of them reaches the device, and how they
 * are delivered. Against a model of the device (tests/unit/assign_model.c).
 */
#include <string.h>
#include "arch/options.h"
#include "tests/unit/test.h"
#include "tests/unit/vpci_fixture.h"
#include "vmx/caps.h"

/* PCI "MSI-X Table Entries": the page of the table traps, the rest is direct. */
TEST(the_msix_table_is_a_hole)
{
    uint32_t at = vpci_read(f, PCI_BAR(1), 4);
    assert_true(model_maps(at, 0x1000));
    assert_false(model_maps_any(at + 0x1000, 0x1000));
    assert_true(model_maps(at + 0x2000, 0x2000));
    vpci_write(f, PCI_BAR(1), 4, at + 0x100000);
    assert_false(model_maps_any(at, 0x4000));
    assert_false(model_maps_any(at + 0x101000, 0x1000));
}

/* Only the first use and a change of the mask reach the device; a new vector ends in the IRTE. */
TEST(msix_entries_are_the_guests)
{
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    table(0x10, 8, 0xfee01000); /* entry 0, 8 bytes at once */
    table(0x18, 4, 0x55);
    unsigned before = m.table_writes;
    table(0x1c, 4, 0); /* unmask */
    assert_int_equal(m.table_writes, before + 4);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x10), 0xfee00010 | 5 << 5);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x1c), 0);
    assert_int_equal(table_in(0x10, 8), 0xfee01000);
    table(0x18, 4, 0x66);
    assert_int_equal(m.table_writes, before + 4);
    table(0x10, 4, 0x12345000); /* no interrupt's address: masked */
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x1c), 1);
    /* beyond the last entry (5 * 16 = 0x50): registers of the device */
    table(0x60, 4, 0xabcd);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x60), 0xabcd);
    table(0x800, 4, 0xabcd); /* PBA: read-only */
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x800), 0);
    assert_int_equal(table_in(0x60, 4), 0xabcd);
}

/* A debugger reads what the guest would read, and only where a BAR is decoded. */
TEST(a_debugger_reads_the_table_of_the_guest)
{
    uint64_t at = vpci_read(f, PCI_BAR(1), 4), value = 0;
    table(0x10, 8, 0xfee01000);
    assert_true(vbar_read(&m.vm, gpa(at + 0x1010), 8, &value));
    assert_int_equal(value, 0xfee01000);
    assert_false(vbar_read(&m.vm, gpa(at + 0x3ffc), 8, &value)); /* over the end */
    assert_false(vbar_read(&m.vm, gpa(0xc040), 1, &value));      /* ports */
    vpci_write(f, PCI_COMMAND, 2, 0);
    assert_false(vbar_read(&m.vm, gpa(at + 0x1010), 8, &value));
}

/* A multi-message MSI: the low bits of the data are the device's. */
TEST(msi_is_routed_by_what_the_guest_wrote)
{
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x43);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 1));
    assert_int_equal(f->msi[0].vector, 0x42);
    assert_int_equal(f->msi[1].vector, 0x43);
    assert_int_equal(f->msi[0].targets, BIT(1));
    assert_int_equal(f->msi[0].delivery, IRQ_POSTED);
    assert_int_equal(f->msi[2].delivery, IRQ_UNROUTED);
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee09000); /* no such vCPU */
    assert_int_equal(f->msi[0].delivery, IRQ_UNROUTED);
    vpci_write(f, AT_MSI_CONTROL, 2, 0);
    assert_false(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
}

/* PCI "MSI Capability Structure": a new vector, or another vCPU, ends in the entry; the device is
 * written when MSI is enabled, and for another number of messages. */
TEST(a_new_vector_does_not_reach_the_device)
{
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x42);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    assert_int_equal(*(uint32_t *)(m.config + AT_MSI_ADDRESS), 0xfee00018 | f->msi[0].irte << 5);
    unsigned before = m.config_writes;
    vpci_write(f, AT_MSI_DATA, 2, 0x66);
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee00000);
    assert_int_equal(f->msi[0].vector, 0x66);
    assert_int_equal(f->msi[0].targets, BIT(0));
    assert_int_equal(m.config_writes, before);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 2));
    assert_true(m.config_writes > before);
    assert_int_equal(FIELD_GET(PCI_MSI_COUNT, m.config[AT_MSI_CONTROL]), 2);
    assert_int_equal(f->msi[3].delivery, IRQ_POSTED);
}

static enum irq_delivery delivery_of(uint32_t address, uint32_t data)
{
    vpci_write(f, AT_MSI_CONTROL, 2, 0);
    vpci_write(f, AT_MSI_ADDRESS, 4, address);
    vpci_write(f, AT_MSI_DATA, 2, data);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    return f->msi[0].delivery;
}

/* An entry for posting names one descriptor: several vCPUs, or a choice among them,
 * are for software. */
TEST(what_vtd_cannot_post_is_remapped)
{
    assert_int_equal(delivery_of(0xfee01000, 0x44), IRQ_POSTED);
    assert_int_equal(delivery_of(0xfee01000, 0x144), IRQ_SOFTWARE); /* lowest priority */
    assert_int_equal(f->msi[0].targets, BIT(1));
    assert_int_equal(delivery_of(0xfee03004, 0x44), IRQ_SOFTWARE); /* logical: both */
    assert_int_equal(f->msi[0].targets, BIT(1) | BIT(0));
    assert_int_equal(delivery_of(0xfee03004, 0x144), IRQ_SOFTWARE);
    assert_int_equal(f->msi[0].targets, BIT(0));                    /* either is right */
    assert_int_equal(delivery_of(0xfee01000, 0x444), IRQ_UNROUTED); /* no NMI for a guest */
}

/* A vector of the host is for what VT-d does not post; without one the message is blocked,
 * and nothing else. */
TEST(posted_messages_need_no_vector_of_the_host)
{
    unsigned left = m.vectors_left;
    assert_int_equal(delivery_of(0xfee01000, 0x44), IRQ_POSTED);
    assert_int_equal(m.vectors_left, left);
    m.vectors_left = 0;
    assert_int_equal(delivery_of(0xfee03004, 0x44), IRQ_UNROUTED);
    m.vectors_left = left;
    assert_int_equal(delivery_of(0xfee03004, 0x44), IRQ_SOFTWARE);
    assert_int_equal(m.vectors_left, left - 1);
}

TEST(the_best_delivery_that_is_allowed)
{
    const char *why;
    struct assignment *a = f->of;
    assert_int_equal(irq_best_delivery(a, &why), IRQ_POSTED);
    assert_string_equal(why, "");
    a->config.irq = IRQ_REMAP;
    assert_int_equal(irq_best_delivery(a, &why), IRQ_SOFTWARE);
    assert_string_equal(why, "irq=remap");
    a->config.irq = IRQ_INJECT;
    assert_int_equal(irq_best_delivery(a, &why), IRQ_INJECTED);
    a->config.irq = IRQ_POST;
    options.post = POST_SW;
    assert_int_equal(irq_best_delivery(a, &why), IRQ_SOFTWARE);
    assert_string_equal(why, "post=sw");
    options.post = POST_HW;
    vmx_caps.posting = false;
    vmx_caps.no_posting = "no APICv";
    assert_int_equal(irq_best_delivery(a, &why), IRQ_INJECTED);
    assert_string_equal(why, "no APICv");
    vmx_caps.posting = true;
}

/* PCI "MSI-X": entries may be set up before the capability is enabled, and are live from then on;
 * Function Mask holds all of them back, each keeps its own mask bit. */
TEST(msix_may_be_set_up_before_it_is_enabled)
{
    uint32_t *message = (uint32_t *)(m.bar_bytes + 0x10),
             *control = (uint32_t *)(m.bar_bytes + 0x1c);
    table(0x10, 4, 0xfee01000);
    table(0x18, 4, 0x55);
    unsigned before = m.table_writes;
    table(0x1c, 4, 0);
    assert_int_equal(m.table_writes, before); /* not enabled: the device's entry stays masked */
    assert_int_equal(*control, 1);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    assert_int_equal(*control, 1);
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_int_equal(*message, 0xfee00010 | 5 << 5);
    assert_int_equal(*control, 0);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x2c), 1); /* its neighbour was never unmasked */
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    assert_int_equal(*control, 1);
    assert_int_equal(table_in(0x1c, 4), 0); /* as the guest wrote it */
    vpci_write(f, AT_MSIX_CONTROL, 2, 0);
    assert_int_equal(*control, 1);
}

/* Nothing of the device's own table gets out, and nothing into it but by the entries' rules, by
 * plan A as well, and in a BAR that is smaller than a page. */
TEST(the_table_is_trapped_where_every_access_is)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        again();
        if (turn)
            /* BAR 2 + 0x30, the PBA at 0x80 */
            memcpy(m.config + AT_MSIX_TABLE, (uint8_t[]){0x32, 0, 0, 0, 0x82, 0, 0, 0}, 8);
        assert_int_equal(model_assign(turn ? PLAN_POST_HW : PLAN_FORWARD, BAR_EAGER), 0);
        f = m.vm.pci->functions[1];
        uint64_t at = vpci_read(f, PCI_BAR(turn ? 2 : 1), 4) + (turn ? 0x30 : 0x1010);
        struct vcpu *v = &asking;
        vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
        const struct vm_range *r = vm_bus_find(&m.vm.mmio, at);
        assert_int_equal(r->size, turn ? 0x100 : 0x4000); /* exactly the BAR */
        r->write(v, r->owner, at - r->base, 4, 0xfee01000);
        r->write(v, r->owner, at - r->base + 8, 4, 0x55);
        r->write(v, r->owner, at - r->base + 12, 4, 0);
        assert_int_equal(LO32(r->read(v, r->owner, at - r->base, 4)), 0xfee01000);
        uint8_t *entry = m.bar_bytes + (turn ? 0x100 + 0x30 : 0x10);
        assert_int_equal(*(uint32_t *)entry, 0xfee00010 | 5 << 5);
        *(uint32_t *)(entry - 4) = 0x11111111; /* an access that begins in front of it */
        assert_true(r->read(v, r->owner, at - r->base - 4, 8) == UINT64_MAX);
        r->write(v, r->owner, at - r->base - 4, 8, 0);
        assert_int_equal(*(uint32_t *)entry, 0xfee00010 | 5 << 5);
    }
}

/* The device as its own reset leaves it: no message, no place, no decode, nothing masked. */
static void reset_from_inside(void)
{
    memset(m.bar_bytes, 0, 0x50);
    memset(m.config + PCI_BAR(0), 0, 4 * PCI_BAR_COUNT);
    memset(m.config + PCI_COMMAND, 0, 2);
    memset(m.config + AT_MSI_ADDRESS, 0, 8);
    m.config[AT_MSI_CONTROL] &= (uint8_t)~PCI_MSI_ENABLE;
    m.config[AT_MSIX_CONTROL + 1] = 0;
}

/* PCI "MSI-X Capability and Table Structures": what a driver does after it has reset its device by
 * the device's registers: it masks all, restores each entry, and unmasks. */
TEST(a_table_lost_in_a_reset_from_inside_is_written_again)
{
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    table(0x10, 8, 0xfee01000);
    table(0x18, 4, 0x55);
    table(0x1c, 4, 0);
    uint32_t address = *(uint32_t *)(m.bar_bytes + 0x10);
    reset_from_inside();
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM);     /* without it no table answers */
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE); /* before the entry: all the same */
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x10), address);
    reset_from_inside();
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM); /* without it no table answers */
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    table(0x1c, 4, 0);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x1c), 1);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x2c), 1); /* an entry that was never used */
    vpci_write(f, AT_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x10), address);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x1c), 0);
    assert_true(pci_read16(m.fn.bdf, AT_MSIX_CONTROL) & PCI_MSIX_ENABLE);
    memset(m.bar_bytes, 0, 0x50);
    table(0x1c, 4, 1); /* one entry alone */
    table(0x1c, 4, 0);
    assert_int_equal(*(uint32_t *)(m.bar_bytes + 0x10), address);
}

TEST(msi_and_decode_lost_in_a_reset_from_inside_are_written_again)
{
    vpci_write(f, AT_MSI_ADDRESS, 4, 0xfee01000);
    vpci_write(f, AT_MSI_DATA, 2, 0x42);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    uint32_t address = pci_read32(m.fn.bdf, AT_MSI_ADDRESS);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    reset_from_inside();
    vpci_write(f, PCI_BAR(0), 4, 0xd0000000);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    assert_int_equal(pci_read32(m.fn.bdf, PCI_BAR(0)), 0xfeb00000);
    assert_int_equal(pci_read32(m.fn.bdf, PCI_BAR(2)), 0xfe900100);
    assert_int_equal(pci_read16(m.fn.bdf, PCI_COMMAND),
                     PCI_COMMAND_MEM | PCI_COMMAND_IO | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    vpci_write(f, AT_MSI_CONTROL, 2, PCI_MSI_ENABLE);
    assert_int_equal(pci_read32(m.fn.bdf, AT_MSI_ADDRESS), address);
    assert_true(m.config[AT_MSI_CONTROL] & PCI_MSI_ENABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_msix_table_is_a_hole),
        CASE(msix_entries_are_the_guests),
        CASE(a_debugger_reads_the_table_of_the_guest),
        CASE(msi_is_routed_by_what_the_guest_wrote),
        CASE(a_new_vector_does_not_reach_the_device),
        CASE(what_vtd_cannot_post_is_remapped),
        CASE(posted_messages_need_no_vector_of_the_host),
        CASE(the_best_delivery_that_is_allowed),
        CASE(msix_may_be_set_up_before_it_is_enabled),
        CASE(the_table_is_trapped_where_every_access_is),
        CASE(a_table_lost_in_a_reset_from_inside_is_written_again),
        CASE(msi_and_decode_lost_in_a_reset_from_inside_are_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
