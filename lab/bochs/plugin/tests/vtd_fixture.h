/* SPDX-License-Identifier: MIT */
/*
 * A unit with one device, 00:04.0 in domain 1, and helpers that lay tables in memory the long way.
 * From: -      To: test_vtd_dma.cc, test_vtd_queue.cc, test_vtd_intr.cc
 */
#pragma once
#include "../vtd_unit.h"
#include "harness.h"

constexpr uint16_t SID = 0x0020;
constexpr uint64_t ROOT = 0x1000, CONTEXT = 0x2000, L4 = 0x3000, L3 = 0x4000, L2 = 0x5000,
                   L1 = 0x6000, QUEUE = 0x8000, IRT = 0x9000, PID = 0xa000, DATA = 0x100000;

struct Fixture : World {
    lab::VtdOptions options;
    lab::VtdUnit unit;

    static lab::VtdOptions plain() { return {}; }
    explicit Fixture(const lab::VtdOptions &o = plain()) : options(o), unit(*this, o, "unit") {}

    /* as a driver writes a table: store, then CLFLUSH */
    void set64(uint64_t hpa, uint64_t value)
    {
        World::set64(hpa, value);
        unit.line_written_back(hpa);
    }
    uint32_t in(unsigned offset) { return uint32_t(unit.mmio_read(offset, 4)); }
    uint64_t in64(unsigned offset) { return unit.mmio_read(offset, 8); }
    void out(unsigned offset, uint32_t value) { unit.mmio_write(offset, value, 4); }
    void out64(unsigned offset, uint64_t value) { unit.mmio_write(offset, value, 8); }
    void command(uint32_t bit, bool on = true)
    {
        uint32_t status = in(lab::VTD_GSTS)&0x96ffffff;
        out(lab::VTD_GCMD, on ? status | bit : status & ~bit);
    }

    void context(uint64_t lo, uint64_t hi, uint16_t sid = SID)
    {
        set64(CONTEXT + 16 * (sid & 0xff) + 8, hi);
        set64(CONTEXT + 16 * (sid & 0xff), lo);
    }
    void map(uint64_t page, uint64_t entry) { set64(L1 + 8 * page, entry); }
    /* four levels down to a table of 4-KiB pages at iova 0; page n at DATA + n */
    void tables()
    {
        set64(ROOT, CONTEXT | 1);
        context(L4 | 1, 2 | 1 << 8);
        set64(L4, L3 | 3);
        set64(L3, L2 | 3);
        set64(L2, L1 | 3);
        for (uint64_t page = 0; page < 8; ++page)
            map(page, (DATA + 4096 * page) | 3);
    }
    void enable()
    {
        tables();
        out64(lab::VTD_RTADDR, ROOT);
        command(lab::G_SRTP);
        flush_by_register();
        command(lab::G_TE);
    }
    bool write_to(uint64_t iova, uint32_t value = 1, uint16_t sid = SID)
    {
        return unit.dma(sid, iova, &value, sizeof(value), true);
    }
    bool read_from(uint64_t iova, uint16_t sid = SID)
    {
        uint32_t value;
        return unit.dma(sid, iova, &value, sizeof(value), false);
    }
    uint8_t reason(unsigned record = 0)
    {
        return uint8_t(in64(lab::VTD_FRCD + 16 * record + 8) >> 32);
    }
    /* reason of the fault that one access raises; the log is cleared before */
    uint8_t fault_of(uint64_t iova, bool is_write, uint16_t sid = SID)
    {
        clear_log();
        if (is_write ? write_to(iova, 1, sid) : read_from(iova, sid))
            return 0;
        unsigned first = in(lab::VTD_FSTS) >> 8 & 0xff;
        return in(lab::VTD_FSTS)&lab::FSTS_PPF ? reason(first) : 0xff;
    }
    void clear_log()
    {
        for (unsigned i = 0; i < options.records; ++i)
            out(lab::VTD_FRCD + 16 * i + 12, 1u << 31);
        out(lab::VTD_FSTS, 0x71);
    }
    void flush_by_register()
    {
        out64(lab::VTD_CCMD, UINT64_C(1) << 63 | UINT64_C(1) << 61);
        out64(lab::VTD_IOTLB, UINT64_C(1) << 63 | UINT64_C(1) << 60);
    }
    unsigned tail = 0;
    void queue_enable()
    {
        out64(lab::VTD_IQT, 0);
        out64(lab::VTD_IQA, QUEUE);
        command(lab::G_QIE);
        tail = 0;
    }
    void submit(uint64_t lo, uint64_t hi)
    {
        set64(QUEUE + tail, lo);
        set64(QUEUE + tail + 8, hi);
        tail = (tail + 16) % 4096;
        out64(lab::VTD_IQT, tail);
    }
};
