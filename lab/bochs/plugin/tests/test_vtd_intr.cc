/* SPDX-License-Identifier: MIT */
/*
 * Interrupt remapping and posting: one test per rule.
 * From: lab/bochs/plugin/tests/main.cc      To: lab/bochs/plugin/vtd_intr.cc
 */
#include "vtd_fixture.h"
#include "../ioapic.h"

using namespace lab;

namespace
{
constexpr uint64_t REMAPPABLE = 0xfee00010;

struct IrFixture : Fixture {
    explicit IrFixture(const VtdOptions &o = plain(), uint64_t irta = IRT | 7) : Fixture(o)
    {
        out64(VTD_IRTA, irta);
        command(G_SIRTP);
        queue_enable();
        submit(4, 0);
        command(G_IRE);
    }
    void irte(unsigned index, uint64_t lo, uint64_t hi = UINT64_C(1) << 18 | SID)
    {
        set64(IRT + 16 * index, lo);
        set64(IRT + 16 * index + 8, hi);
    }
    bool msi(uint64_t address, uint32_t data = 0, uint16_t sid = SID)
    {
        return unit.dma(sid, address, &data, 4, true);
    }
    uint8_t fault_of_msi(uint64_t address, uint32_t data = 0, uint16_t sid = SID)
    {
        clear_log();
        if (msi(address, data, sid))
            return 0;
        return in(VTD_FSTS)&FSTS_PPF ? reason(in(VTD_FSTS) >> 8 & 0xff) : 0xff;
    }
};
} /* namespace */

/* "Interrupt Requests in Compatibility Format": with remapping off everything is one. */
TEST(compatibility_format)
{
    Fixture f;
    uint32_t data = 0x8145;
    CHECK(f.unit.dma(SID, 0xfee03004, &data, 4, true));
    CHECK(f.messages.size() == 1);
    Message m = f.messages[0];
    CHECK(m.vector == 0x45 && m.mode == 1 && m.level && m.dest == 3 && m.logical);
}

/* "Interrupt-Remapping Hardware Operation": CFIS clear or EIME set blocks compatibility format. */
TEST(compatibility_format_is_blocked)
{
    IrFixture f;
    CHECK(f.fault_of_msi(0xfee00000, 0x30) == FAULT_IR_COMPAT);
    f.command(G_CFI);
    CHECK(f.fault_of_msi(0xfee00000, 0x30) == FAULT_NONE);
    IrFixture g(Fixture::plain(), IRT | 7 | bit(11));
    g.command(G_CFI);
    CHECK(g.fault_of_msi(0xfee00000, 0x30) == FAULT_IR_COMPAT);
}

/* "Interrupt Remapping Table": index from handle and subhandle */
TEST(interrupt_index)
{
    IrFixture f;
    f.irte(5, 1 | 0x41 << 16 | UINT64_C(2) << 40);
    f.irte(7, 1 | 0x42 << 16);
    CHECK(f.msi(REMAPPABLE | 5 << 5));
    CHECK(f.messages.back().vector == 0x41 && f.messages.back().dest == 2);
    CHECK(f.msi(REMAPPABLE | 5 << 5 | bit(3), 2));
    CHECK(f.messages.back().vector == 0x42);
    CHECK(f.msi(REMAPPABLE | 5 << 5, 0xffff0001)); /* SHV clear: data is ignored */
    CHECK(f.messages.back().vector == 0x41);
    IrFixture all(Fixture::plain(), IRT | 15); /* the sum has more bits than an index */
    CHECK(all.fault_of_msi(REMAPPABLE | 0x7fff << 5 | 4 | bit(3), 1) == FAULT_IR_INDEX);
    all.irte(0x8000, 1 | 0x43 << 16);
    CHECK(all.msi(REMAPPABLE | 4) && all.messages.back().vector == 0x43);
}

/* "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts": TM, DM, DLM, 8 bits of DST */
TEST(remapped_attributes)
{
    IrFixture f;
    f.irte(0, 1 | 0x50 << 16 | bit(4) | bit(2) | 5 << 5 | UINT64_C(0xab) << 40);
    f.irte(1, 1 | 0x51 << 16);
    CHECK(f.msi(REMAPPABLE) && f.msi(REMAPPABLE | 1 << 5) && f.messages.size() == 2);
    const Message &m = f.messages[0], &plain = f.messages[1];
    CHECK(m.vector == 0x50 && m.level && m.logical && m.mode == 5 && m.dest == 0xab);
    CHECK(plain.vector == 0x51 && !plain.level && !plain.logical && !plain.mode && !plain.dest);
}

/* "Interrupt Remapping Fault Conditions", row by row; FI holds the index in bits 63:48 */
TEST(interrupt_faults)
{
    IrFixture f;
    CHECK(f.fault_of_msi(REMAPPABLE | bit(3), 0x10000) == FAULT_IR_REQUEST);
    CHECK(f.fault_of_msi(REMAPPABLE | 256 << 5) == FAULT_IR_INDEX);
    CHECK(f.fault_of_msi(REMAPPABLE | 4) == FAULT_IR_INDEX); /* index bit 15 */
    CHECK(f.fault_of_msi(REMAPPABLE | 9 << 5) == FAULT_IR_P);
    CHECK(f.in64(VTD_FRCD + 16 * (f.in(VTD_FSTS) >> 8 & 0xff)) == UINT64_C(9) << 48);
    const uint64_t reserved[] = {bit(12), bit(13), bit(14), bit(24),
                                 bit(32), bit(48), 3 << 5,  6 << 5};
    unsigned index = 10;
    for (uint64_t mask : reserved) {
        f.irte(index, 1 | mask);
        CHECK(f.fault_of_msi(REMAPPABLE | index++ << 5) == FAULT_IR_RSVD);
    }
    f.irte(30, 1, UINT64_C(3) << 18);
    CHECK(f.fault_of_msi(REMAPPABLE | 30 << 5) == FAULT_IR_RSVD);
    f.irte(31, 1, bit(20));
    CHECK(f.fault_of_msi(REMAPPABLE | 31 << 5) == FAULT_IR_RSVD);
    f.irte(32, 1 | 2); /* FPD, and the wrong requester */
    CHECK(f.fault_of_msi(REMAPPABLE | 32 << 5, 0, SID + 1) == 0xff);
    f.irte(33, 2); /* FPD counts without P as well */
    CHECK(f.fault_of_msi(REMAPPABLE | 33 << 5) == 0xff);
    f.irte(34, 3 | bit(12));
    CHECK(f.fault_of_msi(REMAPPABLE | 34 << 5) == 0xff);
    IrFixture g(Fixture::plain(), 0x900000 | 7);
    CHECK(g.fault_of_msi(REMAPPABLE) == FAULT_IR_ACCESS);
}

/* ... 21h as well where the entry would lie beyond the host address width */
TEST(interrupt_entry_beyond_the_width)
{
    IrFixture f(Fixture::plain(), (bit(40) - 4096) | 8);
    CHECK(f.fault_of_msi(REMAPPABLE | 255 << 5) == FAULT_IR_ACCESS);
    CHECK(f.fault_of_msi(REMAPPABLE | 256 << 5) == FAULT_IR_INDEX);
}

/* "Interrupt Remapping Fault Conditions" 29h: a request to FEEx_xxxxh that is no DWORD write */
TEST(malformed_interrupt_requests)
{
    IrFixture f;
    uint64_t value = 0;
    CHECK(!f.unit.dma(SID, REMAPPABLE, &value, 8, true));
    CHECK(f.reason() == FAULT_IR_MALFORMED);
    f.clear_log();
    CHECK(!f.read_from(REMAPPABLE));
    CHECK(f.reason(1) == FAULT_IR_MALFORMED);
}

/* "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts": SVT, SQ, SID */
TEST(source_id_verification)
{
    struct {
        uint64_t hi;
        uint16_t sid;
        bool passes;
    } rows[] = {
        {0, 0x1234, true},
        {UINT64_C(1) << 18 | SID, SID, true},
        {UINT64_C(1) << 18 | SID, SID + 1, false},
        {UINT64_C(1) << 18 | 1 << 16 | SID, SID + 4, true},
        {UINT64_C(1) << 18 | 1 << 16 | SID, SID + 2, false},
        {UINT64_C(1) << 18 | 2 << 16 | SID, SID + 6, true},
        {UINT64_C(1) << 18 | 2 << 16 | SID, SID + 1, false},
        {UINT64_C(1) << 18 | 3 << 16 | SID, SID + 7, true},
        {UINT64_C(1) << 18 | 3 << 16 | SID, SID + 8, false},
        {UINT64_C(1) << 18 | 1 << 16 | SID, SID + 1, false},
        {UINT64_C(1) << 18 | 2 << 16 | SID, SID + 8, false},
        {UINT64_C(2) << 18 | 0x0204, 0x01ff, false},
        {UINT64_C(2) << 18 | 0x0204, 0x0200, true},
        {UINT64_C(2) << 18 | 0x0204, 0x04ff, true},
        {UINT64_C(2) << 18 | 0x0204, 0x0500, false},
    };
    for (const auto &row : rows) {
        IrFixture f;
        f.irte(0, 1 | 0x50 << 16, row.hi);
        CHECK(f.fault_of_msi(REMAPPABLE, 0, row.sid) == (row.passes ? FAULT_NONE : FAULT_IR_SID));
    }
}

/* "Interrupt Remapping Table Address Register" EIME: 32-bit destinations */
TEST(x2apic_destination)
{
    IrFixture f(Fixture::plain(), IRT | 7 | bit(11));
    f.irte(0, 1 | 0x50 << 16 | UINT64_C(0x12345) << 32);
    CHECK(f.msi(REMAPPABLE));
    CHECK(f.messages.back().dest == 0x12345);
}

/* "Interrupt Entry Cache": an entry once used stays until it is flushed. */
TEST(interrupt_entry_cache)
{
    IrFixture f;
    f.irte(0, 1 | 0x50 << 16);
    f.msi(REMAPPABLE);
    f.irte(0, 1 | 0x60 << 16);
    f.msi(REMAPPABLE);
    CHECK(f.messages.back().vector == 0x50);
    CHECK(f.traced("iec stale sid=00:04.0 index=0") == 1);
    f.submit(4 | 1 << 4 | UINT64_C(8) << 32, 0); /* another index */
    f.msi(REMAPPABLE);
    CHECK(f.messages.back().vector == 0x50);
    f.submit(4 | 1 << 4 | UINT64_C(3) << 27 | UINT64_C(7) << 32, 0); /* indexes 0 to 7 */
    f.msi(REMAPPABLE);
    CHECK(f.messages.back().vector == 0x60);
    f.irte(0, 0);
    f.submit(4, 0);
    CHECK(!f.msi(REMAPPABLE));
}

/* "Set Interrupt Remapping Table Pointer Operation": "software must globally invalidate the
 * interrupt entry cache" */
TEST(set_interrupt_table_pointer_wants_a_flush)
{
    IrFixture f;
    auto advised_after = [&](std::initializer_list<uint64_t> flushes) {
        f.lines.clear();
        f.command(G_SIRTP);
        for (uint64_t flush : flushes)
            f.submit(flush, 0);
        CHECK(f.msi(REMAPPABLE) && f.msi(REMAPPABLE));
        return f.traced("iec advice sid=00:04.0 not flushed since SIRTP");
    };
    f.irte(0, 1 | 0x50 << 16);
    CHECK(advised_after({}) == 1);
    CHECK(advised_after({4 | 1 << 4}) == 1); /* only entry 0 */
    CHECK(advised_after({4}) == 0);
    CHECK(advised_after({4, 4 | 1 << 4}) == 0);
}

namespace
{
constexpr uint64_t posted(unsigned vector, bool urgent = false)
{
    return 1 | bit(15) | uint64_t(urgent) << 14 | uint64_t(vector) << 16 | (PID >> 6) << 38;
}
} /* namespace */

/* "Interrupt-Posting Hardware Operation": X = (ON == 0) & (URG | (SN == 0)) */
TEST(posting_follows_on_sn_urg)
{
    for (unsigned state = 0; state < 8; ++state) {
        bool on = state & 1, sn = state & 2, urgent = state & 4;
        IrFixture f;
        f.irte(0, posted(0x81, urgent));
        f.set64(PID + 32, uint64_t(on) | uint64_t(sn) << 1 | 0xf2 << 16 | UINT64_C(3) << 40);
        CHECK(f.msi(REMAPPABLE));
        bool notify = !on && (urgent || !sn);
        CHECK(f.get64(PID + 16) == bit(1)); /* PIR in any case: vector 0x81 */
        CHECK(bool(f.get64(PID + 32) & 1) == (on || notify));
        CHECK(bool(f.get64(PID + 32) & 2) == sn);
        CHECK(f.messages.size() == notify);
        if (notify)
            CHECK(f.messages[0].vector == 0xf2 && f.messages[0].dest == 3 && !f.messages[0].mode &&
                  !f.messages[0].level && !f.messages[0].logical);
    }
}

/* "Posted Interrupt Descriptor (PID)": NDST has all 32 bits in x2APIC mode */
TEST(posting_in_x2apic_mode)
{
    IrFixture f(Fixture::plain(), IRT | 7 | bit(11));
    f.irte(0, posted(0x20));
    f.set64(PID + 32, 0xf2 << 16 | UINT64_C(0x10001) << 32);
    CHECK(f.msi(REMAPPABLE));
    CHECK(f.messages.back().dest == 0x10001);
}

/* ... reserved bits of entry and descriptor; a descriptor that cannot be read */
TEST(posting_faults)
{
    const uint64_t entry[] = {bit(2), bit(7), bit(12), bit(24), bit(37)};
    unsigned index = 0;
    IrFixture f;
    for (uint64_t mask : entry) {
        f.irte(index, posted(0x20) | mask);
        CHECK(f.fault_of_msi(REMAPPABLE | index++ << 5) == FAULT_IR_RSVD);
    }
    for (unsigned n : {20, 31, 40, 63}) { /* from 40 on: above the host address width */
        f.irte(index, posted(0x20), bit(n));
        CHECK(f.fault_of_msi(REMAPPABLE | index++ << 5) == FAULT_IR_RSVD);
    }
    f.irte(index, posted(0x20), bit(33));
    CHECK(f.fault_of_msi(REMAPPABLE | index++ << 5) == FAULT_PID_ACCESS);
    f.irte(index, posted(0x20) | 2, bit(33));
    CHECK(f.fault_of_msi(REMAPPABLE | index++ << 5) == 0xff);
    const uint64_t descriptor[] = {bit(2),  bit(15), bit(24), bit(31),
                                   bit(32), bit(39), bit(48), bit(63)};
    f.irte(20, posted(0x20));
    for (uint64_t mask : descriptor) {
        f.set64(PID + 32, mask);
        CHECK(f.fault_of_msi(REMAPPABLE | 20 << 5) == FAULT_PID_RSVD);
    }
    f.irte(21, posted(0x20) | 2);
    CHECK(f.fault_of_msi(REMAPPABLE | 21 << 5) == 0xff);
    f.set64(PID + 32, 0);
    for (unsigned at = 40; at < 64; at += 8) {
        f.set64(PID + at, 1);
        CHECK(f.fault_of_msi(REMAPPABLE | 20 << 5) == FAULT_PID_RSVD);
        f.set64(PID + at, 0);
    }
    CHECK(f.get64(PID) == 0 && f.get64(PID + 32) == 0);
    f.irte(22, posted(0x20) | bits(11, 8)); /* these are software's */
    f.irte(23, 1 | 0x50 << 16 | bits(11, 8));
    CHECK(f.msi(REMAPPABLE | 22 << 5) && f.msi(REMAPPABLE | 23 << 5));
}

/* "Interrupt Entry Cache": an entry with which a request faults is kept only where CM is set. */
TEST(faulting_interrupt_entries)
{
    for (bool cm : {false, true}) {
        VtdOptions o;
        o.caching_mode = cm;
        IrFixture f(o);
        f.irte(0, 1 | 0x50 << 16 | bit(12));
        f.irte(1, 1 | 0x50 << 16, UINT64_C(1) << 18 | (SID + 1));
        f.irte(2, posted(0x20));
        f.set64(PID + 32, bit(2));
        CHECK(f.fault_of_msi(REMAPPABLE) == FAULT_IR_RSVD);
        CHECK(f.fault_of_msi(REMAPPABLE | 1 << 5) == FAULT_IR_SID);
        CHECK(f.fault_of_msi(REMAPPABLE | 2 << 5) == FAULT_PID_RSVD);
        for (unsigned index = 0; index < 3; ++index) {
            f.irte(index, 1 | 0x50 << 16);
            CHECK(f.msi(REMAPPABLE | index << 5) == !cm);
        }
    }
}

/* "Capability Register" PI: without posting, IM is reserved. */
TEST(posting_absent)
{
    VtdOptions o;
    o.posting = false;
    IrFixture f(o);
    CHECK(!(f.in64(VTD_CAP) & bit(59)));
    f.irte(0, posted(0x20));
    CHECK(f.fault_of_msi(REMAPPABLE) == FAULT_IR_RSVD);
}

/* "Ordering Requirements for Interrupt Posting": writes before the interrupt are in
 * memory first. */
TEST(interrupts_push_writes)
{
    VtdOptions o;
    o.hold = 1000;
    IrFixture f(o);
    f.irte(0, 1 | 0x50 << 16);
    f.write_to(0x300000, 8);
    CHECK(f.get64(0x300000) == 0);
    f.msi(REMAPPABLE);
    CHECK(f.get64(0x300000) == 8);
}

namespace
{
struct ApicFixture : World {
    std::vector<std::pair<uint64_t, uint32_t>> sent;
    bool accept = true;
    IoApic apic{*this, [this](uint64_t address, uint32_t data) {
                    sent.push_back({address, data});
                    return accept;
                }};
    void rte(unsigned pin, uint64_t value)
    {
        apic.mmio_write(0, 0x11 + 2 * pin);
        apic.mmio_write(0x10, uint32_t(value >> 32));
        apic.mmio_write(0, 0x10 + 2 * pin);
        apic.mmio_write(0x10, uint32_t(value));
    }
    bool rirr(unsigned pin) { return apic.entry(pin) & bit(14); }
};
} /* namespace */

/* "I/OxAPIC Programming": the entry's bits become the message that the unit decodes */
TEST(ioapic_messages)
{
    ApicFixture f;
    f.rte(3, UINT64_C(2) << 56 | 0x31);
    f.apic.set_pin(3, true);
    CHECK(f.sent.size() == 1 && f.sent[0].first == 0xfee02000 && f.sent[0].second == 0x31);
    f.rte(4, UINT64_C(5) << 49 | bit(48) | 0x32); /* remappable, index 5 */
    f.apic.set_pin(4, true);
    CHECK(f.sent[1].first == (REMAPPABLE | 5 << 5));
    CHECK(f.apic.mmio_read(0) == 0x18);
    f.apic.mmio_write(0, 1);
    CHECK(f.apic.mmio_read(0x10) == 0x00170020);
}

/* Remote IRR: a level is sent once, and again after its EOI while the pin is high. */
TEST(ioapic_level)
{
    ApicFixture f;
    f.rte(5, 0x8041);
    f.apic.set_pin(5, true);
    f.apic.set_pin(5, true);
    f.rte(5, 0x8041);
    CHECK(f.sent.size() == 1 && f.rirr(5) && (f.sent[0].second & 0xc000) == 0xc000);
    f.apic.eoi(0x40);
    CHECK(f.sent.size() == 1);
    f.apic.eoi(0x41);
    CHECK(f.sent.size() == 2 && f.rirr(5));
    f.apic.set_pin(5, false);
    f.apic.mmio_write(0x40, 0x41); /* the EOI register */
    CHECK(f.sent.size() == 2 && !f.rirr(5));
}

/* Masking: a level waits, an edge is lost; edge mode clears Remote IRR. */
TEST(ioapic_mask)
{
    ApicFixture f;
    f.rte(5, 0x18041);
    f.apic.set_pin(5, true);
    CHECK(f.sent.empty());
    f.rte(5, 0x8041);
    CHECK(f.sent.size() == 1);
    f.rte(5, 0x10041);
    CHECK(!f.rirr(5));
    f.rte(6, 0x10042);
    f.apic.set_pin(6, true);
    f.rte(6, 0x42);
    CHECK(f.sent.size() == 1);
}
