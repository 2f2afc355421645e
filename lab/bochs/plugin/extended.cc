/* SPDX-License-Identifier: MIT */
/*
 * Capabilities beyond register 256, which only ECAM reaches.
 * From: lab/bochs/plugin/device.cc, bridge.cc      To: lab/bochs/plugin/pci_function.cc
 * Spec: PCI Express "PCI Express Extended Capabilities", "Advanced Error Reporting
 * Extended Capability", "Latency Tolerance Reporting (LTR) Extended Capability", "ACS Extended
 * Capability", "Resizable BAR Extended Capability"
 */
#include "pci_function.h"
#include <cstring>

namespace lab
{

enum : unsigned { FIRST = 0x100, BAR0 = 0x10 };
enum : unsigned { ID_AER = 0x0001, ID_ACS = 0x000d, ID_REBAR = 0x0015, ID_LTR = 0x0018 };
enum : unsigned { REBAR_CAPABILITY = 4, REBAR_CONTROL = 8 };

void PciFunction::add_extended(unsigned offset, unsigned id, unsigned version)
{
    for (std::vector<uint8_t> *bytes : {&config, &writable, &initial, &sticky})
        bytes->resize(EXTENDED);
    set(offset, 4, id | version << 16);
    if (last_extended)
        set(last_extended, 4, get(last_extended, 4) | offset << 20);
    last_extended = offset;
}

/* Masks and severities are sticky: a reset that keeps the power keeps them. */
void PciFunction::add_error_reporting(unsigned offset)
{
    add_extended(offset, ID_AER, 2);
    set(offset + 0x08, 4, 0, 0x07fff030);          /* Uncorrectable Error Mask */
    set(offset + 0x0c, 4, 0x00462030, 0x07fff030); /* Uncorrectable Error Severity */
    set(offset + 0x14, 4, 0x00002000, 0x0000f1c1); /* Correctable Error Mask */
    for (unsigned at : {0x08u, 0x0cu, 0x14u})
        memset(&sticky[offset + at], 0xff, 4);
}

/* Maximum latencies; nothing of them is sticky. */
void PciFunction::add_latency_tolerance(unsigned offset)
{
    add_extended(offset, ID_LTR, 1);
    set(offset + 4, 4, 0, 0x1fff1fff);
}

void PciFunction::add_access_control(unsigned offset, unsigned services)
{
    add_extended(offset, ID_ACS, 1);
    set(offset + 4, 4, services, services << 16);
}

/* The sizes are the powers of two from the present one to `largest`. */
void PciFunction::add_resizable_bar(unsigned offset, unsigned index, uint64_t largest)
{
    unsigned from = unsigned(__builtin_ctzll(bar_of[index].size)) - 20,
             to = unsigned(__builtin_ctzll(largest)) - 20;
    add_extended(offset, ID_REBAR, 1);
    set(offset + REBAR_CAPABILITY, 4, bits(to, from) << 4 & 0xfffffff0);
    set(offset + REBAR_CONTROL, 4, index | 1 << 5 | from << 8, 0x3f00);
    rebar_offset = offset;
}

/* The BAR has the size that Resizable BAR Control names, in powers of two from 1 MiB on. */
void PciFunction::resize_bar()
{
    if (!rebar_offset)
        return;
    unsigned control = get(rebar_offset + REBAR_CONTROL, 4), index = control & 7;
    unsigned wanted = control >> 8 & 0x3f;
    if (wanted > 27 || !(get(rebar_offset + REBAR_CAPABILITY, 4) & bit(wanted + 4)))
        return; /* not a size that the capability names */
    uint64_t size = bit(20 + wanted);
    if (size == bar_of[index].size)
        return;
    host.trace(text("device %s bar%u size=0x%llx", bdf_text(sid()).c_str(), index,
                    (unsigned long long)size));
    add_wide_bar(index, size);
    bus.bars_changed();
}

} /* namespace lab */
