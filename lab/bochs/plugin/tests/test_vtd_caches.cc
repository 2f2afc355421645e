/* SPDX-License-Identifier: MIT */
/*
 * The caches of the unit, and memory as it sees it: what is kept, for how long, and what goes with
 * which flush. One test per rule, the rule above it with the title of its section.
 * From: lab/bochs/plugin/tests/main.cc      To: lab/bochs/plugin/vtd_walk.cc, vtd_unit.cc
 */
#include "vtd_fixture.h"

using namespace lab;

/* "Address Translation Caches": what was read stays until it is flushed, and the trace
 * reports it. */
TEST(iotlb_keeps_what_memory_has_lost)
{
    Fixture f;
    f.enable();
    CHECK(f.write_to(0x1000, 1));
    f.map(1, 0);
    CHECK(f.write_to(0x1000, 2));
    CHECK(f.get64(DATA + 0x1000) == 2);
    CHECK(f.traced("unit iotlb stale sid=00:04.0 did=1 iova=0x1000 cached=0x101000/3 now=0x0/0"));
    f.flush_by_register();
    CHECK(f.fault_of(0x1000, true) == FAULT_WRITE);
}

/* "Guidance to Software for Invalidations": a changed context entry wants context cache
 * and IOTLB. */
TEST(context_change_needs_both_flushes)
{
    Fixture f;
    f.enable();
    CHECK(f.write_to(0));
    f.context(0, 0);
    f.out64(VTD_CCMD, bit(63) | bit(61));
    CHECK(f.write_to(0)); /* the IOTLB still answers for this source-id */
    f.out64(VTD_IOTLB, bit(63) | bit(60));
    CHECK(f.fault_of(0, true) == FAULT_CTX_P);
}

/* ... and reuse of a domain-id wants the IOTLB entries of its former owner gone. */
TEST(domain_id_reuse_needs_a_flush)
{
    Fixture f;
    f.enable();
    CHECK(f.write_to(0));
    f.set64(0x7000, L3 | 1);
    f.context(0x7000 | 1, 2 | 1 << 8, SID + 8);
    CHECK(f.write_to(0, 1, SID + 8));
    CHECK(f.traced("iotlb stale sid=00:05.0"));
}

/* "Caching Mode": not-present entries are kept only where CM is set. */
TEST(caching_mode)
{
    for (bool cm : {false, true}) {
        VtdOptions o;
        o.caching_mode = cm;
        Fixture f(o);
        f.enable();
        f.map(1, 0);
        CHECK(!f.write_to(0x1000));
        f.map(1, DATA | 3);
        CHECK(f.write_to(0x1000) == !cm);
        f.flush_by_register();
        CHECK(f.write_to(0x1000));
    }
}

/* "Details of IOTLB Use": nor is a translation kept with which a request faults. */
TEST(faulting_translations)
{
    for (bool cm : {false, true}) {
        VtdOptions o;
        o.caching_mode = cm;
        Fixture f(o);
        f.enable();
        f.map(1, (DATA + 0x1000) | 1);
        f.map(2, UINT64_C(0xfee00000) | 3);
        CHECK(f.fault_of(0x1000, true) == FAULT_WRITE);
        CHECK(f.fault_of(0x2000, true) == FAULT_FEE);
        f.map(1, (DATA + 0x1000) | 3);
        f.map(2, (DATA + 0x2000) | 3);
        CHECK(f.write_to(0x1000) == !cm && f.write_to(0x2000) == !cm);
    }
}

/* "Context-Cache": what faults is kept under domain-id 0, whatever the entry says. */
TEST(caching_mode_keeps_faults_under_domain_0)
{
    VtdOptions o;
    o.caching_mode = true;
    Fixture f(o);
    f.enable();
    f.context(L4, 2 | 5 << 8);
    CHECK(!f.write_to(0));
    f.context(L4 | 1, 2 | 5 << 8);
    f.out64(VTD_CCMD, bit(63) | UINT64_C(3) << 61 | uint64_t(SID) << 16 | 5);
    CHECK(!f.write_to(0));
    f.out64(VTD_CCMD, bit(63) | UINT64_C(3) << 61 | uint64_t(SID) << 16);
    CHECK(f.write_to(0));
}

/* "Write Buffer Flushing": with RWBF an update may sit in a buffer until it is flushed. */
TEST(write_buffer_flush)
{
    VtdOptions o;
    o.write_buffer = true;
    Fixture f(o);
    f.enable();
    f.map(1, 0);
    CHECK(!f.write_to(0x1000));
    f.map(1, DATA | 3);
    CHECK(!f.write_to(0x1000));
    f.command(G_WBF);
    CHECK(f.write_to(0x1000));
    CHECK(!(f.in(VTD_GSTS)&G_WBF));
}

/* ... of each kind of table; what is present and was used is not for this command to drop */
TEST(write_buffer_flush_of_all_tables)
{
    for (bool cm : {false, true}) {
        VtdOptions o;
        o.write_buffer = true;
        o.caching_mode = cm;
        Fixture f(o);
        f.enable();
        f.queue_enable();
        f.out64(VTD_IRTA, IRT | 7);
        f.command(G_SIRTP);
        f.command(G_IRE);
        f.set64(IRT + 16, 0x330001);
        CHECK(f.unit.interrupt(SID, 0xfee00010 | 1 << 5, 0) && f.write_to(0x1000));
        CHECK(!f.unit.interrupt(SID, 0xfee00010, 0) && !f.write_to(0, 1, SID + 8));
        f.set64(IRT, 0x330001);
        f.set64(IRT + 16, 0);
        f.map(1, 0);
        f.context(L4 | 1, 2 | 1 << 8, SID + 8);
        CHECK(!f.unit.interrupt(SID, 0xfee00010, 0) && !f.write_to(0, 1, SID + 8));
        f.command(G_WBF);
        CHECK(f.unit.interrupt(SID, 0xfee00010, 0) == !cm);
        CHECK(f.write_to(0, 1, SID + 8) == !cm);
        CHECK(f.unit.interrupt(SID, 0xfee00010 | 1 << 5, 0) && f.write_to(0x1000));
        f.submit(4, 0); /* an invalidation flushes the buffer, too */
        CHECK(f.unit.interrupt(SID, 0xfee00010, 0));
    }
}

/* ... and a table has to be in memory before the unit gets its address */
TEST(write_buffer_before_a_table_is_set)
{
    for (bool flushed : {false, true}) {
        VtdOptions o;
        o.write_buffer = true;
        Fixture f(o);
        f.tables();
        f.out64(VTD_RTADDR, ROOT);
        if (flushed)
            f.command(G_WBF);
        f.command(G_SRTP);
        CHECK(f.traced("root-table advice hpa=0x1000 still in the write buffer") == !flushed);
    }
}

/* "Set Root Table Pointer Operation": global context-cache invalidation, then global IOTLB
 * invalidation */
TEST(set_root_table_pointer_wants_flushes)
{
    Fixture f;
    f.enable();
    f.write_to(0x1000);
    CHECK(!f.traced("flushed since"));
    f.command(G_SRTP);
    f.write_to(0x1000);
    CHECK(f.traced("context advice sid=00:04.0 not flushed since SRTP") == 1);
    f.out64(VTD_IOTLB, bit(63) | bit(60)); /* too early: the context cache comes first */
    f.out64(VTD_CCMD, bit(63) | bit(61));
    f.write_to(0x1000);
    CHECK(f.traced("iotlb advice sid=00:04.0 not flushed since SRTP") == 1);
    f.flush_by_register();
    f.write_to(0x1000);
    CHECK(f.traced("flushed since") == 2);
}

/* A unit may drop an entry whenever it likes: the next access reads memory again. */
TEST(random_drop)
{
    VtdOptions o;
    o.drop = 100;
    Fixture f(o);
    f.enable();
    CHECK(f.write_to(0x1000));
    f.map(1, 0);
    unsigned tries = 0;
    while (f.write_to(0x1000) && tries < 100)
        ++tries;
    CHECK(tries < 100);
}

/* "Page-walk Coherency": without it a table line once read is seen again only after
 * its write-back. */
TEST(tables_need_a_write_back)
{
    for (bool coherent : {false, true}) {
        VtdOptions o;
        o.coherent = coherent;
        Fixture f(o);
        f.enable();
        f.map(1, 0);
        CHECK(!f.write_to(0x1000));
        f.World::set64(L1 + 8, DATA | 3);
        CHECK(f.write_to(0x1000) == coherent);
        CHECK(f.traced("walk stale") == !coherent);
        f.unit.line_written_back(L1);
        CHECK(f.write_to(0x1000));
    }
}

/* ... and so is a line that was never written back since it was made */
TEST(new_tables_need_a_write_back)
{
    Fixture f;
    f.enable();
    CHECK(f.write_to(0x1000) && !f.traced("line stale"));
    f.World::set64(0x7000, L1 | 3);
    f.set64(L3 + 8, 0x7000 | 3);
    CHECK(f.write_to(0x40001000));
    CHECK(f.traced("line stale hpa=0x7000 never written back") == 1);
}

/* ... or since its page became a table once more: memory still has the former one */
TEST(recycled_tables_need_a_write_back)
{
    Fixture f;
    f.enable();
    f.set64(0x7000, 0x200083); /* a table that no device has used */
    f.World::set64(0x7000, 0);
    f.set64(L3 + 8, 0x7000 | 3);
    CHECK(!f.traced("stale"));
    f.read_from(0x40000000);
    CHECK(f.traced("walk stale") == 1);
}

/* "Guidance to Software for Invalidations": "Re-use Domain-ID in a context-table entry" */
TEST(domain_id_reused)
{
    for (int flushes = 0; flushes < 3; ++flushes) {
        Fixture f;
        f.enable();
        f.queue_enable();
        CHECK(f.write_to(0x1000));
        f.context(0, 0);
        f.submit(1 | 3 << 4 | 1 << 16 | uint64_t(SID) << 32, 0); /* context-cache, of the device */
        f.submit(2 | 2 << 4 | 3 << 6 | 1 << 16, 0);              /* IOTLB, of the domain */
        if (flushes > 0)
            f.submit(1 | 2 << 4 | 1 << 16, 0); /* context-cache, of the domain ... */
        if (flushes > 1)
            f.submit(2 | 2 << 4 | 3 << 6 | 1 << 16, 0); /* ... and after it the IOTLB again */
        f.set64(0xb000, L3 | 3);
        f.context(0xb000 | 1, 2 | 1 << 8);
        CHECK(f.write_to(0x1000));
        CHECK(f.traced("did=1 reused, not flushed since") == (flushes < 2));
    }
}
