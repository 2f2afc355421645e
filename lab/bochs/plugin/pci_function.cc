/* SPDX-License-Identifier: MIT */
/*
 * Config space of a function as a table of bytes with a mask of writable bits, and what follows
 * from a write: decoding, MSI, MSI-X, power state, reset.
 * From: lab/bochs/plugin/device.h      To: lab/bochs/plugin/device.cc (registers behind the BARs)
 * Spec: PCI "Configuration Space", "Message Signaled Interrupts", "MSI-X", "PCI Power Management"
 */
#include "device.h"
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

PciFunction::PciFunction(Host &host_, Bus &bus_, unsigned devfn_)
    : host(host_), bus(bus_), devfn(devfn_)
{
    set(COMMAND, 2, 0, COMMAND_IO | COMMAND_MEM | COMMAND_MASTER | COMMAND_NO_INTX);
    set(0x0c, 1, 0, 0xff); /* cache line size */
    set(0x3c, 1, 0, 0xff); /* interrupt line */
}

void PciFunction::set(unsigned offset, unsigned size, uint64_t value, uint64_t write_mask)
{
    memcpy(config + offset, &value, size);
    memcpy(writable + offset, &write_mask, size);
    memcpy(initial + offset, &value, size);
}

void PciFunction::poke(unsigned offset, unsigned size, uint64_t value)
{
    memcpy(config + offset, &value, size);
}

uint32_t PciFunction::get(unsigned offset, unsigned size) const
{
    uint32_t value = 0;
    memcpy(&value, config + offset, size);
    return value;
}

void PciFunction::add_bar(unsigned index, uint64_t size, bool io)
{
    bool rom = index == ROM_BAR;
    bar_of[index] = {size, io, rom};
    uint64_t mask = ~(size - 1) & 0xffffffff;
    set(rom ? ROM : BAR0 + 4 * index, 4, io, rom ? mask | 1 : mask);
}

uint64_t PciFunction::bar_base(unsigned index) const
{
    const Bar &bar = bar_of[index];
    uint32_t word = get(bar.rom ? ROM : BAR0 + 4 * index, 4);
    uint32_t enable = bar.io ? COMMAND_IO : COMMAND_MEM;
    if (!bar.size || !(config[COMMAND] & enable) || !powered() || (bar.rom && !(word & 1)))
        return NEVER;
    return word & ~(bar.size - 1) & 0xffffffff;
}

/* 64-bit address, per-vector mask */
void PciFunction::add_msi(unsigned offset, unsigned next, unsigned messages)
{
    msi_offset = offset;
    msi_messages = messages;
    set(offset, 2, 0x05 | next << 8);
    set(offset + 2, 2, 0x0180 | unsigned(__builtin_ctz(messages)) << 1, 0x0071);
    set(offset + 4, 8, 0, ~UINT64_C(3));
    set(offset + 12, 2, 0, 0xffff);
    set(offset + 16, 4, 0, bits(messages - 1, 0));
    set(offset + 20, 4, 0);
}

void PciFunction::add_msix(unsigned offset, unsigned next, unsigned count, unsigned bar,
                           unsigned table, unsigned pba)
{
    msix_offset = offset;
    msix.assign(count, {});
    set(offset, 2, 0x11 | next << 8);
    set(offset + 2, 2, count - 1, 0xc000);
    set(offset + 4, 4, table | bar);
    set(offset + 8, 4, pba | bar);
}

uint32_t PciFunction::config_read(unsigned offset, unsigned size)
{
    if (trouble.dead || offset + size > sizeof(config))
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
    if (trouble.dead || offset + size > sizeof(config))
        return;
    if (offset == BAR2 && size == 4 && value != 0 && value != UINT32_MAX) {
        if (bar_2_placed && value == claimed_bar_2(bar_2_placed))
            value = bar_2_placed; /* its own words come back to it */
        bar_2_placed = value;
    }
    uint8_t before[256];
    memcpy(before, config, sizeof(before));
    for (unsigned i = 0; i < size; ++i) {
        uint8_t byte = uint8_t(value >> 8 * i), mask = writable[offset + i];
        config[offset + i] = uint8_t((config[offset + i] & ~mask) | (byte & mask));
    }
    auto hits = [&](unsigned at) { return at >= offset && at < offset + size; };
    bool flr =
        flr_offset && hits(flr_offset + 9) && (value >> 8 * (flr_offset + 9 - offset) & 0x80);
    bool af = af_offset && hits(af_offset + 4) && (value >> 8 * (af_offset + 4 - offset) & 1);
    bool woken = pm_offset && (before[pm_offset + 4] & 3) == 3 && !(config[pm_offset + 4] & 3);
    if (flr || af || woken) { /* D3hot to D0 with No_Soft_Reset clear resets as well */
        host.trace(text("device %s reset by %s", bdf_text(sid()).c_str(),
                        woken ? "D3hot"
                        : flr ? "FLR"
                              : "AF-FLR"));
        reset();
        return;
    }
    after_config_write(offset, size, before);
}

void PciFunction::after_config_write(unsigned offset, unsigned size, const uint8_t *before)
{
    auto changed = [&](unsigned from, unsigned to) {
        return memcmp(config + from, before + from, to - from) != 0;
    };
    if (changed(COMMAND, COMMAND + 2) || changed(BAR0, BAR0 + 24) || changed(ROM, ROM + 4) ||
        (pm_offset && changed(pm_offset + 4, pm_offset + 5)))
        bus.bars_changed();
    update_intx();
    if (msix_offset && offset <= msix_offset + 3 && offset + size > msix_offset + 3)
        msix_release();
    uint32_t pending = msi_offset ? get(msi_offset + 20, 4) : 0;
    if (pending & ~get(msi_offset + 16, 4)) /* a masked message whose mask is gone */
        for (unsigned vector = 0; vector < msi_messages; ++vector)
            if (pending & ~get(msi_offset + 16, 4) & bit(vector)) {
                poke(msi_offset + 20, 4, get(msi_offset + 20, 4) & ~bit(vector));
                signal(vector);
            }
}

/* What a reset leaves: everything as at power-on, except what the specification calls sticky; there
 * is none here. Software has saved config space and writes it back. */
void PciFunction::reset()
{
    for (MsixEntry &entry : msix)
        entry = {};
    msix_pending = 0;
    memcpy(config, initial, sizeof(config));
    set_intx(false);
    function_reset();
    bus.bars_changed();
}

bool PciFunction::write_memory(uint64_t address, const void *from, size_t n)
{
    if (!bus_master())
        return false;
    uint16_t requester = trouble.forged_sid & bit(31) ? uint16_t(trouble.forged_sid) : sid();
    return bus.dma(requester, address, const_cast<void *>(from), n, true);
}

bool PciFunction::read_memory(uint64_t address, void *to, size_t n)
{
    if (!bus_master()) {
        memset(to, 0xff, n);
        return false;
    }
    uint16_t requester = trouble.forged_sid & bit(31) ? uint16_t(trouble.forged_sid) : sid();
    return bus.dma(requester, address, to, n, false);
}

void PciFunction::send(uint64_t address, uint32_t data)
{
    address ^= trouble.msi_address_xor;
    data ^= trouble.msi_data_xor;
    host.trace(text("device %s message address=0x%llx data=0x%x", bdf_text(sid()).c_str(),
                    (unsigned long long)address, data));
    write_memory(address, &data, sizeof(data));
}

bool PciFunction::signal(unsigned vector)
{
    if (msix_offset && (get(msix_offset + 2, 2) & 0x8000)) {
        vector %= unsigned(msix.size());
        bool masked = (get(msix_offset + 2, 2) & 0x4000) || (msix[vector].control & 1);
        if (masked)
            msix_pending |= bit(vector);
        else
            send(msix[vector].address, msix[vector].data);
        return true;
    }
    if (!msi_offset || !(get(msi_offset + 2, 2) & 1))
        return false;
    unsigned enabled = 1u << (get(msi_offset + 2, 2) >> 4 & 7); /* MME */
    vector &= (enabled > msi_messages ? msi_messages : enabled) - 1;
    if (get(msi_offset + 16, 4) & bit(vector)) {
        poke(msi_offset + 20, 4, get(msi_offset + 20, 4) | bit(vector));
        return true;
    }
    uint64_t address = get(msi_offset + 4, 4) | uint64_t(get(msi_offset + 8, 4)) << 32;
    send(address, (get(msi_offset + 12, 2) & ~(enabled - 1)) | vector);
    return true;
}

void PciFunction::set_intx(bool level)
{
    intx_wanted = level;
    update_intx();
}

/* INTx is silent while MSI or MSI-X is enabled, or Interrupt Disable is set; Interrupt
 * Status is not. */
void PciFunction::update_intx()
{
    bool messages = (msi_offset && (get(msi_offset + 2, 2) & 1)) ||
                    (msix_offset && (get(msix_offset + 2, 2) & 0x8000));
    bool disabled = get(COMMAND, 2) & COMMAND_NO_INTX;
    bool drive = intx_wanted && !messages && !disabled && powered();
    if (drive == intx_driven)
        return;
    intx_driven = drive;
    host.trace(text("device %s intx=%d", bdf_text(sid()).c_str(), drive));
    bus.intx(devfn, drive);
}

/* Messages that waited for a mask to go away. */
void PciFunction::msix_release()
{
    if ((get(msix_offset + 2, 2) & 0xc000) != 0x8000)
        return;
    for (unsigned vector = 0; vector < msix.size(); ++vector)
        if ((msix_pending & bit(vector)) && !(msix[vector].control & 1)) {
            msix_pending &= ~bit(vector);
            send(msix[vector].address, msix[vector].data);
        }
}

uint64_t PciFunction::msix_read(unsigned offset, unsigned size) const
{
    const MsixEntry &entry = msix[offset / 16];
    uint64_t half = offset & 8 ? entry.data | uint64_t(entry.control) << 32 : entry.address;
    return half >> 8 * (offset & 7) & bits(8 * size - 1, 0);
}

void PciFunction::msix_write(unsigned offset, uint64_t value, unsigned size)
{
    MsixEntry &entry = msix[offset / 16];
    uint64_t mask = bits(8 * size - 1, 0) << 8 * (offset & 7), placed = value << 8 * (offset & 7);
    if (offset & 8) {
        uint64_t half = entry.data | uint64_t(entry.control) << 32;
        half = (half & ~mask) | (placed & mask);
        entry.data = uint32_t(half);
        entry.control = uint32_t(half >> 32) & 1;
    } else {
        entry.address = ((entry.address & ~mask) | (placed & mask)) & ~UINT64_C(3);
    }
    msix_release();
}

} /* namespace lab */
