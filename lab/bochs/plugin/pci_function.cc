/* SPDX-License-Identifier: MIT */
/*
 * Config space of a function as a table of bytes with a mask of writable bits, and what follows
 * from a write: decoding, power state, reset.
 * From: lab/bochs/plugin/pci_function.h      To: messages.cc (interrupts), extended.cc
 * (capabilities beyond register 256), bridge.h (what lies above), device.cc (registers behind the
 * BARs)
 * Spec: PCI "Configuration Space", "PCI Power Management"; PCI Express "Function Level Reset"
 */
#include "pci_function.h"
#include "bridge.h"
#include <cstring>

namespace lab
{

enum : unsigned {
    COMMAND = 0x04,
    STATUS = 0x06,
    BAR0 = 0x10,
    BAR2 = 0x18,
    ROM = 0x30,
    CAP_PTR = 0x34,
    PIN = 0x3d
};
enum : uint32_t {
    COMMAND_IO = 1,
    COMMAND_MEM = 2,
    COMMAND_MASTER = 4,
    COMMAND_NO_INTX = 0x400,
    STATUS_INTX = 8,
};

PciFunction::PciFunction(Host &host_, Bus &bus_, unsigned devfn_, const Bridge *behind_)
    : host(host_), bus(bus_), devfn(devfn_), behind(behind_), config(CONVENTIONAL),
      writable(CONVENTIONAL), initial(CONVENTIONAL), sticky(CONVENTIONAL), clears(CONVENTIONAL)
{
    set(COMMAND, 2, 0, COMMAND_IO | COMMAND_MEM | COMMAND_MASTER | COMMAND_NO_INTX);
    set(0x0c, 1, 0, 0xff); /* cache line size */
    set(0x3c, 1, 0, 0xff); /* interrupt line */
}

uint16_t PciFunction::sid() const
{
    return uint16_t((behind ? behind->secondary() : 0) << 8 | devfn);
}

bool PciFunction::reachable() const
{
    return !behind || behind->passes_config(behind->secondary());
}

void PciFunction::set(unsigned offset, unsigned size, uint64_t value, uint64_t write_mask)
{
    memcpy(&config[offset], &value, size);
    memcpy(&writable[offset], &write_mask, size);
    memcpy(&initial[offset], &value, size);
}

void PciFunction::poke(unsigned offset, unsigned size, uint64_t value)
{
    memcpy(&config[offset], &value, size);
}

uint32_t PciFunction::get(unsigned offset, unsigned size) const
{
    uint32_t value = 0;
    memcpy(&value, &config[offset], size);
    return value;
}

void PciFunction::add_bar(unsigned index, uint64_t size, bool io)
{
    bool rom = index == ROM_BAR;
    bar_of[index] = {size, io, rom, false};
    uint64_t mask = ~(size - 1) & 0xffffffff;
    set(rom ? ROM : BAR0 + 4 * index, 4, io, rom ? mask | 1 : mask);
}

void PciFunction::add_wide_bar(unsigned index, uint64_t size)
{
    bar_of[index] = {size, false, false, true};
    uint64_t mask = ~(size - 1);
    uint64_t value = get(BAR0 + 4 * index, 4) | uint64_t(get(BAR0 + 4 * index + 4, 4)) << 32;
    set(BAR0 + 4 * index, 4, 0x0c, mask & 0xfffffff0);
    set(BAR0 + 4 * index + 4, 4, 0, mask >> 32);
    poke(BAR0 + 4 * index, 4, (value & mask & 0xfffffff0) | 0x0c); /* a resize keeps what fits */
    poke(BAR0 + 4 * index + 4, 4, (value & mask) >> 32);
}

/* PCI Express capability, version 2: 60 bytes. */
void PciFunction::add_express(unsigned offset, unsigned port_type, bool flr)
{
    set(offset, 4, 0x00020010 | port_type << 20);
    set(offset + 0x04, 4, flr ? 0x10000000 : 0); /* Device Capabilities */
    set(offset + 0x08, 4, 0, 0x00007fff);        /* Device Control, Device Status */
    if (port_type != 9)
        set(offset + 0x10, 4, 0x00110000, 0x0043); /* Link Control: ASPM, common clock */
    set(offset + 0x24, 4, 0x00000820);             /* LTR, ARI forwarding */
    set(offset + 0x28, 4, 0, 0x042f);              /* timeouts, ARI forwarding, LTR */
    if (flr)
        flr_offset = offset;
}

uint64_t PciFunction::bar_placed(unsigned index) const
{
    const Bar &bar = bar_of[index];
    unsigned at = bar.rom ? unsigned(ROM) : BAR0 + 4 * index;
    uint64_t word = get(at, 4) | (bar.wide ? uint64_t(get(at + 4, 4)) << 32 : 0);
    uint32_t enable = bar.io ? COMMAND_IO : COMMAND_MEM;
    if (!bar.size || !(config[COMMAND] & enable) || !powered() || (bar.rom && !(word & 1)))
        return NEVER;
    return word & ~(bar.size - 1);
}

uint64_t PciFunction::bar_base(unsigned index) const
{
    uint64_t base = bar_placed(index);
    if (base == NEVER || !behind || behind->passes_memory(base, bar_of[index].size))
        return base;
    return NEVER;
}

void PciFunction::tell_access(unsigned index, uint64_t offset, uint64_t value, unsigned size,
                              const char *arrow)
{
    if (host.detail() && index != ROM_BAR)
        host.trace(text("device %s bar%u offset=0x%llx width=%u %s 0x%llx", bdf_text(sid()).c_str(),
                        index, (unsigned long long)offset, size, arrow, (unsigned long long)value));
}

uint64_t PciFunction::cpu_read(unsigned index, uint64_t offset, unsigned size)
{
    uint64_t value = silent() ? bits(8 * size - 1, 0) : bar_read(index, offset, size);
    tell_access(index, offset, value, size, "->");
    bus.completion(sid());
    return value;
}

void PciFunction::cpu_write(unsigned index, uint64_t offset, uint64_t value, unsigned size)
{
    tell_access(index, offset, value, size, "<-");
    if (!silent())
        bar_write(index, offset, value, size);
}

uint32_t PciFunction::config_read(unsigned offset, unsigned size)
{
    if (silent() || offset + size > config.size())
        return uint32_t(bits(8 * size - 1, 0));
    uint32_t value = get(offset, size);
    if (offset == BAR2 && size == 4)
        value = claimed_bar_2(value);
    if (offset <= STATUS && offset + size > STATUS && intx_wanted)
        value |= STATUS_INTX << 8 * (STATUS - offset);
    return value;
}

/* Sized as it is, but placed as it says. */
uint32_t PciFunction::claimed_bar_2(uint32_t value) const
{
    uint32_t mask = uint32_t(~(bar_of[2].size - 1));
    if (value == 0 || value == mask)
        return value;
    return trouble.claims == CLAIM_OVER_BAR_0 ? get(BAR0, 4)
           : trouble.claims == CLAIM_OVER_RAM ? 0x100000
                                              : value;
}

void PciFunction::config_write(unsigned offset, uint32_t value, unsigned size)
{
    if (silent() || offset + size > config.size())
        return;
    if (offset == BAR2 && size == 4 && value != 0 && value != UINT32_MAX) {
        if (bar_2_placed && value == claimed_bar_2(bar_2_placed))
            value = bar_2_placed; /* its own words come back to it */
        bar_2_placed = value;
    }
    const std::vector<uint8_t> before = config;
    for (unsigned i = 0; i < size; ++i) {
        uint8_t byte = uint8_t(value >> 8 * i), mask = writable[offset + i];
        config[offset + i] = uint8_t((config[offset + i] & ~mask) | (byte & mask));
        config[offset + i] &= uint8_t(~(byte & clears[offset + i]));
    }
    if (resets(offset, value, size, before.data()))
        reset();
    else
        after_config_write(offset, size, before.data());
}

/* Does this write ask for a reset? From D3hot to D0 with No_Soft_Reset clear is one, too. */
bool PciFunction::resets(unsigned offset, uint32_t value, unsigned size, const uint8_t *before)
{
    auto hits = [&](unsigned at) { return at >= offset && at < offset + size; };
    bool flr =
        flr_offset && hits(flr_offset + 9) && (value >> 8 * (flr_offset + 9 - offset) & 0x80);
    bool af = af_offset && hits(af_offset + 4) && (value >> 8 * (af_offset + 4 - offset) & 1);
    bool woken =
        pm_offset && (before[pm_offset + 4] & 3) == 3 && powered() && !(config[pm_offset + 4] & 8);
    if (flr || af || woken)
        host.trace(text("device %s reset by %s", bdf_text(sid()).c_str(),
                        woken ? "D3hot"
                        : flr ? "FLR"
                              : "AF-FLR"));
    return flr || af || woken;
}

void PciFunction::after_config_write(unsigned offset, unsigned size, const uint8_t *before)
{
    auto changed = [&](unsigned from, unsigned to) {
        return memcmp(&config[from], before + from, to - from) != 0;
    };
    if (changed(COMMAND, COMMAND + 2) || changed(BAR0, BAR0 + 24) || changed(ROM, ROM + 4) ||
        (pm_offset && changed(pm_offset + 4, pm_offset + 5)))
        bus.bars_changed();
    update_intx();
    if (msix_offset && offset <= msix_offset + 3 && offset + size > msix_offset + 3)
        msix_release();
    msi_release();
    resize_bar();
    config_written();
}

/* What a reset leaves: everything as at power-on, except what the specification calls sticky.
 * Software has saved config space and writes it back. */
void PciFunction::reset()
{
    for (MsixEntry &entry : msix)
        entry = {};
    msix_pending = 0;
    for (size_t i = 0; i < config.size(); ++i)
        config[i] = uint8_t((config[i] & sticky[i]) | (initial[i] & ~sticky[i]));
    resize_bar();
    silent_until = trouble.ready ? host.now() + trouble.ready : 0;
    set_intx(false);
    function_reset();
    bus.bars_changed();
}

bool PciFunction::bus_master() const
{
    bool enabled = trouble.ignores_master || (config[COMMAND] & COMMAND_MASTER);
    return powered() && enabled && (!behind || behind->passes_requests());
}

uint16_t PciFunction::requester() const
{
    if (trouble.forged_sid & bit(31))
        return uint16_t(trouble.forged_sid);
    return behind ? behind->requester_of(sid()) : sid();
}

bool PciFunction::write_memory(uint64_t address, const void *from, size_t n)
{
    return bus_master() && bus.dma(requester(), address, const_cast<void *>(from), n, true);
}

bool PciFunction::read_memory(uint64_t address, void *to, size_t n)
{
    if (bus_master())
        return bus.dma(requester(), address, to, n, false);
    memset(to, 0xff, n);
    return false;
}

} /* namespace lab */
