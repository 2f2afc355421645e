/* SPDX-License-Identifier: MIT */
/*
 * DMA remapping: one test per rule, the rule above it with the title of its section.
 * From: lab/bochs/plugin/tests/main.cc      To: lab/bochs/plugin/vtd_walk.cc
 */
#include "vtd_fixture.h"

using namespace lab;

/* "Global Command Register": while TE is clear, requests are not remapped. */
TEST(dma_passes_while_translation_is_off)
{
    Fixture f;
    CHECK(f.write_to(0x200000, 0x1234));
    CHECK(f.get64(0x200000) == 0x1234);
}

/* "Second-Stage Translation": the page of the leaf, the offset of the request. */
TEST(dma_is_translated_by_four_levels)
{
    Fixture f;
    f.enable();
    CHECK(f.write_to(0x3010, 0xabcd));
    CHECK(f.get64(DATA + 0x3010) == 0xabcd);
}

/* "Context Entry": AW 001b is a 39-bit walk of three levels. */
TEST(dma_is_translated_by_three_levels)
{
    Fixture f;
    f.enable();
    f.context(L3 | 1, 1 | 1 << 8);
    CHECK(f.write_to(0x1000, 7));
    CHECK(f.get64(DATA + 0x1000) == 7);
    CHECK(f.fault_of(UINT64_C(1) << 39, true) == FAULT_ADDRESS);
}

/* "Second-Stage Paging Entries": PS maps 2 MiB in the third level from below, 1 GiB in the next. */
TEST(large_pages_are_mapped)
{
    Fixture f;
    f.enable();
    f.set64(L2 + 8, 0x200000 | bit(7) | 3);
    CHECK(f.write_to(0x201238, 5));
    CHECK(f.get64(0x201238) == 5);
    f.set64(L3 + 8, 0 | bit(7) | 3);
    CHECK(f.write_to(0x40000000 + 0x300000, 6));
    CHECK(f.get64(0x300000) == 6);
}

/* "Capability Register" SSLPS: PS is reserved where the size is not supported. */
TEST(large_pages_are_reserved_where_absent)
{
    VtdOptions o;
    o.large_pages = 0;
    Fixture f(o);
    f.enable();
    f.set64(L2 + 8, 0x200000 | bit(7) | 3);
    CHECK(f.fault_of(0x200000, false) == FAULT_SS_RSVD);
}

/* "Handling Requests Crossing Page Boundaries": each page stands for itself. */
TEST(a_request_is_split_at_pages)
{
    Fixture f;
    f.enable();
    f.map(1, DATA | 3);
    f.map(2, 0);
    uint8_t bytes[8192] = {};
    memset(bytes, 0x5a, sizeof(bytes));
    CHECK(!f.unit.dma(SID, 0x1800, bytes, 4096, true));
    CHECK(f.memory[DATA + 0x800] == 0x5a && f.memory[DATA + 0xfff] == 0x5a);
    CHECK(f.memory[DATA + 0x2000] == 0);
}

/* "Fault Conditions and Remapping Hardware Behavior for Various Requests", legacy mode, row
 * by row */
TEST(faults_of_root_and_context)
{
    struct {
        uint64_t root_lo, root_hi, lo, hi;
        uint8_t reason;
    } rows[] = {
        {0, 0, L4 | 1, 2, FAULT_ROOT_P},
        {CONTEXT | 3, 0, L4 | 1, 2, FAULT_ROOT_RSVD},
        {CONTEXT | 1, 1, L4 | 1, 2, FAULT_ROOT_RSVD},
        {bit(40) | 1, 0, L4 | 1, 2, FAULT_ROOT_RSVD},
        {0x900000 | 1, 0, L4 | 1, 2, FAULT_CTX_ACCESS},
        {CONTEXT | 1, 0, L4, 2, FAULT_CTX_P},
        {CONTEXT | 1, 0, L4 | 1 | bit(4), 2, FAULT_CTX_RSVD},
        {CONTEXT | 1, 0, L4 | 1 | bit(40), 2, FAULT_CTX_RSVD},
        {CONTEXT | 1, 0, L4 | 1, 2 | bit(7), FAULT_CTX_RSVD},
        {CONTEXT | 1, 0, L4 | 1, 2 | bit(24), FAULT_CTX_RSVD},
        {CONTEXT | 1, 0, L4 | 1, 0, FAULT_CTX_INVALID},
        {CONTEXT | 1, 0, L4 | 1, 3, FAULT_CTX_INVALID},
        {CONTEXT | 1, 0, L4 | 1 | 1 << 2, 2, FAULT_CTX_INVALID}, /* no device-TLB */
        {CONTEXT | 1, 0, L4 | 1 | 3 << 2, 2, FAULT_CTX_INVALID},
        {CONTEXT | 1, 0, L4 | 1 | 2 << 2, 1, FAULT_CTX_INVALID}, /* pass-through: largest AW */
        {CONTEXT | 1, 0, 0x900000 | 1, 2, FAULT_CTX_INVALID},
    };
    for (const auto &row : rows) {
        Fixture f;
        f.enable();
        f.set64(ROOT, row.root_lo);
        f.set64(ROOT + 8, row.root_hi);
        f.context(row.lo, row.hi);
        CHECK(f.fault_of(0, true) == row.reason);
    }
    Fixture f;
    f.enable();
    f.out64(VTD_RTADDR, 0x900000);
    f.command(G_SRTP);
    CHECK(f.fault_of(0, true) == FAULT_ROOT_ACCESS);
    f.out64(VTD_RTADDR, ROOT | 1 << 10); /* scalable mode, which this unit has not */
    f.command(G_SRTP);
    CHECK(f.fault_of(0, true) == FAULT_RTADDR);
}

TEST(faults_of_the_second_stage)
{
    Fixture f;
    f.enable();
    f.map(0, 0);
    f.map(1, (DATA + 0x1000) | 1);
    f.map(2, (DATA + 0x2000) | 2);
    f.map(3, DATA | 3 | bit(11)); /* SNP without snoop control */
    f.map(4, DATA | 3 | bit(40));
    f.map(5, DATA | 3 | bit(62));
    f.map(6, UINT64_C(0xfee00000) | 3);
    f.set64(L2 + 8, 0x900000 | 3);
    f.set64(L2 + 16, L1 | 3 | bit(11));
    f.set64(L4 + 8, L3 | 3 | bit(7));
    CHECK(f.fault_of(0x0000, true) == FAULT_WRITE);
    CHECK(f.fault_of(0x0000, false) == FAULT_READ);
    CHECK(f.fault_of(0x1000, true) == FAULT_WRITE);
    CHECK(f.fault_of(0x1000, false) == FAULT_NONE);
    CHECK(f.fault_of(0x2000, false) == FAULT_READ);
    CHECK(f.fault_of(0x2000, true) == FAULT_NONE);
    CHECK(f.fault_of(0x3000, true) == FAULT_SS_RSVD);
    CHECK(f.fault_of(0x4000, true) == FAULT_SS_RSVD);
    CHECK(f.fault_of(0x5000, true) == FAULT_SS_RSVD);
    CHECK(f.fault_of(0x6000, true) == FAULT_FEE);
    CHECK(f.fault_of(0x200000, true) == FAULT_SS_ACCESS);
    CHECK(f.fault_of(0x400000, true) == FAULT_SS_RSVD);
    CHECK(f.fault_of(UINT64_C(1) << 39, true) == FAULT_SS_RSVD);
    CHECK(f.fault_of(UINT64_C(1) << 48, true) == FAULT_ADDRESS);
}

/* "Access Rights": a right has to be granted at every level. */
TEST(rights_are_the_and_of_all_levels)
{
    Fixture f;
    f.enable();
    f.set64(L3, L2 | 1);
    CHECK(f.fault_of(0, false) == FAULT_NONE);
    CHECK(f.fault_of(0, true) == FAULT_WRITE);
    f.set64(L3, L2 | 2);
    f.flush_by_register();
    CHECK(f.fault_of(0, false) == FAULT_READ);
    CHECK(f.fault_of(0, true) == FAULT_NONE);
}

/* "Pass-through Translation": SSPTPTR is ignored, the address stands, up to the host
 * address width. */
TEST(pass_through)
{
    Fixture f;
    f.enable();
    f.context(bit(50) | 1 | 2 << 2, 2 | 1 << 8);
    CHECK(f.write_to(0x300000, 9));
    CHECK(f.get64(0x300000) == 9);
    CHECK(f.fault_of(UINT64_C(1) << 40, true) == FAULT_ADDRESS);
}

/* "Context Entry" FPD: qualified faults are blocked but not reported; it counts without P
 * as well. */
TEST(fault_processing_disable)
{
    Fixture f;
    f.enable();
    f.context(2, 2);
    CHECK(f.fault_of(0, true) == 0xff);
    f.context(L4 | 3, 2 | 1 << 8);
    f.map(0, 0);
    CHECK(f.fault_of(0, true) == 0xff);
}

/* "Primary Fault Logging": FRI names the first, records follow in a ring, PFO when all are full. */
TEST(fault_records_and_overflow)
{
    Fixture f;
    f.enable();
    for (uint16_t i = 0; i < 5; ++i)
        f.write_to(0x10000, 1, uint16_t(SID + 8 + 8 * i));
    CHECK((f.in(VTD_FSTS)&0xff) == (FSTS_PPF | FSTS_PFO));
    CHECK((f.in(VTD_FSTS) >> 8 & 0xff) == 0);
    for (unsigned i = 0; i < 4; ++i) {
        CHECK(f.in64(VTD_FRCD + 16 * i) == 0x10000);
        CHECK((f.in64(VTD_FRCD + 16 * i + 8) & 0xffff) == SID + 8 + 8 * i);
        CHECK(!(f.in64(VTD_FRCD + 16 * i + 8) & bit(62))); /* a write */
    }
    f.out(VTD_FRCD + 12, 1u << 31);
    f.write_to(0x10000, 1, 0x88); /* there is room again, but PFO still stands */
    CHECK(!(f.in64(VTD_FRCD + 8) & bit(63)));
    f.clear_log();
    CHECK(f.in(VTD_FSTS) == 0);
    f.read_from(0x10000, 0x88);
    CHECK(f.in64(VTD_FRCD + 8) & bit(62)); /* a read, in record 0: the ring has come round */
}

/* "Non-Recoverable Fault Event": one message for the first pending fault; held while IM is set. */
TEST(fault_event)
{
    Fixture f;
    f.enable();
    f.map(0, 0);
    f.out(VTD_FEDATA, 0x51);
    f.out(VTD_FEADDR, 0xfee01000);
    f.write_to(0);
    CHECK(f.messages.empty() && (f.in(VTD_FECTL)&EV_IP));
    f.out(VTD_FECTL, 0);
    CHECK(f.messages.size() == 1 && f.messages[0].vector == 0x51 && f.messages[0].dest == 1);
    CHECK(!(f.in(VTD_FECTL)&EV_IP));
    f.write_to(0);
    CHECK(f.messages.size() == 1); /* not a new condition */
    f.clear_log();
    f.write_to(0);
    CHECK(f.messages.size() == 2);
}

/* "Fault Event Control Register" IP: cleared when software has serviced every status field. */
TEST(fault_event_is_forgotten_when_serviced)
{
    Fixture f;
    f.enable();
    f.map(0, 0);
    f.write_to(0);
    f.clear_log();
    f.out(VTD_FECTL, 0);
    CHECK(f.messages.empty());
}

/* "Root Table Address Register": takes effect with SRTP only. */
TEST(root_table_is_latched)
{
    Fixture f;
    f.enable();
    f.out64(VTD_RTADDR, 0x900000);
    CHECK(f.write_to(0));
}

/* "DMA Draining": a translated write may still be on its way when an IOTLB flush
 * without DW returns. */
TEST(draining)
{
    VtdOptions o;
    o.hold = 1000;
    Fixture f(o);
    f.enable();
    CHECK(f.write_to(0x1000, 3));
    f.out64(VTD_IOTLB, bit(63) | bit(60));
    CHECK(f.get64(DATA + 0x1000) == 0);
    f.out64(VTD_IOTLB, bit(63) | bit(60) | bit(48));
    CHECK(f.get64(DATA + 0x1000) == 3);
}

/* PCI "Transaction Ordering": a read completion of the device pushes its writes. */
TEST(completions_push_writes)
{
    VtdOptions o;
    o.hold = 1000;
    Fixture f(o);
    f.enable();
    CHECK(f.write_to(0x1000, 3));
    f.unit.push(SID + 1);
    CHECK(f.get64(DATA + 0x1000) == 0);
    f.unit.push(SID);
    CHECK(f.get64(DATA + 0x1000) == 3);
}

/* "Capability Register", "Extended Capability Register" of the default unit, bit by bit */
TEST(capabilities)
{
    Fixture f;
    uint64_t cap = f.in64(VTD_CAP), ecap = f.in64(VTD_ECAP);
    CHECK(field(cap, 2, 0) == 6 && field(cap, 12, 8) == 6 && field(cap, 21, 16) == 47);
    CHECK(field(cap, 33, 24) * 16 == VTD_FRCD && field(cap, 47, 40) == 3);
    CHECK(field(cap, 37, 34) == 3 && field(cap, 53, 48) == 18 && (cap & bit(39)) &&
          (cap & bit(59)));
    CHECK(field(ecap, 17, 8) * 16 == VTD_IVA && field(ecap, 23, 20) == 15);
    CHECK((ecap & 0xff) == (bit(1) | bit(3) | bit(4) | bit(6)));
    CHECK(f.in(VTD_VER) == 0x10);
}
