/* SPDX-License-Identifier: MIT */
/*
 * The buses behind the root ports, and what a firmware would do for them: Bochs' own knows bus 0
 * only. It leaves the card's I/O BAR without an address, as firmware that has run out of ports
 * does.
 *   00:1c.0 -> 02:00.0, 02:00.1: a card of two functions, with no reset but that of their bus
 *   00:1d.0 -> 03:00.0: a physical function; from 03:00.1 on its virtual functions
 *   00:1e.0 -> 04:00.0, a bridge to conventional PCI -> 05:01.0, 05:02.0
 * From: lab/bochs/plugin/machine.cc      To: bridge.h, device.h, sriov.h
 * Spec: PCI-to-PCI Bridge "Configuration Space"; PCI Express "Resizable BAR Extended Capability"
 */
#include "machine.h"
#include <algorithm>

namespace lab
{

enum : unsigned {
    CARD_PORT = 0x1c << 3,
    CARD_BUS = 2, /* Bochs' firmware looks for functions on buses 0 and 1 */
    VF_PORT = 0x1d << 3,
    VF_BUS = 3,
    EXPRESS_PORT = 0x1e << 3,
    EXPRESS_BUS = 4,
    PCI_BUS = 5,
};
/* Windows below configuration space, one with room for 64 virtual functions, and one above all
 * memory. */
constexpr uint64_t CARD_WINDOW = 0xa0000000, VF_WINDOW = 0xa4000000, PCI_WINDOW = 0xac000000,
                   WINDOW_SIZE = 0x4000000, VF_WINDOW_SIZE = 0x8000000, WIDE_WINDOW = 0x4000000000,
                   WIDE_SIZE = 0x4000000000;
constexpr uint64_t GRAIN = 0x10000; /* two BARs are so far apart at least */

Bridge *Machine::add_bridge(unsigned devfn, const Bridge *behind, Bridge::Kind kind)
{
    return add<Bridge>(devfn, behind, kind, options.acs && kind == Bridge::ROOT_PORT);
}

/* As a graphics card with its sound: no FLR, and D3hot does not reset. */
void Machine::add_card()
{
    Shape shape;
    shape.kind = Shape::ENDPOINT;
    shape.flr = shape.soft_reset = false;
    shape.extended = true;
    shape.large_bar = options.large_bar << 20;
    card_port = add_bridge(CARD_PORT, nullptr, Bridge::ROOT_PORT);
    LabDevice *card = add<LabDevice>(0, Trouble(), shape, card_port);
    SmallFunction *second = add<SmallFunction>(1, false, card_port);
    devices.push_back(card);
    card_port->on_bus_reset([card, second] {
        card->reset();
        second->reset();
    });
}

void Machine::add_physical_function()
{
    vf_port = add_bridge(VF_PORT, nullptr, Bridge::ROOT_PORT);
    physical = add<PhysicalFunction>(0, options.vfs, vf_port);
    devices.push_back(physical);
    for (unsigned n = 0; n < options.vfs; ++n) {
        VirtualFunction *vf = add<VirtualFunction>(physical, n, vf_port);
        physical->adopt(vf);
        devices.push_back(vf);
    }
    vf_port->on_bus_reset([this] { physical->reset(); });
}

void Machine::add_conventional()
{
    Shape shape;
    shape.kind = Shape::CONVENTIONAL;
    shape.multifunction = shape.io = false;
    express_port = add_bridge(EXPRESS_PORT, nullptr, Bridge::ROOT_PORT);
    to_pci = add_bridge(0, express_port, Bridge::TO_PCI);
    LabDevice *first = add<LabDevice>(1 << 3, Trouble(), shape, to_pci);
    LabDevice *second = add<LabDevice>(2 << 3, Trouble(), shape, to_pci);
    devices.insert(devices.end(), {first, second});
    auto reset_both = [first, second] {
        first->reset();
        second->reset();
    };
    to_pci->on_bus_reset(reset_both);
    express_port->on_bus_reset([this, reset_both] {
        reset_both();
        to_pci->reset();
    });
}

/* Memory BARs one after the other from `at` on, decoded; returns what comes after them. */
static uint64_t place(PciFunction &function, uint64_t at)
{
    for (unsigned i = 0; i < PciFunction::ROM_BAR; ++i) {
        const PciFunction::Bar &bar = function.bar(i);
        if (!bar.size || bar.io || bar.wide)
            continue;
        at = (at + bar.size - 1) & ~(bar.size - 1);
        function.config_write(0x10 + 4 * i, uint32_t(at), 4);
        at += std::max(bar.size, GRAIN);
    }
    function.config_write(0x04, 2, 2);
    return at;
}

/* The largest size that Resizable BAR Capability names, at the only place for such a BAR. */
static void place_large_bar(PciFunction &function)
{
    if (!function.bar(4).wide)
        return;
    unsigned sizes = function.config_read(LARGE_BAR_SIZES + 4, 4) >> 4;
    function.config_write(LARGE_BAR_SIZES + 8, (31 - unsigned(__builtin_clz(sizes))) << 8, 4);
    function.config_write(0x20, uint32_t(WIDE_WINDOW), 4);
    function.config_write(0x24, uint32_t(WIDE_WINDOW >> 32), 4);
}

void Machine::firmware()
{
    auto place_bus = [this](unsigned number, uint64_t window) {
        for (auto &function : pci)
            if (function->sid() >> 8 == number && function->reachable())
                window = place(*function, window);
    };
    if (card_port) {
        card_port->program(CARD_BUS, CARD_BUS, CARD_WINDOW, WINDOW_SIZE, WIDE_WINDOW, WIDE_SIZE);
        place_large_bar(*find(CARD_BUS << 8));
        place_bus(CARD_BUS, CARD_WINDOW);
    }
    if (vf_port) {
        vf_port->program(VF_BUS, VF_BUS, VF_WINDOW, VF_WINDOW_SIZE, 0, 0);
        place_bus(VF_BUS, VF_WINDOW);
    }
    if (express_port) {
        express_port->program(EXPRESS_BUS, PCI_BUS, PCI_WINDOW, WINDOW_SIZE, 0, 0);
        to_pci->program(PCI_BUS, PCI_BUS, PCI_WINDOW, WINDOW_SIZE, 0, 0);
        place_bus(PCI_BUS, PCI_WINDOW);
    }
}

} /* namespace lab */
