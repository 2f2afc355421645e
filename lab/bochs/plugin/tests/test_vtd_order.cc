/* SPDX-License-Identifier: MIT */
/*
 * What drains, what pushes, and what overtakes: one test per rule, the rule above it with the title
 * of its section. And faults that come while software is busy with others.
 * From: lab/bochs/plugin/tests/main.cc
 * To: lab/bochs/plugin/vtd_order.cc, vtd_fault.cc
 */
#include "vtd_fixture.h"

using namespace lab;

namespace
{
constexpr uint16_t OTHER = SID + 8; /* in domain 2, the same pages */

struct Held : Fixture {
    static VtdOptions with(unsigned version = 1)
    {
        VtdOptions o;
        o.hold = 1000;
        o.version = version;
        return o;
    }
    explicit Held(const VtdOptions &o = with()) : Fixture(o)
    {
        enable();
        context(L4 | 1, 2 | 2 << 8, OTHER);
        queue_enable();
        CHECK(write_to(0x1000, 3) && write_to(0x2000, 4, OTHER));
        CHECK(!arrived(1) && !arrived(2));
    }
    bool arrived(uint64_t page) { return get64(DATA + 4096 * page) != 0; }
    void iotlb(unsigned granularity, unsigned did, uint64_t address, unsigned drain = 3)
    {
        submit(2 | granularity << 4 | drain << 6 | did << 16, address);
    }
};
} /* namespace */

/* "Draining of Requests to Memory": all; those to the domain; those to the addresses */
TEST(draining_by_granularity)
{
    Held page, elsewhere, domain, all;
    page.iotlb(3, 1, 0x1000);
    CHECK(page.arrived(1) && !page.arrived(2));
    elsewhere.iotlb(3, 1, 0x5000);
    CHECK(!elsewhere.arrived(1) && !elsewhere.arrived(2));
    domain.iotlb(2, 2, 0);
    CHECK(!domain.arrived(1) && domain.arrived(2));
    all.iotlb(1, 0, 0);
    CHECK(all.arrived(1) && all.arrived(2));
}

/* ... only if asked for, by units before version 2 */
TEST(draining_is_asked_for)
{
    Held old, newer(Held::with(2));
    old.iotlb(2, 1, 0, 0);
    CHECK(!old.arrived(1) && old.traced("flush without drain held=1") == 1);
    newer.iotlb(2, 1, 0, 0);
    CHECK(newer.arrived(1) && !newer.arrived(2));
}

/* ... and nothing else drains: no other command, no other requester, no wait */
TEST(what_does_not_drain)
{
    Held f;
    f.submit(1 | 1 << 4, 0);                       /* context-cache */
    f.submit(4, 0);                                /* interrupt entries */
    f.submit(5 | 1 << 5 | UINT64_C(1) << 32, PID); /* wait, with a status */
    CHECK(f.get64(PID) == 1);
    f.out64(VTD_IRTA, IRT | 7);
    f.command(G_SIRTP);
    f.command(G_IRE);
    f.command(G_CFI);
    f.command(G_TE, false);
    CHECK(!f.arrived(1) && !f.arrived(2));
    f.out64(VTD_RTADDR, ROOT);
    f.command(G_SRTP);
    f.command(G_TE); /* "draining must be completed before hardware sets the TES field" */
    CHECK(f.arrived(1) && f.arrived(2));
}

/* PCI "Transaction Ordering": a read and a message push the writes of their own requester. */
TEST(reads_and_messages_push_their_own)
{
    Held read, message;
    read.read_from(0x3000, OTHER);
    CHECK(!read.arrived(1) && read.arrived(2));
    message.unit.interrupt(SID, 0xfee00000, 0x33);
    CHECK(message.arrived(1) && !message.arrived(2));
}

TEST(held_writes_arrive_in_time)
{
    Held f;
    f.clock += 999;
    f.unit.tick();
    CHECK(!f.arrived(1));
    f.clock += 1;
    f.unit.tick();
    CHECK(f.arrived(1) && f.arrived(2));
}

/* "Queued Invalidation Ordering Considerations": a wait comes after all before it, an IOTLB
 * invalidation after those of the context-cache; an interrupt entry's may overtake. */
TEST(commands_overtake_where_they_may)
{
    VtdOptions o;
    o.slow = 1000;
    o.reorder = true;
    Fixture f(o);
    f.queue_enable();
    auto at = [&](const char *words, size_t from) {
        for (size_t i = from; i < f.lines.size(); ++i)
            if (f.lines[i].find(words) != std::string::npos)
                return i;
        return f.lines.size();
    };
    unsigned overtaken = 0;
    for (unsigned round = 0; round < 100; ++round) {
        size_t from = f.lines.size();
        f.set64(PID, 0);
        f.submit(1 | 1 << 4, 0);
        f.submit(2 | 1 << 4, 0);
        f.submit(4, 0);
        f.submit(5 | 1 << 5 | UINT64_C(1) << 32, PID);
        while (!f.get64(PID)) {
            f.clock += 10;
            f.unit.tick();
        }
        size_t context = at("flush context", from), iotlb = at("flush iotlb", from),
               entries = at("flush iec", from);
        CHECK(context < iotlb && iotlb < f.lines.size() && entries < f.lines.size());
        overtaken += entries < iotlb;
    }
    CHECK(overtaken > 10 && overtaken < 90);
}

/* "Primary Fault Logging": compression compares the source-id, and nothing else */
TEST(faults_of_one_requester_collapse)
{
    VtdOptions o;
    o.collapse = true;
    Fixture f(o);
    f.enable();
    f.write_to(0x10000);
    f.read_from(0x20000);
    f.write_to(0x10000, 1, OTHER);
    CHECK(f.traced("collapsed") == 1);
    CHECK(field(f.in64(VTD_FRCD + 24), 15, 0) == OTHER);
    f.out(VTD_FRCD + 12, 1u << 31);
    f.write_to(0x30000);
    CHECK(f.in64(VTD_FRCD + 32) == 0x30000 && !(f.in(VTD_FSTS)&FSTS_PFO));
}

/* A refused request comes again while software looks at the first. */
TEST(refused_requests_are_repeated)
{
    VtdOptions o;
    o.repeat = 3;
    o.repeat_after = 100;
    Fixture f(o);
    f.enable();
    f.write_to(0x10000);
    CHECK(f.unit.next_due() == 100);
    for (f.clock = 1; f.clock < 1000; ++f.clock)
        f.unit.tick();
    CHECK(f.traced("fault sid=00:04.0") == 4 && f.unit.next_due() == NEVER);
    CHECK(f.traced("iova=0x10000 write") == 4);
    f.clear_log();
    f.write_to(0x10000);
    f.set64(L1 + 8 * 16, DATA | 3);
    f.flush_by_register();
    f.clock += 1000;
    f.unit.tick(); /* allowed by now: nothing is refused, nothing is written */
    CHECK(f.traced("fault sid=00:04.0") == 5 && f.get64(DATA) == 0);
}

/* "Handling of Zero-Length Reads": CAP.ZLR lets them pass to pages that may only be written */
TEST(zero_length_reads)
{
    for (bool zlr : {false, true}) {
        VtdOptions o;
        o.zero_length_read = zlr;
        Fixture f(o);
        f.enable();
        f.map(1, (DATA + 0x1000) | 2);
        f.map(2, 0);
        CHECK(f.unit.dma(SID, 0, nullptr, 0, false));
        CHECK(f.unit.dma(SID, 0x1000, nullptr, 0, false) == zlr);
        CHECK(f.in(VTD_FSTS) == (zlr ? 0 : FSTS_PPF));
        f.clear_log();
        CHECK(!f.unit.dma(SID, 0x2000, nullptr, 0, false));
        CHECK(f.reason(f.in(VTD_FSTS) >> 8 & 0xff) == FAULT_READ);
        CHECK(bool(f.in64(VTD_CAP) & bit(22)) == zlr);
    }
}
