/* SPDX-License-Identifier: MIT */
/*
 * A physical function with virtual ones. Each virtual function is a lab device of its own, with a
 * requester id of its own; its BARs are slices of those in the SR-IOV capability.
 * From: machine.h      To: sriov.cc
 * Spec: PCI Express "Single Root I/O Virtualization", "Alternative Routing-ID Interpretation (ARI)"
 */
#pragma once
#include "device.h"

namespace lab
{

class PhysicalFunction : public LabDevice
{
  public:
    PhysicalFunction(Host &host, Bus &bus, unsigned devfn, unsigned vfs, const Bridge *behind);
    void adopt(LabDevice *vf) { virtuals.push_back(vf); }
    bool owns(uint16_t sid) const; /* its own id, or that of a virtual function */
    bool vf_enabled(unsigned n) const;
    /* Base of BAR `index` of virtual function n, or NEVER. */
    uint64_t vf_base(unsigned index, unsigned n) const;
    uint16_t vf_sid(unsigned n) const;
    void reset() override;

  private:
    void config_written() override;

    std::vector<LabDevice *> virtuals;
    bool were_on = false;
};

class VirtualFunction : public LabDevice
{
  public:
    VirtualFunction(Host &host, Bus &bus, PhysicalFunction *of, unsigned n, const Bridge *behind);
    uint16_t sid() const override { return pf->vf_sid(number); }
    bool reachable() const override;

  private:
    uint64_t bar_placed(unsigned index) const override { return pf->vf_base(index, number); }

    PhysicalFunction *pf;
    unsigned number;
};

} /* namespace lab */
