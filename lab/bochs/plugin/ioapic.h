/* SPDX-License-Identifier: MIT */
/*
 * An I/O APIC that is right about level-triggered interrupts: Remote IRR, EOI register, EOI
 * broadcast. It turns a redirection entry into an interrupt request, as chipsets do, so that it can
 * sit behind a remapping unit.
 * From: glue.cc (pins, registers, EOI broadcast)      To: ioapic.cc
 * Spec: VT-d "I/OxAPIC Programming"; the data sheets of Intel's I/O controller hubs, "Advanced
 * Programmable Interrupt Controller (APIC)"
 */
#pragma once
#include "host.h"
#include <functional>

namespace lab
{

class IoApic
{
  public:
    static constexpr unsigned PINS = 24;
    /* Where its messages go; false: refused by a remapping unit. */
    using Send = std::function<bool(uint64_t address, uint32_t data)>;

    IoApic(Host &host_, Send send_) : host(host_), send(std::move(send_)) { reset(); }
    void reset();

    uint32_t mmio_read(unsigned offset);
    void mmio_write(unsigned offset, uint32_t value);
    void set_pin(unsigned pin, bool level);
    /* A local APIC finished a level-triggered vector. */
    void eoi(uint8_t vector);
    /* RTE of a pin, for those who want to look. */
    uint64_t entry(unsigned pin) const { return rte[pin]; }
    uint8_t id() const { return apic_id; }
    void set_id(uint8_t id) { apic_id = id & 15; }

  private:
    void write_entry(unsigned pin, bool high, uint32_t value);
    void service(unsigned pin);

    Host &host;
    Send send;
    uint8_t select = 0, apic_id = 0;
    uint64_t rte[PINS];
    bool line[PINS];
};

} /* namespace lab */
