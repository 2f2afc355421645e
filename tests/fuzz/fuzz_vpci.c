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
 * Any sequence of config, port, BAR and MSI-X table accesses by a guest, with the interrupts and
 * faults of its device in between, against the model of a device whose own config space is made of
 * the input too. After each step: nothing is mapped where the virtual PC has no window for BARs, no
 * port passes that is not the device's, the device has its own BARs, and it sends no message but
 * those that Hamlet gave it. In the end everything came back.
 * Input: a byte of options, then records; those in front of kind 0x80 to 0xff change the device.
 * From: make fuzz.   To: guest/assign/.
 */
// compares: no
// length: 1024
#include "tests/fuzz/fuzz.h"
#include "guest/pc/vioapic.h"
#include "tests/unit/assign_model.h"

#define PAGE     0x1000 /* of BAR 1, which is trapped */
#define TABLE    0x1010 /* of MSI-X, in that page */
#define MESSAGES 5

struct step {
    uint8_t kind, width;
    uint16_t offset;
    uint32_t value;
};
FUZZ_RECORDS(1, sizeof(struct step))

static uint8_t bars[24]; /* of the device, before it was assigned */
static bool is_known;    /* the device is as device_init() made it */

/* --- The claims ------------------------------------------------------------------------------- */

static uint32_t at32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* An entry of the device holds nothing, or the remappable message of an IRTE that was given out.
 * It is unmasked only if the guest's own entry is, with a message that may be sent. */
static void check_entry(unsigned i)
{
    struct vpci_function *f = m.vm.pci->functions[1];
    const uint8_t *device = m.bar_bytes + TABLE - PAGE + 16 * i;
    must(at32(device + 8) == 0 && at32(device + 4) == 0);
    must(at32(device) == 0 || (at32(device) >> 20 == 0xfee && (at32(device) & BIT(4)) &&
                               (at32(device) >> 5 & 0x7fff) < m.irte_next));
    if (at32(device) == 0 || (at32(device + 12) & PCI_MSIX_ENTRY_MASK))
        return;
    uint64_t address = vmsix_read(f->msix, TABLE + 16 * i, 8);
    uint64_t data = vmsix_read(f->msix, TABLE + 16 * i + 8, 4);
    uint64_t control = vmsix_read(f->msix, TABLE + 16 * i + 12, 4);
    must(address >> 20 == 0xfee && (data & 0xff) >= 16 && !(control & PCI_MSIX_ENTRY_MASK));
    uint32_t all = vpci_read(f, AT_MSIX_CONTROL, 2);
    must((all & PCI_MSIX_ENABLE) && !(all & PCI_MSIX_MASK_ALL));
}

static void check(void)
{
    for (unsigned i = 0; i < m.map_count; i++) {
        uint64_t at = m.mapped[i][0], end = at + m.mapped[i][1];
        must((at >= VM_MMIO_BASE && end <= VM_MMIO_END) ||
             (at >= VM_MMIO64_BASE && end <= VM_MMIO64_BASE + VM_MMIO64_SIZE));
    }
    for (unsigned port = 0xcf0; port < 0xd00; port++)
        must(!m.port_passes[port]);
    must(!m.port_passes[0xc03f] && !m.port_passes[0xc060]);
    must(memcmp(m.config + PCI_BAR(0), bars, sizeof(bars)) == 0);
    for (unsigned i = 0; is_known && i < MESSAGES; i++)
        check_entry(i);
}

/* --- The steps -------------------------------------------------------------------------------- */

/* By the bus, as vcpu_on_gpa() and vcpu_on_in() do it: the access may begin or end anywhere. */
static void through(struct vm_bus *bus, uint64_t at, const struct step *s)
{
    unsigned width = 1u << (s->width & 3);
    uint64_t value = ((uint64_t)s->value << 32 | s->value) & WIDTH_MASK(width);
    if (bus == &m.vm.pio)
        width = MIN(width, 4u);
    if (s->width & 4)
        vm_bus_write(m.vm.vcpus[0], bus, at, width, value & WIDTH_MASK(width));
    else
        vm_bus_read(m.vm.vcpus[0], bus, at, width, &value);
}

/* The device sends an interrupt to Hamlet, has a fault, or is looked at for errors. */
static void event(const struct step *s)
{
    struct vtd_fault fault = {.source_id = m.fn.bdf,
                              .reason = (uint8_t)s->value,
                              .address = s->value,
                              .is_read = s->width & 1};
    if (s->width & 4) /* INTx is asserted, or no longer */
        m.config[PCI_STATUS] = (uint8_t)((m.config[PCI_STATUS] & ~PCI_STATUS_INTX) |
                                         (s->width & 8 ? PCI_STATUS_INTX : 0));
    if (s->width & 16)
        aer_tick();
    if (s->width & 2 && m.fault_handler)
        m.fault_handler(&fault);
    else if (m.irqs[s->offset % 8].handler)
        m.irqs[s->offset % 8].handler(m.irqs[s->offset % 8].ctx);
}

static void step(struct vpci_function *f, const struct step *s)
{
    unsigned width = 1u << (s->width % 3);
    uint16_t offset = (uint16_t)(s->offset & 0xfff & ~(width - 1));
    uint64_t bar1 = vpci_read(f, PCI_BAR(1), 4) & ~15u;
    switch (s->kind % 10) {
    case 0:
        vpci_write(f, offset, width, s->value);
        break;
    case 1:
        vpci_read(f, offset, width);
        break;
    case 2:
        through(&m.vm.pio, s->offset, s);
        break;
    case 3: /* the trapped page, and across its ends */
        through(&m.vm.mmio, bar1 + PAGE - 8 + (s->offset & 0x101f), s);
        break;
    case 4:
        through(&m.vm.mmio, VM_ECAM_BASE + 0x8000 + offset, s);
        break;
    case 5: { /* what a driver writes: a message; then often its mask bit */
        uint64_t entry = bar1 + TABLE + s->offset % (MESSAGES + 1) * 16;
        vm_bus_write(m.vm.vcpus[0], &m.vm.mmio, entry, 4, 0xfee00000 | (s->value >> 8 & 0xff00c));
        vm_bus_write(m.vm.vcpus[0], &m.vm.mmio, entry + 8, 4, s->value & 0x7ff);
        vm_bus_write(m.vm.vcpus[0], &m.vm.mmio, entry + 12, 4, s->width & 1);
        break;
    }
    case 6:
        vpci_write(f, AT_MSIX_CONTROL, 2, s->value);
        break;
    case 7:
        event(s);
        break;
    case 8: /* an EOI of the guest */
        vioapic_eoi(m.vm.ioapic, (uint8_t)s->value);
        break;
    default:
        vm_bus_map(&m.vm, s->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step s;
    size_t at = 1;
    if (size < 1)
        return 0;
    model_device();
    is_known = true;
    for (; at + sizeof(s) <= size && (data[at] & 0x80); at += sizeof(s)) {
        memcpy(&s, data + at, sizeof(s));
        memcpy(m.config + 0x34 + s.offset % (sizeof(m.config) - 0x38), &s.value, 1u << s.width % 3);
        is_known = false;
    }
    memcpy(bars, m.config + PCI_BAR(0), sizeof(bars));
    assign_init();
    m.vm.config.devices[0].rom = data[0] & 4;
    if (data[0] & 4)
        m.fn.rom = (struct pci_bar){PCI_BAR_MEM, false, false, 0xfe800000, 0x10000};
    if (model_assign((enum plan)(data[0] >> 4 & 3), data[0] & 2 ? BAR_LAZY : BAR_EAGER) == 0)
        for (; at + sizeof(s) <= size; at += sizeof(s)) {
            memcpy(&s, data + at, sizeof(s));
            step(m.vm.pci->functions[1], &s);
            check();
        }
    model_end();
    must(m.map_count == 0 && m.vm.pio.count == 0 && m.vm.mmio.count == 0);
    must(m.irte_free == m.irte_next && m.vectors_left == MODEL_VECTORS);
    return 0;
}
