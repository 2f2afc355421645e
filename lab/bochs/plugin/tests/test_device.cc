/* SPDX-License-Identifier: MIT */
/*
 * The lab device: config space, interrupts, DMA, resets, trouble.
 * From: lab/bochs/plugin/tests/main.cc      To: lab/bochs/plugin/device.cc
 */
#include "../device.h"
#include "harness.h"

using namespace lab;

namespace
{
struct Slot : World, Bus {
    std::vector<std::pair<uint64_t, uint32_t>> msi;
    std::vector<uint16_t> requesters;
    bool line = false, open = true;
    LabDevice device;
    SmallFunction small{*this, *this, 0x11};

    explicit Slot(const Trouble &t = {}) : device(*this, *this, 0x10, t)
    {
        device.config_write(4, 6, 2);
        device.config_write(0x10, 0xc0000000, 4);
    }
    bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write) override
    {
        requesters.push_back(sid);
        if (address >> 20 == 0xfee) {
            uint32_t data;
            memcpy(&data, buffer, 4);
            msi.push_back({address, data});
            return true;
        }
        return open && (is_write ? write(address, buffer, n) : read(address, buffer, n));
    }
    void completion(uint16_t) override {}
    void intx(uint16_t, Line, bool level) override { line = level; }
    void bars_changed() override {}

    uint64_t in(unsigned offset, unsigned size = 4) { return device.cpu_read(0, offset, size); }
    void out(unsigned offset, uint64_t value, unsigned size = 4)
    {
        device.cpu_write(0, offset, value, size);
    }
    void run(uint64_t ticks)
    {
        clock += ticks;
        device.tick();
    }
    void copy(uint64_t source, uint64_t target, uint64_t count, uint64_t command)
    {
        out(0x80, source, 8);
        out(0x88, target, 8);
        out(0x90, count, 8);
        out(0x98, command, 8);
    }
    void enable_msix()
    {
        for (unsigned v = 0; v < 4; ++v) {
            device.bar_write(2, 16 * v, 0xfee00000 | v << 12, 8);
            device.bar_write(2, 16 * v + 8, 0x40 + v, 8);
        }
        device.config_write(0x62, 0x8000, 2);
    }
};
} /* namespace */

/* QEMU "EDU device" */
TEST(edu_registers)
{
    Slot s;
    CHECK(s.in(0) == 0x010000ed);
    s.out(4, 0x12345678);
    CHECK(s.in(4) == 0xedcba987);
    s.out(8, 6);
    CHECK(s.in(8) == 720);
    CHECK(s.in(8, 1) == 0xff);
    s.out(0x60, 1);
    CHECK(s.in(0x24) == 1 && s.line);
    s.out(0x64, 1);
    CHECK(s.in(0x24) == 0 && !s.line);
}

TEST(edu_dma)
{
    Slot s;
    s.set64(0x5000, 0x1122334455667788);
    s.copy(0x5000, 0x40010, 8, 1);
    CHECK(s.in(0x98) & 1);
    s.run(1000);
    CHECK(!(s.in(0x98) & 1) && s.in(0x40010, 8) == 0x1122334455667788);
    s.copy(0x40010, 0x6000, 8, 1 | 2 | 4);
    s.run(1000);
    CHECK(s.get64(0x6000) == 0x1122334455667788 && s.in(0x24) == 0x100 && s.line);
    s.copy(0x40ff8, 0x6000, 16, 3); /* beyond the buffer */
    s.run(1000);
    CHECK(s.in(0x114) == 1);
}

/* "Bus Master Enable": the device that some are, and the one that it should be */
TEST(a_device_that_ignores_bus_master)
{
    Trouble t;
    for (bool ignores : {false, true}) {
        t.ignores_master = ignores;
        Slot s(t);
        s.device.config_write(4, 2, 2);
        s.copy(0x5000, 0x40000, 8, 1);
        s.run(1000);
        CHECK(s.requesters.empty() != ignores);
    }
}

/* PCI Express "Function Level Reset (FLR)": a device may need longer than 100 ms. */
TEST(a_device_that_is_slow_after_a_reset)
{
    Trouble t;
    t.ready = 1000;
    Slot s(t);
    CHECK(s.in(0) == 0x010000ed);
    s.device.config_write(0x88, 0x8000, 2);
    CHECK(s.device.config_read(0, 4) == 0xffffffff);
    s.device.config_write(4, 6, 2); /* lost */
    s.clock += 1000;
    CHECK(s.device.config_read(0, 4) == 0x11e81234 && s.device.config_read(4, 2) == 0);
}

/* A driver resets its device by the device's own register: everything is as at power-on, and no
 * configuration cycle has said so. */
TEST(reset_by_its_own_register)
{
    Slot s;
    s.enable_msix();
    s.device.config_write(0x18, 0xc0200000, 4);
    s.out(0x118, 2);
    CHECK(s.msi.size() == 1);
    s.out(0x228, 1);
    CHECK(s.device.bar_base(0) == NEVER && s.device.config_read(0x10, 4) == 0);
    CHECK(s.device.config_read(4, 2) == 0 && s.device.config_read(0x62, 2) == 3);
    s.device.config_write(4, 6, 2);
    CHECK(s.device.bar_read(2, 0x20, 8) == 0 && s.device.bar_read(2, 0x2c, 4) == 1);
    CHECK(s.traced("reset by its register") == 1);
}

/* PCI "Configuration Space": sizing, read-only bits, Bus Master Enable */
TEST(config_space)
{
    Slot s;
    CHECK(s.device.config_read(0, 4) == 0x11e81234);
    s.device.config_write(0, 0, 4);
    CHECK(s.device.config_read(0, 4) == 0x11e81234);
    const struct {
        unsigned offset;
        uint32_t sized;
    } rows[] = {
        {0x10, 0xfff00000}, {0x14, 0xffffffe1}, {0x18, 0xffffe000}, {0x1c, 0}, {0x30, 0xfffff001}};
    for (const auto &row : rows) {
        s.device.config_write(row.offset, 0xffffffff, 4);
        CHECK(s.device.config_read(row.offset, 4) == row.sized);
    }
    s.device.config_write(0x10, 0xd0000000, 4);
    CHECK(s.device.bar_base(0) == 0xd0000000);
    s.device.config_write(4, 4, 2);
    CHECK(s.device.bar_base(0) == NEVER);
    s.device.config_write(4, 2, 2);
    s.copy(0x5000, 0x40000, 8, 1);
    s.run(1000);
    CHECK(s.requesters.empty() && s.in(0x114) == 1);
}

/* A header that lies is sized as it is, placed as it says, and keeps its place. */
TEST(claims)
{
    Trouble t;
    t.claims = CLAIM_OVER_BAR_0;
    Slot s(t);
    s.device.config_write(0x18, 0xffffffff, 4);
    CHECK(s.device.config_read(0x18, 4) == 0xffffe000);
    s.device.config_write(0x18, 0xd0000000, 4);
    CHECK(s.device.config_read(0x18, 4) == 0xc0000000);
    s.device.config_write(0x18, 0xffffffff, 4);
    s.device.config_write(0x18, 0xc0000000, 4);
    CHECK(s.device.bar_base(2) == 0xd0000000);
    t.claims = CLAIM_4_GIB;
    Slot large(t);
    large.device.config_write(0x20, 0xffffffff, 4);
    large.device.config_write(0x24, 0xffffffff, 4);
    CHECK(large.device.config_read(0x20, 4) == 0xc &&
          large.device.config_read(0x24, 4) == 0xffffffff);
}

/* "MSI Capability Structure": as many messages as were asked for, the low bits of the
 * data are theirs */
TEST(msi_of_32_messages)
{
    Trouble t;
    t.messages = 32;
    Slot s(t);
    s.device.config_write(4, 6, 2);
    CHECK(s.device.config_read(0x42, 2) == 0x018a);
    s.device.config_write(0x44, 0xfee00000, 4);
    s.device.config_write(0x4c, 0x60, 2);
    s.device.config_write(0x42, 0x0051, 2);
    s.out(0x118, 31);
    CHECK(s.msi.size() == 1 && s.msi[0].second == 0x7f);
    s.device.config_write(0x42, 0x0021, 2);
    s.out(0x118, 31);
    CHECK(s.msi.size() == 2 && s.msi[1].second == 0x63);
}

/* "MSI-X": masked messages wait in the PBA; the table shares its page with registers that live */
TEST(msix)
{
    Slot s;
    s.device.config_write(4, 6, 2);
    s.device.bar_write(2, 0x800, 0x55, 4);
    CHECK(s.device.bar_read(2, 0x800, 4) == 0x55 && s.device.bar_read(2, 0x804, 4) == 0xffffffaa);
    s.enable_msix();
    s.out(0x60, 2);
    CHECK(s.msi.size() == 1 && s.msi[0].first == 0xfee01000 && s.msi[0].second == 0x41 && !s.line);
    s.device.bar_write(2, 16 * 3 + 12, 1, 4);
    s.out(0x60, 8);
    CHECK(s.msi.size() == 1 && s.device.bar_read(2, 0x1000, 8) == 8);
    s.device.bar_write(2, 16 * 3 + 12, 0, 4);
    CHECK(s.msi.size() == 2 && s.device.bar_read(2, 0x1000, 8) == 0);
    s.device.config_write(0x62, 0xc000, 2); /* Function Mask */
    s.out(0x60, 1);
    CHECK(s.msi.size() == 2);
    s.device.config_write(0x62, 0x8000, 2);
    CHECK(s.msi.size() == 3);
}

/* "Message Signaled Interrupts": Multiple Message Enable, per-vector mask and pending bits */
TEST(msi)
{
    Slot s;
    s.device.config_write(0x44, 0xfee00000, 4);
    s.device.config_write(0x4c, 0x50, 2);
    s.device.config_write(0x42, 0x0021, 2); /* four messages */
    s.out(0x60, 4);
    CHECK(s.msi.size() == 1 && s.msi[0].second == 0x52);
    s.device.config_write(0x50, 4, 4);
    s.out(0x60, 4);
    CHECK(s.msi.size() == 1 && s.device.config_read(0x54, 4) == 4);
    s.device.config_write(0x50, 0, 4);
    CHECK(s.msi.size() == 2 && s.device.config_read(0x54, 4) == 0);
}

/* "Configuration Space" Interrupt Disable, Interrupt Status */
TEST(intx_disable)
{
    Slot s;
    s.out(0x60, 1);
    CHECK(s.line && (s.device.config_read(6, 2) & 8));
    s.device.config_write(4, 0x406, 2);
    CHECK(!s.line && (s.device.config_read(6, 2) & 8));
    s.device.config_write(4, 6, 2);
    CHECK(s.line);
}

/* "Function Level Reset", D3hot without No_Soft_Reset, the AF capability: all the same
 * to registers */
TEST(resets)
{
    for (unsigned way = 0; way < 2; ++way) {
        Slot s;
        s.enable_msix();
        s.out(4, 5);
        s.copy(0x5000, 0x40000, 8, 1);
        if (way == 0) {
            s.device.config_write(0x88, 0x8000, 2);
        } else {
            s.device.config_write(0x74, 3, 2);
            CHECK(s.device.bar_base(0) == NEVER);
            s.device.config_write(0x74, 0, 2);
        }
        CHECK(s.device.config_read(4, 2) == 0 && s.device.config_read(0x10, 4) == 0);
        CHECK(s.device.config_read(0x62, 2) == 3 && s.in(4) == 0xffffffff);
        s.run(1000);
        CHECK(s.requesters.empty());
    }
    Slot s;
    s.small.bar_write(0, 8, 7, 4);
    s.small.config_write(0x54, 1, 1);
    CHECK(s.small.bar_read(0, 8, 4) == 0);
}

TEST(queue)
{
    Slot s;
    s.enable_msix();
    s.out(0x100, 0x10000, 8);
    s.out(0x108, 4);
    for (unsigned i = 0; i < 3; ++i) {
        s.set64(0x10000 + 32 * i, i ? 0x40000 : 0x5000);
        s.set64(0x10000 + 32 * i + 8, i ? 0x6000 + 16 * i : 0x40000);
        s.set64(0x10000 + 32 * i + 16, UINT64_C(8) | uint64_t(i ? 2 | 4 : 0) << 32);
    }
    s.set64(0x5000, 77);
    s.out(0x110, 3);
    s.run(1000);
    CHECK(s.get64(0x6010) == 77 && s.get64(0x6020) == 77 && s.in(0x10c) == 3);
    CHECK(s.get64(0x10000 + 24) == 1 && s.msi.size() == 2 && s.msi[0].second == 0x42);
}

/* The knobs */
TEST(trouble)
{
    Slot s;
    s.enable_msix();
    s.out(0x204, 4); /* pieces of four bytes */
    s.copy(0x5000, 0x40000, 16, 1);
    for (unsigned i = 0; i < 4; ++i)
        s.run(200);
    CHECK(s.requesters.size() == 4 && !(s.in(0x98) & 1));
    s.out(0x208, 0x80000123);
    s.copy(0x5000, 0x40000, 4, 1);
    s.run(1000);
    CHECK(s.requesters.back() == 0x123);
    s.out(0x210, 0x20, 8);
    s.out(0x218, 0x100);
    s.out(0x60, 1);
    CHECK(s.msi.back().first == 0xfee00020 && s.msi.back().second == 0x140);
    s.out(0x21c, 100);
    size_t before = s.msi.size();
    for (unsigned i = 0; i < 10; ++i)
        s.run(100);
    CHECK(s.msi.size() == before + 10);
    s.out(0x224, 1);
    CHECK(s.device.config_read(0x81, 1) == 0x40);
    s.out(0x220, 1);
    CHECK(s.in(0) == 0xffffffff && s.device.config_read(0, 4) == 0xffffffff);
}

/* "Expansion ROM" header: signature, pointer to the PCI data structure */
TEST(option_rom)
{
    Slot s;
    s.device.config_write(0x30, 0xc0200001, 4);
    CHECK(s.device.bar_base(PciFunction::ROM_BAR) == 0xc0200000);
    CHECK(s.device.bar_read(6, 0, 2) == 0xaa55);
    CHECK(s.device.bar_read(6, s.device.bar_read(6, 0x18, 2), 4) == 0x52494350);
}
