/* SPDX-License-Identifier: MIT */
/*
 * What the models of the lab machine ask of the world around them: memory, processors, a clock, a
 * place for the trace. Bochs is one such world (glue.cc), a unit test is another.
 * From: -      To: vtd_unit.h, ioapic.h, device.h
 */
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace lab
{

constexpr uint64_t NEVER = ~UINT64_C(0);

constexpr uint64_t bit(unsigned n) { return UINT64_C(1) << n; }
constexpr uint64_t bits(unsigned hi, unsigned lo)
{
    return ((UINT64_C(2) << hi) - 1) & ~(bit(lo) - 1);
}
constexpr uint64_t field(uint64_t word, unsigned hi, unsigned lo)
{
    return (word & bits(hi, lo)) >> lo;
}

/* An interrupt on its way to the local APICs; mode is the three-bit delivery mode. */
struct Message {
    uint8_t vector = 0;
    uint32_t dest = 0;
    uint8_t mode = 0;
    bool logical = false;
    bool level = false;
};

class Host
{
  public:
    virtual ~Host() = default;
    /* Physical memory as the root complex sees it. False: nothing answers at this address. */
    virtual bool read(uint64_t hpa, void *to, size_t n) = 0;
    virtual bool write(uint64_t hpa, const void *from, size_t n) = 0;
    virtual uint64_t ram_end() = 0;
    virtual void deliver(const Message &message) = 0;
    virtual uint64_t now() = 0; /* processor ticks; one tick is one instruction in Bochs */
    virtual void trace(const std::string &line) = 0;
    virtual bool detail() { return false; } /* the trace wants every look-up and access, too */
};

/* printf into a std::string. */
[[gnu::format(printf, 1, 2)]] std::string text(const char *format, ...);

/* bus:device.function, as lspci writes it */
std::string bdf_text(uint16_t sid);

} /* namespace lab */
