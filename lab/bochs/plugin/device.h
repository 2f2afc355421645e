/* SPDX-License-Identifier: MIT */
/*
 * The lab device: two PCI functions made to be assigned, and to be trouble when told so.
 *   function 0, 1234:11e8: the registers of QEMU's edu in BAR 0; an I/O BAR; MSI, MSI-X
 *   with its table
 *     in a page with live registers and the PBA in the next; a queue of DMA jobs; an
 *     option ROM; FLR.
 *   functions 1 and 2, 1234:11e9: one memory BAR of 256 bytes each, so that firmware puts both into
 *     one page; INTx on pins B and C; a reset by the Advanced Features capability.
 * From: machine.h      To: device.cc, small_function.cc (registers), pci_function.h (config space)
 * Spec: PCI Express "Function Level Reset"; "Advanced Capabilities for Conventional PCI"
 */
#pragma once
#include "pci_function.h"
#include <deque>
#include <map>

namespace lab
{

/* What a device is made as. The default is function 0 of a lab device on bus 0. */
struct Shape {
    enum Kind : unsigned { INTEGRATED = 9, ENDPOINT = 0, CONVENTIONAL = ~0u };
    Kind kind = INTEGRATED;
    bool multifunction = true;
    bool flr = true;
    bool soft_reset = true; /* leaving D3hot resets */
    bool extended = false;  /* it has capabilities beyond register 256 */
    bool io = true;         /* BAR 1 */
    uint64_t large_bar = 0; /* BAR 4, of 64 bits: resizable up to so many bytes */
};

constexpr unsigned LARGE_BAR_SIZES = 0x160; /* where its Resizable BAR capability is */

/* Function 0. */
class LabDevice : public PciFunction
{
  public:
    LabDevice(Host &host, Bus &bus, unsigned devfn, const Trouble &trouble,
              const Shape &shape = Shape(), const Bridge *behind = nullptr);
    uint64_t bar_read(unsigned index, uint64_t offset, unsigned size) override;
    void bar_write(unsigned index, uint64_t offset, uint64_t value, unsigned size) override;
    void tick();
    uint64_t next_due() const;

  protected:
    static constexpr uint64_t REGISTERS_SIZE = 0x100000, TABLE_SIZE = 0x2000; /* BARs 0 and 2 */

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
    uint64_t memory_read(uint64_t offset, unsigned size) const;
    void memory_write(uint64_t offset, uint64_t value, unsigned size);
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
    uint32_t window = 0;                             /* offset that the I/O BAR's data port shows */
    std::map<uint64_t, std::vector<uint8_t>> memory; /* BAR 4, the pages that were written */
};

/* Functions 1 and 2. af: with a reset by the Advanced Features capability. */
class SmallFunction : public PciFunction
{
  public:
    SmallFunction(Host &host, Bus &bus, unsigned devfn, bool af = true,
                  const Bridge *behind = nullptr);
    uint64_t bar_read(unsigned index, uint64_t offset, unsigned size) override;
    void bar_write(unsigned index, uint64_t offset, uint64_t value, unsigned size) override;

  private:
    void function_reset() override;
    uint32_t words[64];
};

} /* namespace lab */
