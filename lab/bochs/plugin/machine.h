/* SPDX-License-Identifier: MIT */
/*
 * The lab machine put together: remapping units, I/O APIC, devices, and which unit serves whom.
 * Knows nothing of Bochs.
 * From: glue.cc      To: vtd_unit.h, ioapic.h, device.h
 * Spec: VT-d "DMA Remapping Hardware Unit Definition Structure" (device scope)
 */
#pragma once
#include "ioapic.h"
#include "options.h"
#include <memory>

namespace lab
{

class Machine
{
  public:
    Machine(Host &host, Bus &bus, const LabOptions &options);
    void reset(); /* and what the firmware does then to the units */

    /* A request of requester sid, through the unit in whose scope it is, or straight to memory. */
    bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write);
    void completion(uint16_t sid);
    uint64_t unit_read(uint64_t offset, unsigned size);
    void unit_write(uint64_t offset, uint64_t value, unsigned size);
    /* A processor wrote back the line that holds this address; ~0: all lines. */
    void line_written_back(uint64_t address);

    void tick();
    uint64_t next_due() const;

    IoApic &ioapic() { return *apic; }
    std::vector<std::unique_ptr<PciFunction>> &functions() { return pci; }

  private:
    void power_on();
    VtdUnit *unit_of(uint16_t sid);

    Host &host;
    Bus &bus;
    const LabOptions options;
    std::vector<std::unique_ptr<VtdUnit>> units;
    std::unique_ptr<IoApic> apic;
    std::vector<std::unique_ptr<PciFunction>> pci;
    std::vector<LabDevice *> devices; /* those of pci that have a clock */
};

} /* namespace lab */
