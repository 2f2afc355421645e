/* SPDX-License-Identifier: MIT */
/*
 * The lab machine put together: remapping units, I/O APIC, devices, and which unit serves whom.
 * Knows nothing of Bochs.
 * From: glue.cc      To: vtd_unit.h, ioapic.h, device.h; buses.cc (what is behind bridges)
 * Spec: VT-d "DMA Remapping Hardware Unit Definition Structure" (device scope)
 */
#pragma once
#include "ioapic.h"
#include "bridge.h"
#include "options.h"
#include "sriov.h"
#include <map>
#include <memory>
#include <set>

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

    /* A configuration cycle, by whatever way. All-ones: there is no such function. */
    uint32_t config_read(uint16_t bdf, unsigned offset, unsigned size);
    void config_write(uint16_t bdf, unsigned offset, uint32_t value, unsigned size);
    bool is_ours(uint16_t bdf) const { return find(bdf) != nullptr; }

    /* A function drives its INTx or lets go: the level of the line is that of any of its users. */
    bool wire(uint16_t sid, Line line, bool level);
    /* The I/O APIC pin of a line on a board whose PIRQs A to H end there. */
    static unsigned pch_pin(Line line) { return 16 + (line.device + line.pin - 2) % 8; }

    void tick();
    uint64_t next_due() const;

    IoApic &ioapic() { return *apic; }
    std::vector<std::unique_ptr<PciFunction>> &functions() { return pci; }

  private:
    void power_on();
    VtdUnit *unit_of(uint16_t sid);
    PciFunction *find(uint16_t bdf) const;
    template <class T, class... Args> T *add(Args &&...args);
    /* buses.cc */
    Bridge *add_bridge(unsigned devfn, const Bridge *behind, Bridge::Kind kind);
    void add_card();
    void add_physical_function();
    void add_conventional();
    void firmware();

    Host &host;
    Bus &bus;
    const LabOptions options;
    std::vector<std::unique_ptr<VtdUnit>> units;
    std::unique_ptr<IoApic> apic;
    std::vector<std::unique_ptr<PciFunction>> pci;
    std::vector<LabDevice *> devices; /* those of pci that have a clock */
    Bridge *card_port = nullptr, *vf_port = nullptr, *express_port = nullptr, *to_pci = nullptr;
    PhysicalFunction *physical = nullptr;
    std::map<Line, std::set<uint16_t>> lines; /* asserted, and by whom */
};

template <class T, class... Args> T *Machine::add(Args &&...args)
{
    auto function = std::make_unique<T>(host, bus, std::forward<Args>(args)...);
    T *added = function.get();
    pci.push_back(std::move(function));
    return added;
}

} /* namespace lab */
