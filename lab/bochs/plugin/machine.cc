/* SPDX-License-Identifier: MIT */
/*
 * The root complex of the lab machine.
 * From: lab/bochs/plugin/machine.h      To: lab/bochs/plugin/vtd_unit.cc
 */
#include "machine.h"
#include <algorithm>
#include <cstring>

namespace lab
{

Machine::Machine(Host &host_, Bus &bus_, const LabOptions &options_)
    : host(host_), bus(bus_), options(options_)
{
    auto send = [this](uint64_t address, uint32_t data) {
        return dma(IOAPIC_SID, address, &data, sizeof(data), true);
    };
    apic = std::make_unique<IoApic>(host, send);
    for (unsigned i = 0; i < options.devices; ++i) {
        unsigned devfn = FIRST_DEVFN + 8 * i;
        Shape shape;
        shape.extended = options.ecam;
        devices.push_back(add<LabDevice>(devfn, i ? Trouble() : options.trouble, shape));
        add<SmallFunction>(devfn + 1);
        add<SmallFunction>(devfn + 2);
    }
    if (options.card)
        add_card();
    if (options.vfs)
        add_physical_function();
    if (options.bridge)
        add_conventional();
    power_on(); /* there is no memory yet */
}

void Machine::reset()
{
    power_on();
    for (size_t i = 0; i < units.size() && options.left; ++i)
        /* in the upper half of what the firmware keeps for ACPI tables */
        units[i]->left_on(options.left, host.ram_end() - (i + 1) * VtdUnit::LEFT_SIZE);
}

/* Units and devices get their power-on state. */
void Machine::power_on()
{
    units.clear();
    for (unsigned i = 0; i < options.units; ++i) {
        VtdOptions unit = options.unit;
        if (i && options.second_width)
            unit.width = options.second_width;
        units.push_back(std::make_unique<VtdUnit>(host, unit, "unit" + std::to_string(i)));
    }
    apic->reset();
    for (auto &function : pci) {
        function->reset();
        function->answer_now();
    }
    firmware();
}

/* Unit 1, if there is one, has the second lab device in its scope, and the physical function with
 * its virtual ones ("Device Scope Structure" names no virtual function); unit 0 has
 * INCLUDE_PCI_ALL. */
VtdUnit *Machine::unit_of(uint16_t sid)
{
    if (units.empty())
        return nullptr;
    bool second = sid >> 3 == (FIRST_DEVFN >> 3) + 1 || (physical && physical->owns(sid));
    return units[units.size() > 1 && second].get();
}

PciFunction *Machine::find(uint16_t bdf) const
{
    for (auto &function : pci)
        if (function->sid() == bdf && function->reachable())
            return function.get();
    return nullptr;
}

uint32_t Machine::config_read(uint16_t bdf, unsigned offset, unsigned size)
{
    PciFunction *function = find(bdf);
    return function ? function->config_read(offset, size) : uint32_t(bits(8 * size - 1, 0));
}

void Machine::config_write(uint16_t bdf, unsigned offset, uint32_t value, unsigned size)
{
    if (PciFunction *function = find(bdf))
        function->config_write(offset, value, size);
}

bool Machine::wire(uint16_t sid, Line line, bool level)
{
    std::set<uint16_t> &users = lines[line];
    if (level)
        users.insert(sid);
    else
        users.erase(sid);
    return !users.empty();
}

bool Machine::dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write)
{
    if (VtdUnit *unit = unit_of(sid))
        return unit->dma(sid, address, buffer, n, is_write);
    VtdOptions none;
    VtdUnit pass(host, none, "bus"); /* a unit that was never enabled passes everything on */
    return pass.dma(sid, address, buffer, n, is_write);
}

/* PCI "Transaction Ordering": a read completion does not pass a posted write that goes
 * the same way. */
void Machine::completion(uint16_t sid)
{
    if (VtdUnit *unit = unit_of(sid))
        unit->push(sid);
}

uint64_t Machine::unit_read(uint64_t offset, unsigned size)
{
    size_t index = offset / VTD_SIZE;
    return index < units.size() ? units[index]->mmio_read(unsigned(offset % VTD_SIZE), size)
                                : ~UINT64_C(0);
}

void Machine::unit_write(uint64_t offset, uint64_t value, unsigned size)
{
    size_t index = offset / VTD_SIZE;
    if (index < units.size())
        units[index]->mmio_write(unsigned(offset % VTD_SIZE), value, size);
}

void Machine::line_written_back(uint64_t address)
{
    for (auto &unit : units)
        unit->line_written_back(address);
}

void Machine::tick()
{
    for (auto &unit : units)
        unit->tick();
    for (LabDevice *device : devices)
        device->tick();
}

uint64_t Machine::next_due() const
{
    uint64_t due = NEVER;
    for (auto &unit : units)
        due = std::min(due, unit->next_due());
    for (const LabDevice *device : devices)
        due = std::min(due, device->next_due());
    return due;
}

} /* namespace lab */
