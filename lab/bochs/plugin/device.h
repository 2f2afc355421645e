/* SPDX-License-Identifier: MIT */
/*
 * The lab device: two PCI functions made to be assigned, and to be trouble when told so.
 *   function 0, 1234:11e8: the registers of QEMU's edu in BAR 0; an I/O BAR; MSI, MSI-X
 *   with its table
 *     in a page with live registers and the PBA in the next; a queue of DMA jobs; an
 *     option ROM; FLR.
 *   functions 1 and 2, 1234:11e9: one memory BAR of 256 bytes each, so that firmware puts both into
 *     one page; INTx on pins B and C; a reset by the Advanced Features capability.
 * From: glue.cc (config space, BARs)      To: device.cc registers, pci_function.cc config space
 * Spec: PCI "Configuration Space", "Message Signaled Interrupts", "MSI-X"; PCI Express "Function
 * Level Reset"; "Advanced Capabilities for Conventional PCI"
 */
#pragma once
#include "host.h"
#include <deque>
#include <functional>
#include <vector>

namespace lab
{

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
    unsigned messages = 4;        /* of MSI; a power of two up to 32 */
    unsigned claims = CLAIM_TRUTH;
};

/* What a function asks of the machine it sits in. */
class Bus
{
  public:
    virtual ~Bus() = default;
    virtual bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write) = 0;
    /* A processor read a register of the function: the answer pushes its writes before it. */
    virtual void completion(uint16_t sid) = 0;
    virtual void intx(unsigned devfn, bool level) = 0;
    virtual void bars_changed() = 0; /* decoding or an address is not what it was */
};

/* The part that every function has: config space, capabilities, interrupts. */
class PciFunction
{
  public:
    struct Bar {
        uint64_t size = 0; /* 0: no such BAR */
        bool io = false, rom = false;
    };
    static constexpr unsigned BARS = 7, ROM_BAR = 6;

    PciFunction(Host &host, Bus &bus, unsigned devfn);
    virtual ~PciFunction() = default;

    uint32_t config_read(unsigned offset, unsigned size);
    void config_write(unsigned offset, uint32_t value, unsigned size);
    /* Base of a BAR that is decoded now, or NEVER. */
    uint64_t bar_base(unsigned index) const;
    const Bar &bar(unsigned index) const { return bar_of[index]; }
    uint64_t register_access(unsigned index, unsigned offset, unsigned size)
    {
        uint64_t value = bar_read(index, offset, size);
        bus.completion(sid());
        return value;
    }
    virtual uint64_t bar_read(unsigned index, unsigned offset, unsigned size) = 0;
    virtual void bar_write(unsigned index, unsigned offset, uint64_t value, unsigned size) = 0;
    virtual void reset();
    uint16_t sid() const { return uint16_t(devfn); }
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
    void add_msi(unsigned offset, unsigned next, unsigned messages);
    void add_msix(unsigned offset, unsigned next, unsigned count, unsigned bar, unsigned table,
                  unsigned pba);
    bool bus_master() const { return powered() && (config[4] & 4); }
    bool powered() const { return !pm_offset || !(config[pm_offset + 4] & 3); }
    bool write_memory(uint64_t address, const void *from, size_t n);
    bool read_memory(uint64_t address, void *to, size_t n);
    /* Say that event `vector` happened: MSI-X, else MSI. False: neither is enabled. */
    bool signal(unsigned vector);
    void set_intx(bool level);
    uint64_t msix_read(unsigned offset, unsigned size) const;
    void msix_write(unsigned offset, uint64_t value, unsigned size);
    virtual void function_reset() = 0; /* FLR: registers only; the caller resets config space */

    Host &host;
    Bus &bus;
    const unsigned devfn;
    Trouble trouble;
    unsigned msi_messages = 0, msi_offset = 0, msix_offset = 0, pm_offset = 0, flr_offset = 0,
             af_offset = 0;
    std::vector<MsixEntry> msix;
    uint64_t msix_pending = 0;

  private:
    uint32_t claimed_bar_2(uint32_t value) const;
    void send(uint64_t address, uint32_t data);
    void after_config_write(unsigned offset, unsigned size, const uint8_t *before);
    void msix_release();
    void update_intx();

    uint8_t config[256] = {}, writable[256] = {}, initial[256] = {};
    Bar bar_of[BARS];
    uint32_t bar_2_placed = 0; /* where it is, whatever it claims */
    bool intx_wanted = false, intx_driven = false;
};

/* Function 0. */
class LabDevice : public PciFunction
{
  public:
    LabDevice(Host &host, Bus &bus, unsigned devfn, const Trouble &trouble);
    uint64_t bar_read(unsigned index, unsigned offset, unsigned size) override;
    void bar_write(unsigned index, unsigned offset, uint64_t value, unsigned size) override;
    void tick();
    uint64_t next_due() const;

  private:
    struct Job {
        uint64_t source, target, count, command;
        uint64_t done, due;
        uint64_t status_address; /* of a queue entry, or 0 */
    };
    void function_reset() override;
    uint64_t register_read(unsigned offset, unsigned size);
    void register_write(unsigned offset, uint64_t value, unsigned size);
    void trouble_write(unsigned offset, uint64_t value);
    uint64_t trouble_read(unsigned offset) const;
    void raise(uint32_t causes);
    void acknowledge(uint32_t causes);
    void job_start(Job job);
    bool job_step(Job &job);
    void queue_fetch();

    static constexpr unsigned BUFFER = 0x40000, BUFFER_SIZE = 4096;
    uint8_t buffer[BUFFER_SIZE];
    uint32_t liveness, factorial, status, causes;
    uint64_t dma_source, dma_target, dma_count, dma_command;
    uint64_t queue_base;
    uint32_t queue_size, queue_head, queue_tail, dma_errors, scratch;
    std::deque<Job> jobs;
    uint64_t storm_due = NEVER;
    uint32_t window = 0; /* offset that the I/O BAR's data port shows */
};

/* Functions 1 and 2. */
class SmallFunction : public PciFunction
{
  public:
    SmallFunction(Host &host, Bus &bus, unsigned devfn);
    uint64_t bar_read(unsigned index, unsigned offset, unsigned size) override;
    void bar_write(unsigned index, unsigned offset, uint64_t value, unsigned size) override;

  private:
    void function_reset() override;
    uint32_t words[64];
};

} /* namespace lab */
