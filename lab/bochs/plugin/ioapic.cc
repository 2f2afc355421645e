/* SPDX-License-Identifier: MIT */
/*
 * The I/O APIC, version 0x20: 24 pins, an EOI register, Remote IRR that gates a level pin until its
 * EOI has come.
 * From: lab/bochs/plugin/ioapic.h      To: lab/bochs/plugin/vtd_intr.cc (by way of glue.cc)
 */
#include "ioapic.h"

namespace lab
{

enum : unsigned { IOREGSEL = 0x00, IOWIN = 0x10, EOI = 0x40 };
enum : uint8_t { IOAPICID = 0, IOAPICVER = 1, IOAPICARB = 2, IOREDTBL = 0x10 };

static constexpr uint64_t RTE_STATUS = bit(12), RTE_RIRR = bit(14), RTE_LEVEL = bit(15),
                          RTE_MASK = bit(16), RTE_LOGICAL = bit(11);

void IoApic::reset()
{
    select = 0;
    for (unsigned pin = 0; pin < PINS; ++pin) {
        rte[pin] = RTE_MASK;
        line[pin] = false;
    }
}

uint32_t IoApic::mmio_read(unsigned offset)
{
    if (offset == IOREGSEL)
        return select;
    if (offset != IOWIN)
        return offset == EOI ? 0 : 0xffffffff;
    if (select == IOAPICID || select == IOAPICARB)
        return uint32_t(apic_id) << 24;
    if (select == IOAPICVER)
        return (PINS - 1) << 16 | 0x20;
    unsigned pin = (select - IOREDTBL) / 2u;
    if (select < IOREDTBL || pin >= PINS)
        return 0;
    return uint32_t(select & 1 ? rte[pin] >> 32 : rte[pin]);
}

void IoApic::mmio_write(unsigned offset, uint32_t value)
{
    if (offset == IOREGSEL) {
        select = uint8_t(value);
    } else if (offset == EOI) {
        eoi(uint8_t(value));
    } else if (offset == IOWIN) {
        if (select == IOAPICID)
            apic_id = (value >> 24) & 15;
        unsigned pin = (select - IOREDTBL) / 2u;
        if (select >= IOREDTBL && pin < PINS)
            write_entry(pin, select & 1, value);
    }
}

/* Delivery Status and Remote IRR are read-only; an entry made edge-triggered forgets Remote IRR,
 * which is how software without an EOI register gets a stuck pin going. */
void IoApic::write_entry(unsigned pin, bool high, uint32_t value)
{
    uint64_t &entry = rte[pin];
    if (high) {
        entry = (entry & bits(31, 0)) | uint64_t(value) << 32;
    } else {
        uint64_t keep = bits(63, 32) | RTE_STATUS | RTE_RIRR;
        entry = (entry & keep) | (value & bits(16, 0) & ~keep);
        if (!(entry & RTE_LEVEL))
            entry &= ~RTE_RIRR;
    }
    if (entry & RTE_LEVEL)
        service(pin);
}

/* An edge on a masked pin is lost; a level waits. */
void IoApic::set_pin(unsigned pin, bool level)
{
    if (pin >= PINS)
        return;
    bool rising = level && !line[pin];
    line[pin] = level;
    if (rising || ((rte[pin] & RTE_LEVEL) && level))
        service(pin);
}

/* Address and data of the message: the entry's bits in the places that a remapping unit expects. In
 * compatibility format the same bits are the destination. */
void IoApic::service(unsigned pin)
{
    uint64_t &entry = rte[pin];
    bool level = entry & RTE_LEVEL;
    if ((entry & RTE_MASK) || (level && (!line[pin] || (entry & RTE_RIRR))))
        return;
    uint64_t address = UINT64_C(0xfee00000) | field(entry, 63, 48) << 4;
    if (entry & RTE_LOGICAL)
        address |= bit(2);
    uint32_t data = uint32_t(field(entry, 10, 0));
    if (level)
        data |= uint32_t(bit(15) | bit(14));
    if (level)
        entry |= RTE_RIRR; /* before sending: the EOI may come back at once */
    host.trace(text("ioapic pin=%u address=0x%llx data=0x%x%s", pin, (unsigned long long)address,
                    data, level ? " level" : ""));
    if (!send(address, data) && level)
        entry &= ~RTE_RIRR; /* no processor took it, so none will send the EOI */
}

void IoApic::eoi(uint8_t vector)
{
    for (unsigned pin = 0; pin < PINS; ++pin) {
        uint64_t &entry = rte[pin];
        if (!(entry & RTE_LEVEL) || !(entry & RTE_RIRR) || field(entry, 7, 0) != vector)
            continue;
        entry &= ~RTE_RIRR;
        host.trace(text("ioapic eoi pin=%u vector=0x%02x", pin, vector));
        service(pin);
    }
}

} /* namespace lab */
