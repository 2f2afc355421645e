/* SPDX-License-Identifier: MIT */
/*
 * What every PCI function of the lab machine has: configuration space, BARs, capabilities,
 * interrupts, requests.
 * From: device.h, bridge.h      To: pci_function.cc, messages.cc, extended.cc
 * Spec: PCI "Configuration Space", "Message Signaled Interrupts", "MSI-X"; PCI Express "Function
 * Level Reset", "PCI Express Extended Capabilities"
 */
#pragma once
#include "host.h"
#include <functional>
#include <vector>

namespace lab
{

class Bridge;

/* What the header of a device may claim, and is not so. */
enum Claim : unsigned {
    CLAIM_TRUTH,
    CLAIM_OVER_BAR_0, /* BAR 2 lies where BAR 0 is */
    CLAIM_OVER_RAM,   /* BAR 2 lies at 1 MiB */
    CLAIM_4_GIB,      /* BAR 4 is one of 64 bits and 4 GiB */
    CLAIM_MSIX_BEYOND /* the MSI-X table begins behind the end of its BAR */
};

/* Knobs for trouble. All off: a device that a driver may trust. */
struct Trouble {
    unsigned dma_delay = 200; /* ticks from start to the first byte */
    unsigned dma_split = 0;   /* at most so many bytes at a time, dma_delay apart; 0: all at once */
    uint32_t forged_sid = 0;  /* bit 31: use bits 15:0 as requester id of every DMA */
    uint64_t msi_address_xor = 0;
    uint32_t msi_data_xor = 0;
    uint32_t storm = 0;           /* send vector 0 every so many ticks */
    bool dead = false;            /* reads as all-ones from now on, ignores writes */
    bool capability_loop = false; /* the last capability points back to the first */
    bool ignores_master = false;  /* sends requests whatever Bus Master Enable says */
    uint64_t ready = 0;           /* ticks after a reset until it answers again */
    unsigned messages = 4;        /* of MSI; a power of two up to 32 */
    unsigned claims = CLAIM_TRUTH;
};

/* A pin of a device on bus 0: where an INTx is heard. */
struct Line {
    unsigned device, pin; /* 1 is INTA */
    bool operator<(const Line &other) const
    {
        return device != other.device ? device < other.device : pin < other.pin;
    }
};

/* What a function asks of the machine it sits in. */
class Bus
{
  public:
    virtual ~Bus() = default;
    virtual bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write) = 0;
    /* A processor read a register of the function: the answer pushes its writes before it. */
    virtual void completion(uint16_t sid) = 0;
    virtual void intx(uint16_t sid, Line line, bool level) = 0;
    virtual void bars_changed() = 0; /* decoding or an address is not what it was */
};

class PciFunction
{
  public:
    struct Bar {
        uint64_t size = 0; /* 0: no such BAR */
        bool io = false, rom = false, wide = false;
    };
    static constexpr unsigned BARS = 7, ROM_BAR = 6;

    /* behind: the bridge above; none on bus 0. */
    PciFunction(Host &host, Bus &bus, unsigned devfn, const Bridge *behind = nullptr);
    virtual ~PciFunction() = default;

    uint32_t config_read(unsigned offset, unsigned size);
    void config_write(unsigned offset, uint32_t value, unsigned size);
    /* Base of a BAR that is decoded now, or NEVER. */
    uint64_t bar_base(unsigned index) const;
    const Bar &bar(unsigned index) const { return bar_of[index]; }
    /* A processor's access behind a BAR. */
    uint64_t cpu_read(unsigned index, uint64_t offset, unsigned size);
    void cpu_write(unsigned index, uint64_t offset, uint64_t value, unsigned size);
    virtual uint64_t bar_read(unsigned index, uint64_t offset, unsigned size) = 0;
    virtual void bar_write(unsigned index, uint64_t offset, uint64_t value, unsigned size) = 0;
    virtual void reset();
    /* After power-on: firmware has waited until the function answers. */
    void answer_now() { silent_until = 0; }
    virtual uint16_t sid() const; /* bus, device and function: bits 15:8, 7:3, 2:0 */
    /* Is it there, and do the bridges above pass configuration requests to it? */
    virtual bool reachable() const;
    unsigned config_byte(unsigned offset) const { return config[offset]; }

  protected:
    struct MsixEntry {
        uint64_t address = 0;
        uint32_t data = 0, control = 1;
    };

    void set(unsigned offset, unsigned size, uint64_t value, uint64_t writable = 0);
    uint32_t get(unsigned offset, unsigned size) const;
    void poke(unsigned offset, unsigned size, uint64_t value); /* by hardware; a reset undoes it */
    void add_bar(unsigned index, uint64_t size, bool io);
    void add_wide_bar(unsigned index, uint64_t size); /* 64 bits, prefetchable */
    void add_msi(unsigned offset, unsigned next, unsigned messages);
    void add_msix(unsigned offset, unsigned next, unsigned count, unsigned bar, unsigned table,
                  unsigned pba);
    void add_express(unsigned offset, unsigned port_type, bool flr);
    /* extended.cc: a capability at `offset`, linked behind the one added before; the first at
     * 0x100. */
    void add_extended(unsigned offset, unsigned id, unsigned version);
    void add_error_reporting(unsigned offset);
    void add_serial_number(unsigned offset, uint64_t number);
    void add_latency_tolerance(unsigned offset);
    void add_access_control(unsigned offset, unsigned services);
    void add_resizable_bar(unsigned offset, unsigned bar, uint64_t largest);
    /* The function has found errors: bits of its two status registers (AER). */
    void record_errors(uint32_t not_corrected, uint32_t corrected);
    bool bus_master() const;
    bool powered() const { return !pm_offset || !(config[pm_offset + 4] & 3); }
    bool silent() const { return trouble.dead || host.now() < silent_until; }
    bool write_memory(uint64_t address, const void *from, size_t n);
    bool read_memory(uint64_t address, void *to, size_t n);
    /* Say that event `vector` happened: MSI-X, else MSI. False: neither is enabled. */
    bool signal(unsigned vector);
    void set_intx(bool level);
    uint64_t msix_read(unsigned offset, unsigned size) const;
    void msix_write(unsigned offset, uint64_t value, unsigned size);
    /* Base that the registers hold for a BAR that they decode, or NEVER. */
    virtual uint64_t bar_placed(unsigned index) const;
    virtual void function_reset() = 0; /* FLR: registers only; the caller resets config space */
    virtual void config_written() {}   /* what else a write to configuration space leads to */

    Host &host;
    Bus &bus;
    const unsigned devfn;
    const Bridge *const behind;
    Trouble trouble;
    unsigned msi_messages = 0, msi_offset = 0, msix_offset = 0, pm_offset = 0, flr_offset = 0,
             af_offset = 0, rebar_offset = 0, error_offset = 0;
    std::vector<MsixEntry> msix;
    uint64_t msix_pending = 0;
    Bar bar_of[BARS];

  private:
    static constexpr unsigned CONVENTIONAL = 256, EXTENDED = 4096;

    uint32_t claimed_bar_2(uint32_t value) const;
    uint16_t requester() const;
    Line line() const;
    void send(uint64_t address, uint32_t data);
    bool resets(unsigned offset, uint32_t value, unsigned size, const uint8_t *before);
    void after_config_write(unsigned offset, unsigned size, const uint8_t *before);
    void resize_bar();
    void tell_access(unsigned bar, uint64_t offset, uint64_t value, unsigned size,
                     const char *arrow);
    void msi_release();
    void msix_release();
    void update_intx();

    std::vector<uint8_t> config, writable, initial, sticky;
    std::vector<uint8_t> clears; /* a one written there clears the bit */
    unsigned last_extended = 0;  /* where the next one is linked */
    uint32_t bar_2_placed = 0;   /* where it is, whatever it claims */
    uint64_t silent_until = 0;
    bool intx_wanted = false, intx_driven = false;
};

} /* namespace lab */
