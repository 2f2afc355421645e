/* SPDX-License-Identifier: MIT */
/*
 * Which virtual functions are there, under which ids, and where their BARs lie.
 * From: lab/bochs/plugin/sriov.h      To: lab/bochs/plugin/device.cc, extended.cc, bridge.h
 */
#include "sriov.h"
#include "bridge.h"

namespace lab
{

enum : unsigned {
    SRIOV = 0x180,
    CONTROL = SRIOV + 0x08,
    INITIAL_VFS = SRIOV + 0x0c,
    TOTAL_VFS = SRIOV + 0x0e,
    NUM_VFS = SRIOV + 0x10,
    FIRST_OFFSET = SRIOV + 0x14,
    STRIDE = SRIOV + 0x16,
    DEVICE_ID = SRIOV + 0x1a,
    PAGE_SIZES = SRIOV + 0x1c,
    PAGE_SIZE = SRIOV + 0x20,
    VF_BAR = SRIOV + 0x24,
    ARI = 0x1e0,
};
enum : unsigned { ID_ARI = 0x000e, ID_SRIOV = 0x0010 };
enum : unsigned { VF_ENABLE = 0x01, VF_MEMORY = 0x08, ARI_HIERARCHY = 0x10 };

static Shape endpoint()
{
    Shape shape;
    shape.kind = Shape::ENDPOINT;
    shape.multifunction = shape.io = false;
    shape.extended = true;
    return shape;
}

PhysicalFunction::PhysicalFunction(Host &host_, Bus &bus_, unsigned devfn_, unsigned vfs,
                                   const Bridge *behind_)
    : LabDevice(host_, bus_, devfn_, Trouble(), endpoint(), behind_)
{
    add_extended(SRIOV, ID_SRIOV, 1);
    add_extended(ARI, ID_ARI, 1);
    set(CONTROL, 2, 0, VF_ENABLE | VF_MEMORY | ARI_HIERARCHY);
    set(INITIAL_VFS, 2, vfs);
    set(TOTAL_VFS, 2, vfs);
    set(NUM_VFS, 2, 0, 0xffff);
    set(FIRST_OFFSET, 2, 1);
    set(STRIDE, 2, 1);
    set(DEVICE_ID, 2, 0x11e8);
    set(PAGE_SIZES, 4, 0x553);
    set(PAGE_SIZE, 4, 1, 0x553);
    set(VF_BAR, 4, 0, ~(REGISTERS_SIZE - 1) & 0xffffffff);
    set(VF_BAR + 8, 4, 0, ~(TABLE_SIZE - 1) & 0xffffffff);
}

uint16_t PhysicalFunction::vf_sid(unsigned n) const
{
    return uint16_t(sid() + get(FIRST_OFFSET, 2) + n * get(STRIDE, 2));
}

bool PhysicalFunction::owns(uint16_t id) const
{
    bool found = id == sid();
    for (unsigned n = 0; n < virtuals.size(); ++n)
        found = found || id == vf_sid(n);
    return found;
}

bool PhysicalFunction::vf_enabled(unsigned n) const
{
    return (get(CONTROL, 2) & VF_ENABLE) && n < get(NUM_VFS, 2);
}

uint64_t PhysicalFunction::vf_base(unsigned index, unsigned n) const
{
    if (!vf_enabled(n) || !(get(CONTROL, 2) & VF_MEMORY) || (index != 0 && index != 2))
        return NEVER;
    return get(VF_BAR + 4 * index, 4) + n * bar(index).size;
}

/* Virtual functions begin as after a reset each time they are enabled. */
void PhysicalFunction::config_written()
{
    bool are_on = get(CONTROL, 2) & VF_ENABLE;
    if (are_on && !were_on)
        for (LabDevice *vf : virtuals)
            vf->reset();
    if (are_on || were_on)
        bus.bars_changed();
    were_on = are_on;
}

/* It clears VF Enable, so they are gone. */
void PhysicalFunction::reset()
{
    LabDevice::reset();
    were_on = false;
}

/* "VF Configuration Space": vendor and device read as all-ones, BARs as zero. INTx and MSI are
 * left out. */
VirtualFunction::VirtualFunction(Host &host_, Bus &bus_, PhysicalFunction *of, unsigned n,
                                 const Bridge *behind_)
    : LabDevice(host_, bus_, 0, Trouble(), endpoint(), behind_), pf(of), number(n)
{
    set(0x00, 4, 0xffffffff);
    set(0x04, 2, 0, 0x0004);
    for (unsigned at = 0x10; at < 0x28; at += 4)
        set(at, 4, 0);
    set(0x30, 4, 0);
    set(0x34, 1, 0x60);
    set(0x3d, 1, 0);
    bar_of[ROM_BAR] = {};
    msi_offset = 0;
    add_extended(ARI, ID_ARI, 1);
}

/* A port that does not forward by ARI asks for device 0 only: for eight functions. */
bool VirtualFunction::reachable() const
{
    bool asked = (sid() & 0xff) < 8 || !behind || behind->forwards_ari();
    return asked && pf->reachable() && pf->vf_enabled(number);
}

} /* namespace lab */
