/* SPDX-License-Identifier: MIT */
/*
 * Invalidation by registers and by queue: one test per rule.
 * From: lab/bochs/plugin/tests/main.cc      To: lab/bochs/plugin/vtd_queue.cc
 */
#include "vtd_fixture.h"

using namespace lab;

/* "IOTLB Invalidate Register": IAIG reports what was done, IVT reads as 0 when it is done. */
TEST(register_based_iotlb_granularities)
{
    Fixture f;
    f.enable();
    for (unsigned granularity = 1; granularity <= 3; ++granularity) {
        f.map(1, DATA | 3);
        f.write_to(0x1000);
        f.map(1, 0);
        f.out64(VTD_IVA, 0x1000);
        f.out64(VTD_IOTLB, bit(63) | uint64_t(granularity) << 60 | UINT64_C(1) << 32);
        CHECK(!(f.in64(VTD_IOTLB) & bit(63)));
        CHECK(field(f.in64(VTD_IOTLB), 58, 57) == granularity);
        CHECK(!f.write_to(0x1000));
    }
}

/* ... another domain's entries and other pages are none of the command's business. */
TEST(selective_flushes_are_selective)
{
    Fixture f;
    f.enable();
    f.write_to(0x1000);
    f.map(1, 0);
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(2) << 60 | UINT64_C(2) << 32);
    CHECK(f.write_to(0x1000));
    f.out64(VTD_IVA, 0x2000);
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
    CHECK(f.write_to(0x1000));
    f.out64(VTD_IVA, 0x0000 | 1); /* two pages: 0 and 1 */
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
    CHECK(!f.write_to(0x1000));
}

/* "Address Mask": 9 for a 2-MiB page; less than its page does not reach a large leaf. */
TEST(address_mask_covers_the_page)
{
    Fixture f;
    f.enable();
    f.set64(L2 + 8, 0x200000 | bit(7) | 3);
    f.write_to(0x200000);
    f.set64(L2 + 8, 0);
    f.out64(VTD_IVA, 0x200000);
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
    CHECK(f.write_to(0x200000));
    f.out64(VTD_IVA, 0x200000 | 9);
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
    CHECK(!f.write_to(0x200000));
    f.out64(VTD_IVA, 19);
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
    CHECK(field(f.in64(VTD_IOTLB), 58, 57) == 0); /* beyond MAMV: an error */
}

/* "Invalidate Address Register" IH: with 1, paging-structure caches are preserved. */
TEST(invalidation_hint)
{
    Fixture f;
    f.enable();
    f.write_to(0x1000);
    f.set64(L2, 0); /* a table is taken away */
    f.out64(VTD_IVA, 0x1000 | 1 << 6);
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
    CHECK(f.write_to(0x1000));
    CHECK(f.traced("walk stale"));
    f.out64(VTD_IVA, 0x1000);
    f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
    CHECK(!f.write_to(0x1000));
}

/* "Context Command Register": device-selective needs source-id and the domain-id that
 * was cached. */
TEST(context_granularities)
{
    Fixture f;
    f.enable();
    f.write_to(0);
    f.context(0, 0);
    auto flush = [&](uint64_t granularity, uint64_t sid, uint64_t did) {
        f.out64(VTD_CCMD, bit(63) | granularity << 61 | sid << 16 | did);
        f.out64(VTD_IOTLB, bit(63) | bit(60));
        return f.write_to(0);
    };
    CHECK(flush(3, SID + 8, 1));
    CHECK(flush(3, SID, 2));
    CHECK(flush(2, 0, 2));
    CHECK(!flush(3, SID, 1));
    CHECK(field(f.in64(VTD_CCMD), 60, 59) == 3);
}

/* "Context-cache Invalidate Descriptor" FM: bits of the source-id that are masked */
TEST(function_mask)
{
    const uint16_t farthest[] = {0, 4, 6, 7};
    for (unsigned mask = 0; mask < 4; ++mask) {
        Fixture f;
        f.enable();
        f.queue_enable();
        for (uint16_t function = 0; function < 9; ++function) {
            f.context(L4 | 1, 2 | 1 << 8, uint16_t(SID + function));
            f.write_to(0, 1, uint16_t(SID + function));
            f.context(0, 0, uint16_t(SID + function));
        }
        f.submit(1 | 3 << 4 | 1 << 16 | uint64_t(SID) << 32 | uint64_t(mask) << 48, 0);
        f.submit(2 | 1 << 4, 0);
        for (uint16_t function = 0; function < 9; ++function)
            CHECK(f.write_to(0, 1, uint16_t(SID + function)) == !!(function & ~farthest[mask]));
    }
}

/* "IOTLB Invalidate Register": a table goes if one of its pages was named, and only then. */
TEST(selective_flushes_reach_tables)
{
    for (uint64_t page : {0x0ff000, 0x200000, 0x3ff000, 0x400000}) {
        Fixture f;
        f.enable();
        f.set64(L2 + 8, L1 | 3);
        f.write_to(0x200000);
        f.set64(L2 + 8, 0);
        f.out64(VTD_IVA, page);
        f.out64(VTD_IOTLB, bit(63) | UINT64_C(3) << 60 | UINT64_C(1) << 32);
        CHECK(f.write_to(0x201000) == (page < 0x200000 || page >= 0x400000));
    }
}

/* "Interrupt Entry Cache Invalidate Descriptor": the index with its lowest bits masked */
TEST(interrupt_entry_granularities)
{
    Fixture f;
    f.out64(VTD_IRTA, IRT | 7);
    f.command(G_SIRTP);
    f.queue_enable();
    f.submit(4, 0);
    f.command(G_IRE);
    auto kept = [&](uint64_t mask, uint64_t index) {
        f.set64(IRT + 16 * 6, 0x330001);
        CHECK(f.unit.interrupt(SID, 0xfee00010 | 6 << 5, 0));
        f.set64(IRT + 16 * 6, 0);
        f.submit(4 | 1 << 4 | mask << 27 | index << 32, 0);
        bool still = f.unit.interrupt(SID, 0xfee00010 | 6 << 5, 0);
        f.submit(4, 0);
        return still;
    };
    CHECK(kept(0, 5) && kept(0, 7) && !kept(0, 6));
    CHECK(kept(1, 4) && kept(1, 8) && !kept(1, 7));
    CHECK(kept(2, 3) && kept(2, 8) && !kept(2, 4));
}

/* "Queued Invalidation Interface": with the queue enabled, registers are not for commands. */
TEST(register_commands_are_refused_with_the_queue_on)
{
    Fixture f;
    f.enable();
    f.queue_enable();
    f.write_to(0x1000);
    f.map(1, 0);
    f.out64(VTD_IOTLB, bit(63) | bit(60));
    CHECK(field(f.in64(VTD_IOTLB), 58, 57) == 0 && !(f.in64(VTD_IOTLB) & bit(63)));
    CHECK(f.write_to(0x1000));
}

/* "IOTLB Invalidate", "Context-cache Invalidate Descriptor", "Invalidation Wait Descriptor" */
TEST(queue_invalidates_and_waits)
{
    Fixture f;
    f.enable();
    f.queue_enable();
    f.write_to(0x1000);
    f.map(1, 0);
    f.submit(1 | 1 << 4, 0);
    f.submit(2 | 3 << 4 | 1 << 16, 0x1000);
    f.submit(5 | 1 << 5 | UINT64_C(0x77) << 32, 0x500000);
    CHECK(f.in64(VTD_IQH) == f.tail);
    CHECK(f.get64(0x500000) == 0x77);
    CHECK(!f.write_to(0x1000));
}

/* "IOTLB Invalidate": bits of the domain-id that the unit does not have are ignored. */
TEST(domain_id_width)
{
    VtdOptions o;
    o.domain_bits = 4;
    o.hold = 1000;
    Fixture f(o);
    f.enable();
    f.queue_enable();
    f.write_to(0x1000, 5);
    f.map(1, 0);
    f.submit(2 | 2 << 4 | 3 << 6 | 0x31 << 16, 0);
    CHECK(f.get64(DATA + 0x1000) == 5);
    CHECK(!f.write_to(0x1000));
}

/* "Queued Invalidation Ordering Considerations": the head tells what was fetched, not what
 * is done. */
TEST(slow_invalidation)
{
    VtdOptions o;
    o.slow = 500;
    Fixture f(o);
    f.enable();
    f.queue_enable();
    f.write_to(0x1000);
    f.map(1, 0);
    f.submit(2 | 1 << 4, 0);
    f.submit(5 | 1 << 5 | UINT64_C(1) << 32, 0x500000);
    CHECK(f.in64(VTD_IQH) == f.tail && f.get64(0x500000) == 0);
    CHECK(f.write_to(0x1000));
    CHECK(f.unit.next_due() == 500);
    f.clock = 500;
    f.unit.tick();
    CHECK(f.get64(0x500000) == 1 && !f.write_to(0x1000));
}

/* ... and so it is with registers: ICC and IVT stay set until the flush is done. */
TEST(slow_register_invalidation)
{
    VtdOptions o;
    o.slow = 500;
    Fixture f(o);
    f.enable();
    f.out64(VTD_CCMD, bit(63) | bit(61));
    CHECK(f.in64(VTD_CCMD) & bit(63));
    f.clock = 500;
    CHECK(!(f.in64(VTD_CCMD) & bit(63)));
}

/* "Hardware Handling of Queued Invalidation Interface Errors": head stays at the bad descriptor,
 * IQE and IQEI say why, nothing is fetched until IQE is cleared. */
TEST(queue_errors)
{
    struct {
        uint64_t lo, hi;
        uint8_t info;
    } rows[] = {
        {0, 0, IQEI_TYPE},
        {7 | 1 << 4, 0, IQEI_TYPE},
        {3, 0, IQEI_TYPE}, /* no device-TLB */
        {1, 0, IQEI_RESERVED},
        {1 | 1 << 4, 1, IQEI_RESERVED},
        {1 | 1 << 4 | bit(6), 0, IQEI_RESERVED},
        {1 | 1 << 4 | bit(50), 0, IQEI_RESERVED},
        {2, 0, IQEI_RESERVED},
        {2 | 3 << 4, 19, IQEI_RESERVED}, /* MAMV is 18 */
        {2 | 1 << 4 | bit(32), 0, IQEI_RESERVED},
        {2 | 1 << 4, bit(7), IQEI_RESERVED},
        {1 | 1 << 4 | bit(8), 0, IQEI_RESERVED},
        {1 | 1 << 4 | bit(12), 0, IQEI_RESERVED},
        {1 | 1 << 4 | bit(63), 0, IQEI_RESERVED},
        {2 | 1 << 4 | bit(8), 0, IQEI_RESERVED},
        {2 | 1 << 4 | bit(15), 0, IQEI_RESERVED},
        {2 | 1 << 4, bit(11), IQEI_RESERVED},
        {4 | bit(5), 0, IQEI_RESERVED},
        {4 | bit(8), 0, IQEI_RESERVED},
        {4 | bit(12), 0, IQEI_RESERVED},
        {4 | bit(26), 0, IQEI_RESERVED},
        {4 | bit(48), 0, IQEI_RESERVED},
        {4, 1, IQEI_RESERVED},
        {5 | bit(7), 0, IQEI_RESERVED}, /* no page-request draining */
        {5 | bit(8), 0, IQEI_RESERVED},
        {5 | bit(12), 0, IQEI_RESERVED},
        {5 | bit(31), 0, IQEI_RESERVED},
        {5 | bit(5), 1, IQEI_RESERVED},
        {5 | bit(5), 2, IQEI_RESERVED},
        {5 | bit(9), 0, IQEI_TYPE},
    };
    for (const auto &row : rows) {
        Fixture f;
        f.queue_enable();
        f.out(VTD_FECTL, 0);
        f.submit(row.lo, row.hi);
        f.submit(5 | 1 << 5 | UINT64_C(9) << 32, 0x500000);
        CHECK(f.in(VTD_FSTS)&FSTS_IQE);
        CHECK(field(f.in64(VTD_IQERCD), 3, 0) == row.info);
        CHECK(f.in64(VTD_IQH) == 0 && f.get64(0x500000) == 0);
        CHECK(f.messages.size() == 1);
        f.set64(QUEUE, 4);
        f.set64(QUEUE + 8, 0);
        f.out(VTD_FSTS, FSTS_IQE);
        CHECK(f.in64(VTD_IQH) == 32 && f.get64(0x500000) == 9);
    }
}

/* "Invalidation Queue Error Record Register": tail outside the queue, width not
 * supported, no memory */
TEST(queue_errors_of_the_queue_itself)
{
    Fixture f;
    f.queue_enable();
    f.out64(VTD_IQT, 0x2000);
    CHECK(field(f.in64(VTD_IQERCD), 3, 0) == IQEI_TAIL);
    Fixture g;
    g.out64(VTD_IQA, QUEUE | bit(11));
    g.command(G_QIE);
    g.out64(VTD_IQT, 16);
    CHECK(field(g.in64(VTD_IQERCD), 3, 0) == IQEI_WIDTH);
    Fixture h;
    h.out64(VTD_IQA, 0x900000);
    h.command(G_QIE);
    h.out64(VTD_IQT, 16);
    CHECK(field(h.in64(VTD_IQERCD), 3, 0) == IQEI_FETCH);
}

/* "Invalidation Queue Address Register" QS: as many pages; the head comes round at their end. */
TEST(queue_size)
{
    for (unsigned size : {0, 2}) {
        Fixture f;
        f.queue_enable();
        f.out64(VTD_IQA, 0x20000 | size);
        unsigned end = 4096 << size;
        for (unsigned at = 0; at < end; at += 16) {
            f.set64(0x20000 + at, 5 | 1 << 5 | uint64_t(at + 1) << 32);
            f.set64(0x20000 + at + 8, 0x500000 | bit(63)); /* beyond the width: ignored */
        }
        f.out64(VTD_IQT, end - 16);
        CHECK(f.in64(VTD_IQH) == end - 16 && f.get64(0x500000) == end - 31);
        f.out64(VTD_IQT, 16);
        CHECK(f.in64(VTD_IQH) == 16 && f.get64(0x500000) == 1);
        f.out64(VTD_IQT, end);
        CHECK(field(f.in64(VTD_IQERCD), 3, 0) == IQEI_TAIL && f.in64(VTD_IQH) == 16);
    }
}

/* "Invalidation Queue Head Register": reset to 0 when the queue is disabled. */
TEST(queue_head_is_reset)
{
    Fixture f;
    f.queue_enable();
    f.submit(4, 0);
    f.submit(5 | 1 << 5, 0x500000);
    CHECK(f.in64(VTD_IQH) == 32);
    f.command(G_QIE, false);
    CHECK(f.in64(VTD_IQH) == 0 && !(f.in(VTD_GSTS)&G_QIE));
}

/* "Hardware Generation of Invalidation Completion Events": one message until IWC is cleared. */
TEST(completion_event)
{
    Fixture f;
    f.queue_enable();
    f.out(VTD_IEDATA, 0x61);
    f.out(VTD_IEADDR, 0xfee00000);
    f.submit(5 | 1 << 4, 0);
    CHECK((f.in(VTD_ICS)&1) && f.messages.empty() && (f.in(VTD_IECTL)&EV_IP));
    f.out(VTD_IECTL, 0);
    CHECK(f.messages.size() == 1 && f.messages[0].vector == 0x61);
    f.submit(5 | 1 << 4, 0);
    CHECK(f.messages.size() == 1);
    f.out(VTD_ICS, 1);
    f.submit(5 | 1 << 4, 0);
    CHECK(f.messages.size() == 2);
}

/* "Device-TLB Invalidation Response Time-out": pending waits are aborted, the queue stands. */
TEST(invalidation_time_out)
{
    VtdOptions o;
    o.device_tlb = true;
    o.timeout_error = 1;
    Fixture f(o);
    f.queue_enable();
    f.submit(3 | uint64_t(SID) << 32, 0);
    CHECK(f.in(VTD_FSTS)&FSTS_ITE);
    CHECK(field(f.in64(VTD_IQERCD), 47, 32) == SID);
    f.submit(5 | 1 << 5 | UINT64_C(4) << 32, 0x500000);
    CHECK(f.get64(0x500000) == 0);
    f.out(VTD_FSTS, FSTS_ITE);
    CHECK(f.get64(0x500000) == 4);
}

/* The knob: every n-th descriptor cannot be fetched; software clears IQE and goes on. */
TEST(injected_queue_errors)
{
    VtdOptions o;
    o.queue_error = 3;
    Fixture f(o);
    f.queue_enable();
    unsigned errors = 0;
    for (unsigned i = 1; i <= 9; ++i) {
        f.submit(5 | 1 << 5 | uint64_t(i) << 32, 0x500000);
        while (f.in(VTD_FSTS)&FSTS_IQE) {
            ++errors;
            f.out(VTD_FSTS, FSTS_IQE);
        }
        CHECK(f.get64(0x500000) == i);
    }
    CHECK(errors == 4);
}

/* "Extended Capability Register" QI: without it the queue's registers are RsvdZ. */
TEST(no_queued_invalidation)
{
    VtdOptions o;
    o.queue = false;
    Fixture f(o);
    CHECK(!(f.in64(VTD_ECAP) & (bit(1) | bit(3))));
    f.queue_enable();
    CHECK(!(f.in(VTD_GSTS)&G_QIE) && f.in64(VTD_IQA) == 0);
}
