/* SPDX-License-Identifier: MIT */
// sources: tests/unit/assign_model.c guest/assign/vpci.c guest/assign/vpci_header.c
// sources: guest/assign/vpci_caps.c guest/assign/vbar.c guest/assign/vmsi.c guest/assign/vmsix.c
// sources: guest/assign/irq.c guest/assign/assign.c guest/assign/faults.c guest/assign/dma.c
// sources: guest/assign/audit.c guest/life/config.c guest/core/config.c lib/option.c lib/parse.c
// sources: guest/core/bus.c guest/assign/intx.c guest/pc/vioapic.c pci/caps.c pci/msi.c
// sources: guest/assign/reset.c pci/objection.c pci/requester.c pci/bar.c
// sources: tests/unit/assign_machine.c
/*
 * Any sequence of config, port and table accesses by a guest, against the model of a device
 * whose own config space is made of the input too. After each step: nothing is mapped where the
 * virtual PC has no window for BARs, no port passes that is not the device's, and in the end
 * everything came back.
 */
#include <stdlib.h>
#include <string.h>
#include "tests/unit/assign_model.h"

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void check(void)
{
    for (unsigned i = 0; i < m.map_count; i++) {
        uint64_t at = m.mapped[i][0], end = at + m.mapped[i][1];
        must((at >= VM_MMIO_BASE && end <= VM_MMIO_END) ||
             (at >= VM_MMIO64_BASE && end <= VM_MMIO64_END));
    }
    for (unsigned port = 0xcf0; port < 0xd00; port++)
        must(!m.port_passes[port]);
    must(!m.port_passes[0xc03f] && !m.port_passes[0xc060]);
}

struct step {
    uint8_t kind, width;
    uint16_t offset;
    uint32_t value;
};

static void through(struct vm_bus *bus, uint64_t at, const struct step *s, bool write)
{
    const struct vm_range *r = vm_bus_find(bus, at);
    uint64_t value = (uint64_t)s->value << 32 | s->value;
    unsigned width = 1u << (s->width & 3);
    if (!r || r->map || at - r->base + width > r->size) /* map: step 5 touches it */
        return;
    if (write)
        r->write(m.vm.vcpus[0], r->owner, at - r->base, width, value);
    else
        r->read(m.vm.vcpus[0], r->owner, at - r->base, width, &value);
}

static void step(struct vpci_function *f, const struct step *s)
{
    unsigned width = 1u << (s->width % 3);
    uint16_t offset = (uint16_t)(s->offset & 0xfff & ~(width - 1));
    switch (s->kind % 6) {
    case 0:
        vpci_write(f, offset, width, s->value);
        break;
    case 1:
        vpci_read(f, offset, width);
        break;
    case 2:
        through(&m.vm.pio, s->offset, s, s->width & 4);
        break;
    case 3:
        through(&m.vm.mmio, vpci_read(f, PCI_BAR(1), 4) + 0x1000 + offset, s, s->width & 4);
        break;
    case 4:
        through(&m.vm.mmio, VM_ECAM_BASE + 0x8000 + offset, s, s->width & 4);
        break;
    default:
        vm_bus_map(&m.vm, s->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step s;
    if (size < 2)
        return 0;
    model_device();
    size_t at = 2;
    for (unsigned patches = data[1] % 64; patches && at + 2 <= size; patches--, at += 2)
        m.config[0x34 + data[at] % (256 - 0x34)] = data[at + 1];
    if (model_assign(data[0] & 1 ? PLAN_POST_HW : PLAN_FORWARD,
                     data[0] & 2 ? BAR_LAZY : BAR_EAGER) == 0)
        for (; at + sizeof(s) <= size; at += sizeof(s)) {
            memcpy(&s, data + at, sizeof(s));
            step(m.vm.pci->functions[1], &s);
            check();
        }
    model_end();
    must(m.map_count == 0 && m.vm.pio.count == 0 && m.vm.mmio.count == 0);
    must(m.irte_free == m.irte_next);
    return 0;
}
