/* SPDX-License-Identifier: MIT */
/*
 * The trace in detail: every look-up, every entry as used, what leaves a cache.
 * From: lab/bochs/plugin/tests/main.cc
 * To:   lab/bochs/plugin/vtd_walk.cc, vtd_intr.cc, vtd_queue.cc, vtd_tables.cc
 */
#include "vtd_fixture.h"

using namespace lab;

/* "Legacy Mode Address Translation", then "Translating Address Using Caches in Legacy Mode" */
TEST(a_walk_in_detail)
{
    Fixture f;
    f.enable();
    CHECK(f.read_from(0x1000));
    for (const char *table : {"root entry", "context fill", "second-stage entry", "iotlb fill"})
        CHECK(f.traced(table) == 0);
    f.flush_by_register();
    f.wants_detail = true;
    CHECK(f.read_from(0x1000));
    CHECK(f.traced("root entry sid=00:04.0 hpa=0x1000 value=0000000000000000.0000000000002001"));
    CHECK(f.traced("context entry sid=00:04.0 hpa=0x2200 ") == 1);
    CHECK(f.traced("context fill sid=00:04.0 did=1 ") == 1);
    CHECK(f.traced("second-stage entry did=1 level=") == 4);
    CHECK(f.traced("second-stage entry did=1 level=1 hpa=0x6008 value=0000000000101003") == 1);
    CHECK(f.traced("paging fill did=1 level=") == 3);
    CHECK(f.traced("iotlb fill sid=00:04.0 did=1 page=0x1000 size=0x1000 hpa=0x101000 rights=3"));
    f.lines.clear();
    CHECK(f.read_from(0x1000));
    CHECK(f.traced("iotlb hit sid=00:04.0 did=1 page=0x1000 ") == 1 && f.traced("entry") == 0);
    CHECK(f.read_from(0x2000));
    CHECK(f.traced("context hit ") == 1 && f.traced("paging hit did=1 level=2 ") == 1);
    f.flush_by_register();
    CHECK(f.traced("context gone sid=00:04.0") == 1 && f.traced("paging gone did=1 level=") == 3);
    CHECK(f.traced("iotlb gone sid=00:04.0 page=") == 2);
}

/* "Interrupt Entry Cache", "Interrupt-Posting Hardware Operation", "Queued Invalidation
 * Interface" */
TEST(a_post_in_detail)
{
    Fixture f;
    f.out64(VTD_IRTA, IRT | 7);
    f.command(G_SIRTP);
    f.queue_enable();
    f.submit(4, 0);
    f.command(G_IRE);
    f.wants_detail = true;
    f.set64(IRT + 8, UINT64_C(1) << 18 | SID);
    f.set64(IRT, (PID >> 6) << 38 | UINT64_C(0x51) << 16 | 1 << 15 | 1);
    f.World::set64(PID + 32, UINT64_C(3) << 40 | 0xf0 << 16);
    CHECK(f.write_to(0xfee00010));
    CHECK(f.traced("iec fill sid=00:04.0 index=0 entry=0000000000040020.") == 1);
    CHECK(f.traced("descriptor pid=0xa000 before=0x30000f00000 after=0x30000f00001 "
                   "pir=0000000000000000.0000000000000000.0000000000020000.0000000000000000"));
    CHECK(f.write_to(0xfee00010));
    CHECK(f.traced("iec hit sid=00:04.0 index=0 ") == 1);
    f.submit(INV_WAIT | 1 << 5 | UINT64_C(7) << 32, DATA);
    CHECK(f.traced("queue fetched head=0x10 tail=0x20 descriptor=0000000000100000.00000007000000"));
    CHECK(f.traced("queue wait status=0x7 at=0x100000") == 1);
    f.submit(4, 0);
    CHECK(f.traced("iec gone index=0") == 1);
}

/* A cache may lose an entry at any time: that stands in the trace as such. */
TEST(an_entry_is_lost)
{
    VtdOptions options;
    options.drop = 100;
    Fixture f(options);
    f.enable();
    f.wants_detail = true;
    for (unsigned i = 0; i < 20; ++i)
        f.read_from(0x1000 * (i % 8));
    CHECK(f.traced("iotlb evict sid=00:04.0 page=") > 0);
    CHECK(f.traced("context evict sid=00:04.0") > 0 && f.traced(" gone ") == 0);
}

/* "Guidance to Software for Invalidations": a cache holds the old entry from the change to the
 * flush, whether it is used meanwhile or not. */
TEST(a_table_is_written)
{
    Fixture f;
    f.enable();
    f.map(5, (DATA + 0x5000) | 1); /* in detail only what is used in detail is a table */
    f.wants_detail = true;
    f.map(6, (DATA + 0x6000) | 1);
    CHECK(f.traced("table written") == 0);
    CHECK(f.read_from(0x1000) && f.read_from(0x2000));
    f.map(3, (DATA + 0x7000) | 3);
    CHECK(f.traced("table written second-stage did=1 level=1 hpa=0x6018 before=0000000000103003 "
                   "after=0000000000107003") == 1);
    CHECK(f.traced("superseded") == 0);
    f.map(1, (DATA + 0x7000) | 3);
    CHECK(f.traced("iotlb superseded sid=00:04.0 page=0x1000") == 1);
    f.map(1, (DATA + 0x7000) | 3); /* nothing changes */
    CHECK(f.traced("table written") == 2 && f.traced("superseded") == 1);
    f.map(1, (DATA + 0x1000) | 3);
    CHECK(f.traced("iotlb agrees sid=00:04.0 page=0x1000") == 1);
    f.context(0, 0);
    CHECK(f.traced("table written context hpa=0x2200 ") > 0);
    CHECK(f.traced("context superseded sid=00:04.0") == 1);
    CHECK(f.traced("iotlb superseded sid=00:04.0 page=") == 3 && f.traced(" stale ") == 0);
    f.flush_by_register();
    f.lines.clear();
    f.context(L4 | 1, 2 | 1 << 8);
    CHECK(f.traced("agrees") == 0 && f.traced("superseded") == 0);
}

TEST(an_interrupt_entry_is_written)
{
    Fixture f;
    f.out64(VTD_IRTA, IRT | 7);
    f.command(G_SIRTP);
    f.queue_enable();
    f.submit(4, 0);
    f.command(G_IRE);
    f.wants_detail = true;
    f.set64(IRT + 8, UINT64_C(1) << 18 | SID);
    f.set64(IRT, UINT64_C(0x51) << 16 | 1);
    CHECK(f.write_to(0xfee00010));
    f.set64(IRT, UINT64_C(0x52) << 16 | 1);
    CHECK(f.traced("table written interrupt hpa=0x9000 before=0000000000040020.0000000000510001 "
                   "after=0000000000040020.0000000000520001") == 1);
    CHECK(f.traced("iec superseded index=0") == 1 && f.traced("iec stale") == 0);
    f.submit(4, 0);
    CHECK(f.traced("iec gone index=0") == 1);
    CHECK(f.write_to(0xfee00010));
    CHECK(f.traced("iec superseded") == 1 && f.traced("iec fill") == 2);
}
