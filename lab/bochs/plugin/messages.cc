/* SPDX-License-Identifier: MIT */
/*
 * The interrupts of a function: MSI, MSI-X, INTx, and what waits behind a mask.
 * From: lab/bochs/plugin/pci_function.h      To: -
 * Spec: PCI "Message Signaled Interrupts", "MSI-X", "Interrupt Pins"
 */
#include "bridge.h"

namespace lab
{

enum : unsigned { COMMAND = 0x04, PIN = 0x3d };
enum : uint32_t { COMMAND_NO_INTX = 0x400 };

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

/* On a bus behind a bridge the pin moves on by the number of the device. */
Line PciFunction::line() const
{
    Line l = {devfn >> 3, config[PIN]};
    for (const Bridge *up = behind; up; up = up->behind)
        l = {up->devfn >> 3, (l.device + l.pin - 1) % 4 + 1};
    return l;
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
    bus.intx(sid(), line(), drive);
}

/* A masked message of MSI whose mask is gone. */
void PciFunction::msi_release()
{
    uint32_t pending = msi_offset ? get(msi_offset + 20, 4) : 0;
    for (unsigned vector = 0; pending && vector < msi_messages; ++vector)
        if (pending & ~get(msi_offset + 16, 4) & bit(vector)) {
            poke(msi_offset + 20, 4, get(msi_offset + 20, 4) & ~bit(vector));
            signal(vector);
        }
}

/* The same of MSI-X. */
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
