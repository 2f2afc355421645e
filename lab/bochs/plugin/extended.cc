/* SPDX-License-Identifier: MIT */
/*
 * Capabilities beyond register 256, which only ECAM reaches.
 * From: lab/bochs/plugin/device.cc, bridge.cc      To: lab/bochs/plugin/pci_function.cc
 * Spec: PCI Express "PCI Express Extended Capabilities", "Advanced Error Reporting Extended
 * Capability", "Device Serial Number Extended Capability", "Latency Tolerance Reporting (LTR)
 * Extended Capability", "ACS Extended Capability", "Resizable BAR Extended Capability"
 */
#include "pci_function.h"
#include <cstring>

namespace lab
{

enum : unsigned { FIRST = 0x100, BAR0 = 0x10 };
enum : unsigned {
    ID_AER = 0x0001,
    ID_SERIAL = 0x0003,
    ID_ACS = 0x000d,
    ID_REBAR = 0x0015,
    ID_LTR = 0x0018
};
enum : unsigned { REBAR_CAPABILITY = 4, REBAR_CONTROL = 8 };
enum : unsigned {
    NOT_CORRECTED = 0x04,
    CORRECTED = 0x10,
    FIRST_ERROR = 0x18, /* bits 4:0 */
    HEADER_LOG = 0x1c,
    LOG_END = 0x2c,
};
enum : uint32_t { NOT_CORRECTED_BITS = 0x07fff030, CORRECTED_BITS = 0x0000f1c1 };
/* A read request for 4 bytes at 0xdead0000, by 00:02.0. */
constexpr uint32_t TLP[] = {0x00000001, 0x0010000f, 0xdead0000, 0};

void PciFunction::add_extended(unsigned offset, unsigned id, unsigned version)
{
    for (std::vector<uint8_t> *bytes : {&config, &writable, &initial, &sticky, &clears})
        bytes->resize(EXTENDED);
    set(offset, 4, id | version << 16);
    if (last_extended)
        set(last_extended, 4, get(last_extended, 4) | offset << 20);
    last_extended = offset;
}

/* All of it is sticky: a reset that keeps the power keeps it. */
void PciFunction::add_error_reporting(unsigned offset)
{
    add_extended(offset, ID_AER, 2);
    set(offset + 0x08, 4, 0, NOT_CORRECTED_BITS);          /* Uncorrectable Error Mask */
    set(offset + 0x0c, 4, 0x00462030, NOT_CORRECTED_BITS); /* Uncorrectable Error Severity */
    set(offset + 0x14, 4, 0x00002000, CORRECTED_BITS);     /* Correctable Error Mask */
    const uint32_t both[] = {NOT_CORRECTED_BITS, CORRECTED_BITS};
    memcpy(&clears[offset + NOT_CORRECTED], &both[0], 4);
    memcpy(&clears[offset + CORRECTED], &both[1], 4);
    memset(&sticky[offset + NOT_CORRECTED], 0xff, LOG_END - NOT_CORRECTED);
    error_offset = offset;
}

/* The TLP of the first of several stays until its bit is cleared. */
void PciFunction::record_errors(uint32_t not_corrected, uint32_t corrected)
{
    if (!error_offset)
        return;
    uint32_t old = get(error_offset + NOT_CORRECTED, 4);
    if (not_corrected && !old) {
        poke(error_offset + FIRST_ERROR, 4, unsigned(__builtin_ctz(not_corrected)));
        for (unsigned i = 0; i < 4; ++i)
            poke(error_offset + HEADER_LOG + 4 * i, 4, TLP[i]);
    }
    poke(error_offset + NOT_CORRECTED, 4, old | (not_corrected & NOT_CORRECTED_BITS));
    poke(error_offset + CORRECTED, 4,
         get(error_offset + CORRECTED, 4) | (corrected & CORRECTED_BITS));
}

void PciFunction::add_serial_number(unsigned offset, uint64_t number)
{
    add_extended(offset, ID_SERIAL, 1);
    set(offset + 4, 8, number);
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
