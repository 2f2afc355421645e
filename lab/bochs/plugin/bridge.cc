/* SPDX-License-Identifier: MIT */
/*
 * Which requests a bridge passes down and up, and its reset of the bus behind.
 * From: lab/bochs/plugin/bridge.h      To: lab/bochs/plugin/pci_function.cc
 */
#include "bridge.h"

namespace lab
{

enum : unsigned {
    COMMAND = 0x04,
    PRIMARY = 0x18,
    SECONDARY = 0x19,
    SUBORDINATE = 0x1a,
    MEMORY = 0x20, /* base in bits 15:4, limit in bits 31:20; both in MiB */
    WIDE = 0x24,   /* the same of the prefetchable window, whose upper halves follow */
    WIDE_BASE_HI = 0x28,
    WIDE_LIMIT_HI = 0x2c,
    CONTROL = 0x3e,
    EXPRESS = 0x40,
    DEVICE_CONTROL2 = EXPRESS + 0x28,
    ACS = 0x100,
};
enum : uint32_t { COMMAND_MEM = 2, CONTROL_BUS_RESET = 0x40, CONTROL2_ARI = 0x20 };
/* Source Validation, Request and Completion Redirect, Upstream Forwarding */
enum : unsigned { ACS_ISOLATES = 0x1d };

Bridge::Bridge(Host &host_, Bus &bus_, unsigned devfn_, const Bridge *behind_, Kind kind_, bool acs)
    : PciFunction(host_, bus_, devfn_, behind_), kind(kind_)
{
    set(0x00, 4, kind == ROOT_PORT ? 0x11ea1234 : 0x11eb1234);
    set(0x06, 2, 0x0010);
    set(0x08, 4, 0x06040010);
    set(0x0e, 1, 0x01);
    set(PRIMARY, 4, 0, 0x00ffffff);
    set(MEMORY, 4, 0x0000fff0, 0xfff0fff0);
    set(WIDE, 4, 0x0001fff1, 0xfff0fff0);
    set(WIDE_BASE_HI, 4, 0, 0xffffffff);
    set(WIDE_LIMIT_HI, 4, 0, 0xffffffff);
    set(0x34, 1, EXPRESS);
    set(CONTROL, 2, 0, 0x0fff);
    add_express(EXPRESS, kind, false);
    if (acs)
        add_access_control(ACS, ACS_ISOLATES);
}

bool Bridge::passes_config(unsigned number) const
{
    return !held && number && number >= secondary() && number <= subordinate() &&
           (!behind || behind->passes_config(number));
}

static bool within(uint64_t base, uint64_t size, uint64_t first, uint64_t limit)
{
    return first <= limit && base >= first && base + size - 1 <= (limit | 0xfffff);
}

bool Bridge::passes_memory(uint64_t base, uint64_t size) const
{
    uint64_t memory = get(MEMORY, 4), wide = get(WIDE, 4);
    uint64_t wide_base = field(wide, 15, 4) << 20 | uint64_t(get(WIDE_BASE_HI, 4)) << 32;
    uint64_t wide_limit = field(wide, 31, 20) << 20 | uint64_t(get(WIDE_LIMIT_HI, 4)) << 32;
    bool inside = within(base, size, field(memory, 15, 4) << 20, field(memory, 31, 20) << 20) ||
                  within(base, size, wide_base, wide_limit);
    return !held && (get(COMMAND, 2) & COMMAND_MEM) && inside &&
           (!behind || behind->passes_memory(base, size));
}

bool Bridge::forwards_ari() const { return get(DEVICE_CONTROL2, 2) & CONTROL2_ARI; }

/* "Transaction Ownership": a request from the conventional bus has no id, so the bridge gives it
 * that of device 0 on this bus. */
uint16_t Bridge::requester_of(uint16_t id) const
{
    if (kind == TO_PCI)
        id = uint16_t(secondary() << 8);
    return behind ? behind->requester_of(id) : id;
}

void Bridge::config_written()
{
    bool reset_now = get(CONTROL, 2) & CONTROL_BUS_RESET;
    bus.bars_changed(); /* of what is behind */
    if (reset_now && !held && bus_reset) {
        host.trace(text("device %s resets bus %02x", bdf_text(sid()).c_str(), secondary()));
        bus_reset();
    }
    held = reset_now;
}

void Bridge::program(unsigned secondary, unsigned subordinate, uint64_t window, uint64_t size,
                     uint64_t wide_window, uint64_t wide_size)
{
    auto pair = [](uint64_t base, uint64_t n) {
        return n ? uint32_t((base >> 16 & 0xfff0) | ((base + n - 1) & 0xfff00000)) : 0xfff0;
    };
    config_write(PRIMARY, sid() >> 8 | secondary << 8 | subordinate << 16, 4);
    config_write(MEMORY, pair(window, size), 4);
    config_write(WIDE, pair(wide_window, wide_size), 4);
    config_write(WIDE_BASE_HI, uint32_t(wide_window >> 32), 4);
    config_write(WIDE_LIMIT_HI, uint32_t(wide_size ? (wide_window + wide_size - 1) >> 32 : 0), 4);
    config_write(COMMAND, 6, 2);
}

} /* namespace lab */
