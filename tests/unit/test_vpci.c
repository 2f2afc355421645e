/* SPDX-License-Identifier: MIT */
// sources: tests/unit/assign_model.c guest/vpci.c guest/vpci_header.c guest/vpci_caps.c guest/vbar.c guest/vmsi.c guest/vmsix.c guest/irq.c guest/assign.c guest/storm.c guest/dma.c guest/audit.c guest/config.c arch/parse.c guest/bus.c guest/intx.c guest/vioapic.c pci/caps.c pci/msi.c
/*
 * What a guest can do to an assigned function through config space, BARs and MSI-X table, against a model
 * of the device (tests/unit/assign_model.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "guest/storm.h"
#include "arch/options.h"
#include "tests/unit/assign_model.h"

static struct vpci_function *f;

static int setup(void **state)
{
    (void)state;
    model_init(PLAN_D, BAR_EAGER);
    f = m.vm.pci->functions[1];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    model_end();
    assert_int_equal(m.map_count, 0);
    for (unsigned p = 0; p < 65536; p++)
        assert_false(m.port_passes[p]);
    assert_int_equal(m.vm.pio.count, 0);
    assert_int_equal(m.vm.mmio.count, 0);
    assert_int_equal(m.irte_free, m.irte_next); /* every entry came back */
    return 0;
}

static struct vcpu asking = {.vm = &m.vm}; /* who accesses */

/* A guest's port access, as guest/pio.c would bring it. */
static uint32_t port_in(uint16_t port, unsigned width)
{
    const struct vm_range *r = vm_bus_find(&m.vm.pio, port);
    uint64_t value = 0;
    assert_non_null(r);
    r->read(&asking, r->owner, port - r->base, width, &value);
    return (uint32_t)value;
}

static void port_out(uint16_t port, unsigned width, uint32_t value)
{
    const struct vm_range *r = vm_bus_find(&m.vm.pio, port);
    assert_non_null(r);
    r->write(&asking, r->owner, port - r->base, width, value);
}

/* PCI "Configuration Mechanism #1": bytes and words of the dword that the latch names. */
static void both_doors_show_the_same(void **state)
{
    (void)state;
    port_out(0xcf8, 4, 0x80000800);
    assert_int_equal(port_in(0xcfc, 4), 0x11e81234);
    assert_int_equal(port_in(0xcfe, 2), 0x11e8);
    assert_int_equal(port_in(0xcfd, 1), 0x12);
    const struct vm_range *ecam = vm_bus_find(&m.vm.mmio, VM_ECAM_BASE + 0x8000);
    uint64_t value;
    ecam->read(&asking, ecam->owner, 0x8000, 8, &value);
    assert_int_equal(value & 0xffffffff, 0x11e81234);
    port_out(0xcf8, 4, 0x00000800); /* not enabled */
    assert_int_equal(port_in(0xcfc, 4), 0xffffffff);
    port_out(0xcf8, 4, 0x80001000); /* nobody at 00:02.0 */
    assert_int_equal(port_in(0xcfc, 4), 0xffffffff);
    port_out(0xcf9, 1, 6); /* the reset register of a chipset: nobody's */
    assert_int_equal(port_in(0xcf8, 4), 0x80001000);
}

/* PCI "Base Addresses": a BAR written with ones reads its size; it follows while decode is on. */
static void bars_are_sized_and_moved(void **state)
{
    (void)state;
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

static void a_bar_is_not_placed_over_ram_apics_or_another(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0, 0x100000, 0xbff00000, 0xc0000000, 0xfec00000, 0xfee00000};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        vpci_write(f, PCI_BAR(0), 4, bad[i]);
        assert_false(model_maps_any(bad[i], 0x100000));
    }
    uint32_t other = vpci_read(f, PCI_BAR(1), 4);
    vpci_write(f, PCI_BAR(0), 4, other & 0xfff00000);
    assert_false(model_maps(other & 0xfff00000, 0x100000));
}

/* The same ports pass; others are forwarded, and nothing passes twice. */
static void the_io_bitmap_follows_an_io_bar(void **state)
{
    (void)state;
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

static void a_bar_below_a_page_is_forwarded(void **state)
{
    (void)state;
    uint32_t at = vpci_read(f, PCI_BAR(2), 4);
    assert_false(model_maps_any(at, 0x100));
    assert_non_null(vm_bus_find(&m.vm.mmio, at));
    assert_null(vm_bus_find(&m.vm.mmio, at + 0x100));
}

/* PCI "MSI-X Table Entries": the page of the table traps, the rest is direct. */
static void the_msix_table_is_a_hole(void **state)
{
    (void)state;
    uint32_t at = vpci_read(f, PCI_BAR(1), 4);
    assert_true(model_maps(at, 0x1000));
    assert_false(model_maps_any(at + 0x1000, 0x1000));
    assert_true(model_maps(at + 0x2000, 0x2000));
    vpci_write(f, PCI_BAR(1), 4, at + 0x100000);
    assert_false(model_maps_any(at, 0x4000));
    assert_false(model_maps_any(at + 0x101000, 0x1000));
}

static void table(unsigned offset, unsigned width, uint64_t value)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, vpci_read(f, PCI_BAR(1), 4) + 0x1000);
    r->write(&asking, r->owner, offset, width, value);
}

static uint64_t table_in(unsigned offset, unsigned width)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, vpci_read(f, PCI_BAR(1), 4) + 0x1000);
    uint64_t value = 0;
    r->read(&asking, r->owner, offset, width, &value);
    return value;
}

/* Only the first use and a change of the mask reach the device; a new vector ends in the IRTE. */
static void msix_entries_are_the_guests(void **state)
{
    (void)state;
    vpci_write(f, 0x72, 2, PCI_MSIX_ENABLE);
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

/* PCI "Capabilities List": what is not understood is skipped. */
static void the_capability_list_is_relinked(void **state)
{
    (void)state;
    assert_int_equal(vpci_read(f, PCI_CAP_POINTER, 1), 0x40);
    assert_int_equal(vpci_read(f, 0x40, 2), 0x5001);
    assert_int_equal(vpci_read(f, 0x50, 2), 0x7005);
    assert_int_equal(vpci_read(f, 0x70, 2), 0xc011);
    assert_int_equal(vpci_read(f, 0xc0, 2), 0x0010);
    assert_int_equal(vpci_read(f, 0x100, 4), 0);
}

static void again(void)
{
    model_end();
    model_device();
}

static void link_capability(uint8_t at, uint8_t id, uint8_t next)
{
    m.config[at] = id;
    m.config[at + 1] = next;
}

/* The list is the device's: it has two MSI capabilities, it has more than fit anywhere, it is another one
 * than the scan saw, it runs in a circle. What Hamlet acts on is shown once, or not at all. */
static void a_hostile_capability_list_shows_no_more(void **state)
{
    (void)state;
    again();
    link_capability(0xc0, PCI_CAP_ID_MSI, 0xd0);
    link_capability(0xd0, PCI_CAP_ID_MSIX, 0);
    assert_int_equal(model_assign(PLAN_D, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, 0x70, 2), 0x0011); /* the second of each is hidden */
    again();
    for (unsigned at = 0x80; at < 0xc0; at += 4)
        link_capability((uint8_t)at, PCI_CAP_ID_VENDOR, (uint8_t)(at + 4));
    link_capability(0x70, PCI_CAP_ID_MSIX, 0x80);
    assert_int_equal(model_assign(PLAN_D, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, 0x9c, 2) >> 8, 0xc0); /* 8 of 16, then PCIe */
    assert_int_equal(unassign_hot(&m.vm, m.fn.bdf), 0);
    link_capability(0x40, PCI_CAP_ID_MSI, 0x50);
    link_capability(0x50, PCI_CAP_ID_PM, 0x40);
    assert_int_equal(assign_hot(&m.vm, &m.vm.config.devices[0]), 0);
    assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_CAP_POINTER, 1), 0);
    f = m.vm.pci->functions[1];
    again();
    link_capability(0xc0, PCI_CAP_ID_PCIE, 0x40); /* a circle: the scan notes nothing of it */
    assert_int_equal(model_assign(PLAN_D, BAR_EAGER), 0);
    assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_CAP_POINTER, 1), 0);
    f = m.vm.pci->functions[1];
}

/* PCI Express "Function Level Reset (FLR)": the bit does nothing where the device says that it has none. */
static void a_reset_that_is_not_there_cannot_be_started(void **state)
{
    (void)state;
    vpci_write(f, 0xc8, 2, PCIE_DEVICE_FLR);
    assert_int_equal(m.resets, 2); /* when it was given, and now */
    assert_int_equal(vpci_read(f, 0xc8, 2), 0);
    again();
    m.config[0xc7] = 0;
    assert_int_equal(model_assign(PLAN_D, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
    vpci_write(f, 0xc8, 2, PCIE_DEVICE_FLR);
    assert_int_equal(m.resets, 1);
}

/* XSA-128: a wide write across registers must reach each one's own rule. */
static void unlisted_registers_are_read_only(void **state)
{
    (void)state;
    unsigned before = m.config_writes;
    for (uint16_t at = 0x80; at < 0xc0; at += 4)
        vpci_write(f, at, 4, 0xffffffff);
    vpci_write(f, PCI_VENDOR_ID, 4, 0xffffffff);
    vpci_write(f, 0x50, 1, 0xff);
    assert_int_equal(m.config_writes, before);
    assert_int_equal(vpci_read(f, 0x84, 1), (0x84 * 7) & 0xff);
    assert_int_equal(vpci_read(f, PCI_VENDOR_ID, 4), 0x11e81234);
}

static void bus_master_is_the_guests_while_it_is_attached(void **state)
{
    (void)state;
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    vpci_write(f, PCI_COMMAND, 2, 7);
    assert_true(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    vpci_write(f, PCI_COMMAND, 1, 3);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    vpci_write(f, PCI_COMMAND, 2, 7);
    model_end();
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    model_init(PLAN_D, BAR_EAGER);
}

/* A multi-message MSI: the low bits of the data are the device's. */
static void msi_is_routed_by_what_the_guest_wrote(void **state)
{
    (void)state;
    vpci_write(f, 0x54, 4, 0xfee01000);
    vpci_write(f, 0x5c, 2, 0x43);
    vpci_write(f, 0x52, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 1));
    assert_int_equal(f->msi[0].vector, 0x42);
    assert_int_equal(f->msi[1].vector, 0x43);
    assert_int_equal(f->msi[0].targets, BIT(1));
    assert_int_equal(f->msi[0].delivery, IRQ_POSTED);
    assert_int_equal(f->msi[2].delivery, IRQ_UNROUTED);
    vpci_write(f, 0x54, 4, 0xfee09000); /* no such vCPU */
    assert_int_equal(f->msi[0].delivery, IRQ_UNROUTED);
    vpci_write(f, 0x52, 2, 0);
    assert_false(m.config[0x52] & PCI_MSI_ENABLE);
}

/* PCI "MSI Capability Structure": a new vector, or another vCPU, ends in the entry; the device is written when
 * MSI is enabled, and for another number of messages. */
static void a_new_vector_does_not_reach_the_device(void **state)
{
    (void)state;
    vpci_write(f, 0x54, 4, 0xfee01000);
    vpci_write(f, 0x5c, 2, 0x42);
    vpci_write(f, 0x52, 2, PCI_MSI_ENABLE);
    assert_int_equal(*(uint32_t *)(m.config + 0x54), 0xfee00018 | f->msi[0].irte << 5);
    unsigned before = m.config_writes;
    vpci_write(f, 0x5c, 2, 0x66);
    vpci_write(f, 0x54, 4, 0xfee00000);
    assert_int_equal(f->msi[0].vector, 0x66);
    assert_int_equal(f->msi[0].targets, BIT(0));
    assert_int_equal(m.config_writes, before);
    vpci_write(f, 0x52, 2, PCI_MSI_ENABLE | FIELD_SET(PCI_MSI_COUNT, 2));
    assert_true(m.config_writes > before);
    assert_int_equal(FIELD_GET(PCI_MSI_COUNT, m.config[0x52]), 2);
    assert_int_equal(f->msi[3].delivery, IRQ_POSTED);
}

static enum irq_delivery delivery_of(uint32_t address, uint32_t data)
{
    vpci_write(f, 0x52, 2, 0);
    vpci_write(f, 0x54, 4, address);
    vpci_write(f, 0x5c, 2, data);
    vpci_write(f, 0x52, 2, PCI_MSI_ENABLE);
    return f->msi[0].delivery;
}

/* An entry for posting names one descriptor: several vCPUs, or a choice among them, are for software. */
static void what_vtd_cannot_post_is_remapped(void **state)
{
    (void)state;
    assert_int_equal(delivery_of(0xfee01000, 0x44), IRQ_POSTED);
    assert_int_equal(delivery_of(0xfee01000, 0x144), IRQ_SOFTWARE); /* lowest priority */
    assert_int_equal(f->msi[0].targets, BIT(1));
    assert_int_equal(delivery_of(0xfee03004, 0x44), IRQ_SOFTWARE); /* logical: both */
    assert_int_equal(f->msi[0].targets, BIT(1) | BIT(0));
    assert_int_equal(delivery_of(0xfee03004, 0x144), IRQ_SOFTWARE);
    assert_int_equal(f->msi[0].targets, BIT(0)); /* either is right */
    assert_int_equal(delivery_of(0xfee01000, 0x444),
                     IRQ_UNROUTED); /* an NMI: not shown to guests */
}

static void the_best_delivery_that_is_allowed(void **state)
{
    const char *why;
    struct assignment *a = f->of;
    (void)state;
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
    assert_int_equal(irq_best_delivery(a, &why), IRQ_INJECTED);
    vmx_caps.posting = true;
}

static void a_lazy_bar_is_mapped_at_the_first_touch(void **state)
{
    (void)state;
    model_end();
    model_init(PLAN_D, BAR_LAZY);
    f = m.vm.pci->functions[1];
    uint32_t at = vpci_read(f, PCI_BAR(0), 4);
    assert_false(model_maps_any(at, 0x100000));
    assert_true(assign_lazy(&m.vm, gpa(at + 0x80)));
    assert_true(model_maps(at, 0x100000));
    assert_false(assign_lazy(&m.vm, gpa(at + 0x80)));
    assert_false(assign_lazy(&m.vm, gpa(0xdf000000)));
}

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

/* PCI "Device Control", "Device Status": one interrupt per service, as long as the device drives the line. */
static void intx_is_silenced_until_the_guest_is_done(void **state)
{
    (void)state;
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    assert_int_equal(vpci_read(f, PCI_INTERRUPT_PIN, 1), 1);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33); /* level, unmasked */
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    assert_int_equal(m.posted, 1);
    assert_int_equal(m.last_vector, 0x33);
    assert_true(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    m.handler(m.handler_ctx); /* somebody else on the line: not ours a second time */
    assert_int_equal(m.posted, 1);
    end_of_interrupt(0x33);
    assert_false(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    m.handler(m.handler_ctx); /* still driven: it comes again */
    assert_int_equal(m.posted, 2);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    end_of_interrupt(0x33);
    assert_true(pci_read16(m.fn.bdf, PCI_COMMAND) &
                PCI_COMMAND_INTX_OFF); /* as the guest wants it */
}

/* PCI Express "Function Level Reset (FLR)": Interrupt Disable is clear after it, so the line is heard again; the ROM
 * is not decoded, the BARs are where they were. */
static void a_guests_reset_leaves_a_device_that_works(void **state)
{
    (void)state;
    unsigned pin = vpci_read(f, PCI_INTERRUPT_LINE, 1);
    uint32_t at = vpci_read(f, PCI_BAR(0), 4);
    ioapic_write(0x10 + 2 * pin, 0x8000 | 0x33);
    m.config[PCI_STATUS] |= PCI_STATUS_INTX;
    m.handler(m.handler_ctx);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    m.config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    vpci_write(f, 0xc8, 2, PCIE_DEVICE_FLR);
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

/* As a PC after its reset button: nothing that the guest had set is left, in its view or in the device. */
static void a_restarted_vm_finds_its_device_as_at_first(void **state)
{
    uint8_t first[256];
    unsigned before;
    (void)state;
    for (unsigned i = 0; i < sizeof(first); i++)
        first[i] = (uint8_t)vpci_read(f, (uint16_t)i, 1);
    before = m.resets;
    vpci_write(f, PCI_BAR(0), 4, 0xd8000000);
    vpci_write(f, PCI_BAR(4), 4, 0xffffffff); /* in the middle of sizing it */
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    vpci_write(f, 0x54, 4, 0xfee01000);
    vpci_write(f, 0x52, 2, PCI_MSI_ENABLE);
    table(0x18, 4, 0x55);
    vpci_write(f, 0x72, 2, PCI_MSIX_ENABLE);
    assert_int_equal(assign_restart_all(&m.vm), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(m.resets, before + 1);
    for (unsigned i = 0; i < sizeof(first); i++)
        assert_int_equal(first[i], vpci_read(f, (uint16_t)i, 1));
    assert_true(model_maps(0xd0000000, 0x100000) && m.port_passes[0xc040]);
    assert_int_equal(table_in(0x18, 8), UINT64_C(1) << 32);
    assert_false(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

/* A line that nobody claims is masked, not served for ever. */
static void a_storm_on_a_line_ends(void **state)
{
    (void)state;
    m.config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    for (unsigned i = 0; i < 999; i++)
        m.handler(m.handler_ctx);
    assert_false(m.rte & BIT(16));
    m.handler(m.handler_ctx);
    assert_true(m.rte & BIT(16));
    assert_int_equal(m.posted, 0);
}

static void faults(unsigned count)
{
    const struct vtd_fault fault = {.source_id = m.fn.bdf, .reason = 5, .address = 0x1000};
    while (count--)
        m.fault_handler(&fault);
}

/* A device with too many faults cannot be made to master the bus, until its guest has reset it. */
static void storm_parks_the_device(void **state)
{
    (void)state;
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
    assign_guest_reset(f->of);
    vpci_write(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    assert_true(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    faults(STORM_FAULTS - 1);
    assert_true(m.config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

/* --- Giving and taking back ---------------------------------------------------------------------- */

static void hot_unassign_takes_everything_and_assign_gives_it_again(void **state)
{
    const struct device_config c = m.vm.config.devices[0];
    (void)state;
    for (unsigned turn = 0; turn < 10; turn++) {
        assert_int_equal(unassign_hot(&m.vm, m.fn.bdf), 0);
        assert_null(m.vm.pci->functions[1]);
        assert_int_equal(m.map_count, 0);
        assert_false(pci_read16(m.fn.bdf, PCI_COMMAND) & PCI_COMMAND_MASTER);
        assert_int_equal(m.irte_free, m.irte_next);
        assert_int_equal(unassign_hot(&m.vm, m.fn.bdf), -ENOENT);
        assert_int_equal(assign_hot(&m.vm, &c), 0);
        assert_int_equal(assign_hot(&m.vm, &c), -ENODEV); /* it is given away already */
        assert_int_equal(vpci_read(m.vm.pci->functions[1], PCI_VENDOR_ID, 4), 0x11e81234);
    }
}

/* What cannot be reset stays parked, until somebody asks for it as it is. */
static void what_cannot_be_reset_is_parked(void **state)
{
    struct device_config c = m.vm.config.devices[0];
    (void)state;
    m.no_reset = true;
    assert_int_equal(unassign_hot(&m.vm, m.fn.bdf), 0);
    assert_true(m.fn.parked);
    m.no_reset = false; /* it has one, say, but that failed */
    assert_int_equal(assign_hot(&m.vm, &c), -EPERM);
    assert_non_null(strstr(m.last_line, "refused: no-reset"));
    assert_null(m.fn.owner);
    c.unsafe = 1u << UNSAFE_NO_RESET;
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    assert_false(m.fn.parked);
}

static void one_waiver_waives_one_objection(void **state)
{
    struct device_config c = m.vm.config.devices[0];
    (void)state;
    assert_int_equal(unassign_hot(&m.vm, m.fn.bdf), 0);
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

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(both_doors_show_the_same),
        CASE(bars_are_sized_and_moved),
        CASE(a_bar_is_not_placed_over_ram_apics_or_another),
        CASE(the_io_bitmap_follows_an_io_bar),
        CASE(a_bar_below_a_page_is_forwarded),
        CASE(the_msix_table_is_a_hole),
        CASE(msix_entries_are_the_guests),
        CASE(the_capability_list_is_relinked),
        CASE(unlisted_registers_are_read_only),
        CASE(bus_master_is_the_guests_while_it_is_attached),
        CASE(a_hostile_capability_list_shows_no_more),
        CASE(a_reset_that_is_not_there_cannot_be_started),
        CASE(msi_is_routed_by_what_the_guest_wrote),
        CASE(a_new_vector_does_not_reach_the_device),
        CASE(what_vtd_cannot_post_is_remapped),
        CASE(the_best_delivery_that_is_allowed),
        CASE(intx_is_silenced_until_the_guest_is_done),
        CASE(a_guests_reset_leaves_a_device_that_works),
        CASE(a_restarted_vm_finds_its_device_as_at_first),
        CASE(a_storm_on_a_line_ends),
        CASE(storm_parks_the_device),
        CASE(hot_unassign_takes_everything_and_assign_gives_it_again),
        CASE(what_cannot_be_reset_is_parked),
        CASE(one_waiver_waives_one_objection),
        CASE(a_lazy_bar_is_mapped_at_the_first_touch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
