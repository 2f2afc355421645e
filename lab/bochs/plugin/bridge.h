/* SPDX-License-Identifier: MIT */
/*
 * A bridge to another PCI bus: a root port, or a bridge from PCI Express to conventional PCI.
 * From: machine.h      To: bridge.cc
 * Spec: PCI-to-PCI Bridge "Configuration Space", "Bridge Control Register"; PCI Express to
 * PCI/PCI-X Bridge "Transaction Ownership"; PCI Express "Access Control Services (ACS)"
 */
#pragma once
#include "pci_function.h"

namespace lab
{

class Bridge : public PciFunction
{
  public:
    enum Kind : unsigned { ROOT_PORT = 4, TO_PCI = 7 }; /* "Device/Port Type" */

    Bridge(Host &host, Bus &bus, unsigned devfn, const Bridge *behind, Kind kind, bool acs);
    /* Called when Secondary Bus Reset was set: all that is behind is reset. */
    void on_bus_reset(std::function<void()> call) { bus_reset = std::move(call); }

    unsigned secondary() const { return config_byte(0x19); }
    unsigned subordinate() const { return config_byte(0x1a); }
    bool passes_config(unsigned number) const;
    bool passes_memory(uint64_t base, uint64_t size) const;
    bool passes_requests() const { return bus_master(); }
    bool forwards_ari() const; /* to all 256 functions behind it, not only to those of device 0 */
    /* The id that a request of this one has at the root complex. */
    uint16_t requester_of(uint16_t id) const;
    /* As firmware sets it up. A window is empty if its size is 0. */
    void program(unsigned secondary, unsigned subordinate, uint64_t window, uint64_t size,
                 uint64_t wide_window, uint64_t wide_size);

    uint64_t bar_read(unsigned, uint64_t, unsigned size) override { return bits(8 * size - 1, 0); }
    void bar_write(unsigned, uint64_t, uint64_t, unsigned) override {}

  private:
    void function_reset() override { held = false; }
    void config_written() override;

    const Kind kind;
    std::function<void()> bus_reset;
    bool held = false; /* Secondary Bus Reset is set: nothing behind answers */
};

} /* namespace lab */
