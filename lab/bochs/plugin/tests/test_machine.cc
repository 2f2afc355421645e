/* SPDX-License-Identifier: MIT */
/*
 * The machine put together: its description, the scopes of its units.
 * From: lab/bochs/plugin/tests/main.cc      To: lab/bochs/plugin/machine.cc, options.cc
 */
#include "../machine.h"
#include "harness.h"

using namespace lab;

TEST(options)
{
    LabOptions o;
    std::string error;
    CHECK(options_parse("units=2,width=39,slow=0x10,trace=/tmp/t,caching_mode", o, error));
    CHECK(o.units == 2 && o.unit.width == 39 && o.unit.haw == 39 && o.unit.slow == 16);
    CHECK(o.trace == "/tmp/t" && o.unit.caching_mode && o.devices == 1);
    for (const char *bad : {"colour=1", "width=40", "records=0", "slow=x", "width="}) {
        LabOptions p;
        CHECK(!options_parse(bad, p, error) && !error.empty());
    }
    LabOptions q;
    CHECK(!options_parse("devices=1,units=7", q, error) && error == "lab machine: units: 0 to 2");
}

namespace
{
struct Board : World, Bus {
    LabOptions options;
    Machine machine;

    static LabOptions of(unsigned units, unsigned devices)
    {
        LabOptions o;
        o.units = units;
        o.devices = devices;
        return o;
    }
    Board(unsigned units, unsigned devices)
        : options(of(units, devices)), machine(*this, *this, options)
    {
    }
    bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write) override
    {
        return machine.dma(sid, address, buffer, n, is_write);
    }
    void completion(uint16_t) override {}
    void intx(uint16_t, Line, bool) override {}
    void bars_changed() override {}
    bool reaches(uint16_t sid)
    {
        uint32_t value = 1;
        return machine.dma(sid, 0x300000, &value, 4, true);
    }
    void block(unsigned unit) /* translation on, with an empty root table */
    {
        machine.unit_write(VTD_SIZE * unit + VTD_RTADDR, 0x1000, 8);
        machine.unit_write(VTD_SIZE * unit + VTD_GCMD, G_SRTP, 4);
        machine.unit_write(VTD_SIZE * unit + VTD_GCMD, G_TE, 4);
    }
};
} /* namespace */

/* "DMA Remapping Hardware Unit Definition Structure": a device listed elsewhere is not
 * INCLUDE_PCI_ALL's */
TEST(scopes_of_two_units)
{
    Board b(2, 2);
    CHECK(b.machine.functions().size() == 6);
    b.block(1);
    CHECK(b.reaches(0x10) && !b.reaches(0x18));
    b.block(0);
    CHECK(!b.reaches(0x10) && !b.reaches(IOAPIC_SID));
    b.machine.reset();
    CHECK(b.reaches(0x10) && b.reaches(0x18));
}

TEST(a_machine_without_a_unit)
{
    Board b(0, 1);
    CHECK(b.machine.unit_read(0, 4) == ~UINT64_C(0));
    CHECK(b.reaches(0x10));
}
