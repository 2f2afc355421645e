/* SPDX-License-Identifier: MIT */
/*
 * The buses behind the root ports: configuration cycles, windows, requester ids, resets, and
 * capabilities beyond register 256.
 * From: lab/bochs/plugin/tests/main.cc      To: lab/bochs/plugin/buses.cc, bridge.cc, extended.cc,
 * sriov.cc
 */
#include "../machine.h"
#include "harness.h"

using namespace lab;

namespace
{
constexpr uint16_t CARD_PORT = 0x00e0, VF_PORT = 0x00e8, CARD = 0x0200, SOUND = 0x0201, PF = 0x0300,
                   TO_PCI_PORT = 0x00f0, TO_PCI = 0x0400, FIRST = 0x0508, SECOND = 0x0510;
constexpr unsigned COMMAND = 0x04, BRIDGE_CONTROL = 0x3e;

struct Board : World, Bus {
    LabOptions options;
    std::unique_ptr<Machine> machine;
    std::vector<uint16_t> requesters;

    explicit Board(const std::string &words)
    {
        std::string error;
        CHECK(options_parse(words, options, error));
        machine = std::make_unique<Machine>(*this, *this, options);
    }
    bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write) override
    {
        requesters.push_back(sid);
        return machine->dma(sid, address, buffer, n, is_write);
    }
    void completion(uint16_t) override {}
    void intx(uint16_t sid, Line line, bool level) override
    {
        at = line;
        asserted = machine->wire(sid, line, level);
    }
    void bars_changed() override {}

    uint32_t in(uint16_t bdf, unsigned offset, unsigned size = 4)
    {
        return machine->config_read(bdf, offset, size);
    }
    void out(uint16_t bdf, unsigned offset, uint32_t value, unsigned size = 4)
    {
        machine->config_write(bdf, offset, value, size);
    }
    PciFunction &at_bdf(uint16_t bdf)
    {
        for (auto &function : machine->functions())
            if (function->sid() == bdf)
                return *function;
        abort();
    }
    /* Run a transfer of 8 bytes from memory: does it get through, and under which id? */
    bool fetches(uint16_t bdf)
    {
        PciFunction &f = at_bdf(bdf);
        requesters.clear();
        f.cpu_write(0, 0x114, 0, 4);
        f.cpu_write(0, 0x80, 0x5000, 8);
        f.cpu_write(0, 0x88, 0x40000, 8);
        f.cpu_write(0, 0x90, 8, 8);
        f.cpu_write(0, 0x98, 1, 8);
        clock += 1000;
        machine->tick();
        return requesters.size() == 1 && f.cpu_read(0, 0x114, 4) == 0;
    }

    Line at = {};
    bool asserted = false;
};
} /* namespace */

/* PCI Express "Enhanced Configuration Access Mechanism (ECAM)" */
TEST(extended_configuration_space)
{
    Board b("ecam=1,card=1,large_bar=256");
    CHECK(b.in(0x10, 0x100) == 0x15020001); /* AER, then LTR */
    CHECK(b.in(0x10, 0x150) == 0x1d010018); /* a serial number */
    CHECK(b.in(0x10, 0x1d0) == 0x00010003); /* the last */
    CHECK(b.in(0x10, 0x1d4) == 0x89abcd10 && b.in(0x10, 0x1d8) == 0x01234567);
    CHECK(b.in(0x11, 0x100) == 0xffffffff);             /* a conventional function */
    CHECK(b.in(CARD, 0x1d0) == 0x16010003);             /* then resizable BARs */
    CHECK((b.in(CARD_PORT, 0x100) & 0xffff) == 0x000d); /* ACS */
    CHECK(b.in(0x0600, 0) == 0xffffffff && b.in(0x18, 0) == 0xffffffff);
    Board without("card=0");
    CHECK(without.in(0x10, 0x100) == 0xffffffff);
}

/* PCI Express "Advanced Error Reporting Extended Capability": masks are sticky; the rest is not. */
TEST(what_a_reset_keeps)
{
    Board b("ecam=1");
    b.out(0x10, 0x108, 0x00100000);
    b.out(0x10, 0x154, 0x10011001);
    b.out(0x10, 0xa8, 0x400, 2);
    b.out(0x10, 0x88, 0x8000, 2); /* FLR */
    CHECK(b.in(0x10, 0x108) == 0x00100000 && b.in(0x10, 0x154) == 0 && b.in(0x10, 0xa8, 2) == 0);
}

/* PCI-to-PCI Bridge "Bridge Control Register" */
TEST(a_bus_reset_hits_all_that_is_behind)
{
    Board b("ecam=1,card=1");
    CHECK(b.in(CARD, 0) == 0x11e81234 && b.in(SOUND, 0) == 0x11e91234);
    CHECK(b.at_bdf(CARD).bar_base(0) == 0xa0000000 && b.at_bdf(SOUND).bar_base(0) != NEVER);
    CHECK(!(b.in(CARD, 0x84) & 0x10000000)); /* no FLR */
    b.out(CARD, 0x74, 3, 2);                 /* D3hot and back: No_Soft_Reset */
    b.out(CARD, 0x74, 0, 2);
    CHECK(b.at_bdf(CARD).bar_base(0) == 0xa0000000);
    b.out(CARD_PORT, BRIDGE_CONTROL, 0x40, 2);
    CHECK(b.in(CARD, 0) == 0xffffffff);
    b.out(CARD_PORT, BRIDGE_CONTROL, 0, 2);
    CHECK(b.in(CARD, 0) == 0x11e81234 && b.in(CARD, 0x10) == 0 && b.in(CARD, COMMAND, 2) == 0);
    CHECK(b.in(SOUND, 0x10) == 0 && b.in(0x10, COMMAND, 2) == 0);
    b.machine->reset();
    CHECK(b.at_bdf(CARD).bar_base(0) == 0xa0000000);
}

/* "Memory Base", "Bus Master Enable" of a bridge */
TEST(a_bridge_passes_what_it_is_told_to)
{
    Board b("ecam=1,card=1");
    b.out(CARD, COMMAND, 6, 2);
    CHECK(b.fetches(CARD));
    b.out(CARD_PORT, COMMAND, 2, 2); /* requests from below are not forwarded */
    CHECK(!b.fetches(CARD) && b.requesters.empty());
    b.out(CARD_PORT, COMMAND, 4, 2);
    CHECK(b.at_bdf(CARD).bar_base(0) == NEVER);
    b.out(CARD_PORT, COMMAND, 6, 2);
    b.out(CARD, 0x10, 0xa8000000); /* outside the window */
    CHECK(b.at_bdf(CARD).bar_base(0) == NEVER);
    b.out(CARD_PORT, 0x18, 0x00070700); /* another bus number: the functions are there */
    CHECK(b.in(CARD, 0) == 0xffffffff && b.in(0x0700, 0) == 0x11e81234);
}

/* PCI Express to PCI/PCI-X Bridge "Transaction Ownership" */
TEST(a_bridge_signs_for_its_devices)
{
    Board b("ecam=1,bridge=1");
    CHECK(b.in(TO_PCI, 0) == 0x11eb1234 && b.in(FIRST, 0) == 0x11e81234);
    for (uint16_t bdf : {FIRST, SECOND}) {
        CHECK(b.in(bdf, 0x70, 2) == 0x0001 && !(b.in(bdf, 0x100) != 0xffffffff));
        b.out(bdf, COMMAND, 6, 2);
        CHECK(b.fetches(bdf) && b.requesters[0] == 0x0500);
    }
    b.at_bdf(FIRST).cpu_write(0, 0x60, 1, 4); /* INTA of 05:01.0 is INTB of 04:00.0 and 00:1e.0 */
    CHECK(b.asserted && b.at.device == 0x1e && b.at.pin == 2);
    b.out(TO_PCI_PORT, BRIDGE_CONTROL, 0x40, 2);
    b.out(TO_PCI_PORT, BRIDGE_CONTROL, 0, 2);
    CHECK(!b.asserted && b.in(TO_PCI, 0x18) == 0 && b.in(FIRST, 0) == 0xffffffff);
}

/* PCI Express "Advanced Error Reporting Extended Capability": ones clear, the first TLP stays, and
 * no reset takes any of it. */
TEST(recorded_errors)
{
    Board b("ecam=1");
    PciFunction &device = b.at_bdf(0x10);
    b.out(0x10, COMMAND, 2, 2);
    device.cpu_write(0, 0x22c, 0x00104000, 4); /* completion timeout, unsupported request */
    device.cpu_write(0, 0x230, 0x00000041, 4);
    CHECK(b.in(0x10, 0x104) == 0x00104000 && b.in(0x10, 0x110) == 0x41);
    CHECK(b.in(0x10, 0x118) == 14 && b.in(0x10, 0x124) == 0xdead0000);
    b.out(0x10, 0x104, 0x00004000);
    b.out(0x10, 0x110, 0x01, 1);
    CHECK(b.in(0x10, 0x104) == 0x00100000 && b.in(0x10, 0x110) == 0x40);
    device.cpu_write(0, 0x22c, 0x00000010, 4);
    CHECK(b.in(0x10, 0x104) == 0x00100010 && b.in(0x10, 0x118) == 14);
    device.cpu_write(0, 0x22c, 0xf800000f, 4); /* no such errors */
    device.cpu_write(0, 0x228, 1, 4);
    CHECK(b.in(0x10, 0x104) == 0x00100010 && b.in(0x10, 0x110) == 0x40);
    b.out(0x10, 0x104, 0xffffffff);
    CHECK(b.in(0x10, 0x104) == 0 && b.in(0x10, 0x124) == 0xdead0000);
}

/* PCI Express "Resizable BAR Extended Capability": a reset brings the default size back. */
TEST(a_large_bar)
{
    Board b("ecam=1,card=1,large_bar=131072");
    PciFunction &card = b.at_bdf(CARD);
    CHECK(card.bar(4).size == UINT64_C(128) << 30 && card.bar_base(4) == 0x4000000000);
    card.cpu_write(4, 0x1ffffffff8, 0x1122334455667788, 8);
    CHECK(card.cpu_read(4, 0x1ffffffffc, 4) == 0x11223344 && card.cpu_read(4, 0, 8) == 0);
    b.out(CARD, 0x20, 0xffffffff);
    CHECK(b.in(CARD, 0x20) == 0x0000000c);
    b.out(CARD_PORT, BRIDGE_CONTROL, 0x40, 2);
    b.out(CARD_PORT, BRIDGE_CONTROL, 0, 2);
    CHECK(card.bar(4).size == 256 << 20);
    b.out(CARD, 0x168, 17 << 8); /* 128 GiB again, and a size that it has not */
    CHECK(card.bar(4).size == UINT64_C(128) << 30);
    b.out(CARD, 0x168, 20 << 8);
    CHECK(card.bar(4).size == UINT64_C(128) << 30);
}

/* PCI Express "Single Root I/O Virtualization"; VT-d "Device Scope Structure" */
TEST(virtual_functions)
{
    Board b("ecam=1,vfs=3,units=2");
    CHECK((b.in(PF, 0x180) & 0xffff) == 0x10 && b.in(PF, 0x18e, 2) == 3);
    CHECK(b.in(PF + 1, 8) == 0xffffffff);
    b.out(PF, 0x1a4, 0xffffffff);
    CHECK(b.in(PF, 0x1a4) == 0xfff00000);
    b.out(PF, 0x1a4, 0xa4400000);
    b.out(PF, 0x1ac, 0xa4300000);
    b.out(PF, 0x190, 2, 2);
    b.out(PF, 0x188, 9, 2); /* VF Enable, VF Memory Space Enable */
    CHECK(b.in(PF + 2, 8) == 0x00ff0010 && b.in(PF + 2, 0) == 0xffffffff);
    CHECK(b.in(PF + 3, 8) == 0xffffffff && b.in(PF + 2, 0x10) == 0);
    CHECK(b.at_bdf(PF + 2).bar_base(0) == 0xa4500000 && b.at_bdf(PF + 2).bar_base(2) == 0xa4302000);
    b.out(PF + 2, COMMAND, 4, 2);
    CHECK(b.fetches(PF + 2) && b.requesters[0] == PF + 2);
    /* translation on in unit 1 only, with an empty root table */
    b.machine->unit_write(VTD_SIZE + VTD_RTADDR, 0x1000, 8);
    b.machine->unit_write(VTD_SIZE + VTD_GCMD, G_SRTP, 4);
    b.machine->unit_write(VTD_SIZE + VTD_GCMD, G_TE, 4);
    CHECK(!b.fetches(PF + 2));
    b.out(PF, 0x188, 0, 2);
    CHECK(b.in(PF + 2, 8) == 0xffffffff && b.at_bdf(PF + 2).bar_base(0) == NEVER);
}

/* PCI Express "Alternative Routing-ID Interpretation (ARI)": without it there are eight. */
TEST(many_virtual_functions)
{
    Board b("ecam=1,vfs=64");
    CHECK(b.in(PF, 0x1e0) == 0x0001000e); /* the last of the list */
    b.out(PF, 0x1a4, 0xa4400000);
    b.out(PF, 0x1ac, 0xa4300000);
    b.out(PF, 0x190, 64, 2);
    b.out(PF, 0x188, 0x19, 2); /* VF Enable, VF Memory Space Enable, ARI Capable Hierarchy */
    CHECK(b.in(PF + 7, 8) == 0x00ff0010 && b.in(PF + 8, 8) == 0xffffffff);
    b.out(VF_PORT, 0x68, 0x20, 2); /* ARI Forwarding Enable */
    CHECK(b.in(PF + 8, 8) == 0x00ff0010 && (b.in(PF + 64, 0x1e0) & 0xffff) == 0x000e);
    CHECK(b.at_bdf(PF + 64).bar_base(0) == 0xa8300000 && b.in(PF + 65, 8) == 0xffffffff);
    b.out(PF + 64, COMMAND, 4, 2);
    CHECK(b.fetches(PF + 64) && b.requesters[0] == PF + 64);
}

/* PIRQs of a board that has no 8259 in the way */
TEST(lines_of_a_pch)
{
    CHECK(Machine::pch_pin({2, 1}) == 17 && Machine::pch_pin({2, 4}) == 20);
    CHECK(Machine::pch_pin({0x1e, 2}) == 22);
    Board b("ecam=1,bridge=1");
    b.at_bdf(FIRST).cpu_write(0, 0x60, 1, 4);
    b.at_bdf(0x10).cpu_write(0, 0x60, 1, 4);
    CHECK(b.asserted && b.at.device == 2 && b.at.pin == 1);
    b.at_bdf(0x10).cpu_write(0, 0x64, 1, 4);
    CHECK(!b.asserted);
}

TEST(options_of_the_buses)
{
    std::string error;
    for (const char *bad : {"card=1", "ecam=1,large_bar=256", "ecam=1,card=1,large_bar=3",
                            "ecam=1,vfs=65", "ecam=1,card=1,large_bar=524288"}) {
        LabOptions o;
        CHECK(!options_parse(bad, o, error));
    }
}
