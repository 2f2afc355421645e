/* SPDX-License-Identifier: MIT */
/*
 * Configuration space and BARs inside Bochs. Bochs asks for bus 0 by Function, and for the other
 * buses by config_read() (a mend); memory comes by handlers of 64 KiB, or of a whole large BAR.
 * From: glue.h      To: lab/bochs/plugin/machine.cc
 */
#include "glue.h"

#define LOG_THIS

namespace lab
{

bool block_read(bx_phy_address address, unsigned len, void *data, void *param)
{
    LabMachine *machine = static_cast<Block *>(param)->machine;
    Bit8u *bytes = static_cast<Bit8u *>(data);
    while (len) { /* vector registers come in one piece */
        unsigned part = len < 8 ? len : 8;
        uint64_t value = machine->memory_read(address, part);
        memcpy(bytes, &value, part);
        address += part, bytes += part, len -= part;
    }
    machine->arm_timer();
    return true;
}

bool block_write(bx_phy_address address, unsigned len, void *data, void *param)
{
    LabMachine *machine = static_cast<Block *>(param)->machine;
    Bit8u *bytes = static_cast<Bit8u *>(data);
    while (len) {
        unsigned part = len < 8 ? len : 8;
        uint64_t value = 0;
        memcpy(&value, bytes, part);
        machine->memory_write(address, value, part);
        address += part, bytes += part, len -= part;
    }
    machine->arm_timer();
    return true;
}

Bit32u port_read(void *self, Bit32u address, unsigned len)
{
    Function *function = static_cast<Function *>(self);
    Bit32u value = Bit32u(function->model.cpu_read(1, address - function->io_base, len));
    function->machine.arm_timer();
    return value;
}

void port_write(void *self, Bit32u address, Bit32u value, unsigned len)
{
    Function *function = static_cast<Function *>(self);
    function->model.cpu_write(1, address - function->io_base, value, len);
    function->machine.arm_timer();
}

Bit32u Function::pci_read_handler(Bit8u address, unsigned len)
{
    return model.config_read(address, len);
}

void Function::pci_write_handler_common(Bit8u address, Bit32u value, unsigned len)
{
    model.config_write(address, value, len);
    machine.remap_bars();
    machine.arm_timer();
}

/* --- Configuration space ---------------------------------------------------------------------- */

/* What the ports ask of a bus other than 0: bus, device, function and register, as in 0xCF8. */
Bit32u LabMachine::config_read(Bit32u address, unsigned len)
{
    return machine->config_read(uint16_t(address >> 8), address & 0xff, len);
}

void LabMachine::config_write(Bit32u address, Bit32u value, unsigned len)
{
    machine->config_write(uint16_t(address >> 8), address & 0xff, value, len);
    arm_timer();
}

bool LabMachine::is_ecam(uint64_t address) const
{
    return options.ecam && address >= ECAM_BASE && address < ECAM_BASE + ECAM_SIZE;
}

/* Bochs' own functions are reached by their ports, with the latch as it was. They are conventional:
 * nothing answers beyond register 256. */
uint32_t LabMachine::ecam_read(uint64_t offset, unsigned size)
{
    uint16_t bdf = uint16_t(offset >> 12);
    unsigned reg = offset & 0xfff;
    if (bdf >> 8 || machine->is_ours(bdf))
        return machine->config_read(bdf, reg, size);
    if (reg >= 256)
        return uint32_t(bits(8 * size - 1, 0));
    Bit32u latch = bx_devices.pci_get_confAddr();
    bx_devices.outp(0xcf8, 0x80000000 | Bit32u(bdf) << 8 | (reg & 0xfc), 4);
    uint32_t value = bx_devices.inp(Bit16u(0xcfc + (reg & 3)), size);
    bx_devices.outp(0xcf8, latch, 4);
    return value;
}

void LabMachine::ecam_write(uint64_t offset, uint32_t value, unsigned size)
{
    uint16_t bdf = uint16_t(offset >> 12);
    unsigned reg = offset & 0xfff;
    if (bdf >> 8 || machine->is_ours(bdf))
        return machine->config_write(bdf, reg, value, size);
    if (reg >= 256)
        return;
    Bit32u latch = bx_devices.pci_get_confAddr();
    bx_devices.outp(0xcf8, 0x80000000 | Bit32u(bdf) << 8 | (reg & 0xfc), 4);
    bx_devices.outp(Bit16u(0xcfc + (reg & 3)), value, size);
    bx_devices.outp(0xcf8, latch, 4);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Whose register is at this address? */
PciFunction *LabMachine::owner(uint64_t address, unsigned size, unsigned &bar, uint64_t &offset)
{
    for (auto &function : machine->functions())
        for (bar = 0; bar < PciFunction::BARS; ++bar) {
            const PciFunction::Bar &what = function->bar(bar);
            if (!what.size || what.io)
                continue;
            uint64_t base = function->bar_base(bar);
            if (base == NEVER || address < base || address + size > base + what.size)
                continue;
            offset = address - base;
            return function.get();
        }
    return nullptr;
}

uint64_t LabMachine::memory_read(uint64_t address, unsigned size)
{
    if (ioapic_base && address >> 12 == ioapic_base >> 12)
        return machine->ioapic().mmio_read(unsigned(address & 0xfc)) >> 8 * (address & 3);
    if (options.units && address >> 16 == UNIT_BASE >> 16)
        return machine->unit_read(address - UNIT_BASE, size);
    if (is_ecam(address))
        return ecam_read(address - ECAM_BASE, size);
    unsigned bar;
    uint64_t offset;
    PciFunction *function = owner(address, size, bar, offset);
    return function ? function->cpu_read(bar, offset, size) : ~UINT64_C(0);
}

void LabMachine::memory_write(uint64_t address, uint64_t value, unsigned size)
{
    unsigned bar;
    uint64_t offset;
    if (ioapic_base && address >> 12 == ioapic_base >> 12)
        machine->ioapic().mmio_write(unsigned(address & 0xff), Bit32u(value));
    else if (options.units && address >> 16 == UNIT_BASE >> 16)
        machine->unit_write(address - UNIT_BASE, value, size);
    else if (is_ecam(address))
        ecam_write(address - ECAM_BASE, uint32_t(value), size);
    else if (PciFunction *function = owner(address, size, bar, offset))
        function->cpu_write(bar, offset, value, size);
}

void LabMachine::remap_io(Function &function)
{
    uint64_t base = function.model.bar_base(1);
    uint32_t wanted = function.model.bar(1).io && base != NEVER ? uint32_t(base) : 0;
    if (wanted == function.io_base || wanted > 0xffe0)
        return;
    for (unsigned i = 0; function.io_base && i < 32; ++i) {
        DEV_unregister_ioread_handler(&function, port_read, function.io_base + i, 7);
        DEV_unregister_iowrite_handler(&function, port_write, function.io_base + i, 7);
    }
    function.io_base = wanted;
    for (unsigned i = 0; wanted && i < 32; ++i) {
        DEV_register_ioread_handler(&function, port_read, wanted + i, "lab", 7);
        DEV_register_iowrite_handler(&function, port_write, wanted + i, "lab", 7);
    }
}

/* One that overlaps what another device has is not decoded; Bochs logs that. */
void LabMachine::block_add(uint64_t base, uint64_t size)
{
    auto it = blocks.emplace(base, Block{this, base, size}).first;
    if (!DEV_register_memory_handlers(&it->second, block_read, block_write, base, base + size - 1))
        blocks.erase(it);
}

/* Register the blocks that hold a BAR now, let go of those that hold none any more. A large BAR is
 * one block. A BAR over RAM is not decoded. */
void LabMachine::remap_bars()
{
    if (!bars_dirty)
        return;
    bars_dirty = false;
    std::map<uint64_t, uint64_t> wanted; /* base to size */
    for (auto &function : functions)
        remap_io(*function);
    for (auto &function : machine->functions())
        for (unsigned i = 0; i < PciFunction::BARS; ++i) {
            const PciFunction::Bar &bar = function->bar(i);
            uint64_t base = bar.size && !bar.io ? function->bar_base(i) : NEVER;
            bool chipset = base >= IOAPIC_BASE && base < FOUR_GIB;
            if (base == NEVER || is_ram(base, 1) || chipset)
                continue;
            if (bar.size >= LARGE)
                wanted[base] = bar.size;
            for (uint64_t block = base & ~(BLOCK - 1); bar.size < LARGE && block < base + bar.size;
                 block += BLOCK)
                wanted[block] = BLOCK;
        }
    for (auto it = blocks.begin(); it != blocks.end();) {
        const Block &block = it->second;
        auto kept = wanted.find(block.base);
        bool fixed = block.base == (ioapic_base & ~(BLOCK - 1)) || block.base == UNIT_BASE ||
                     is_ecam(block.base);
        if (fixed || (kept != wanted.end() && kept->second == block.size)) {
            ++it;
            continue;
        }
        DEV_unregister_memory_handlers(&it->second, block.base, block.base + block.size - 1);
        it = blocks.erase(it);
    }
    for (auto [base, size] : wanted)
        if (!blocks.count(base))
            block_add(base, size);
}

} /* namespace lab */
