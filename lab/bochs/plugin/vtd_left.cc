/* SPDX-License-Identifier: MIT */
/*
 * What a firmware leaves behind that has used the unit itself: tables in its own memory, that let
 * each device of bus 0 reach everything and let each interrupt pass; the queue in the middle; the
 * caches full. An operating system that takes over without a flush uses them.
 * From: lab/bochs/plugin/machine.cc (reset)      To: vtd_walk.cc, vtd_intr.cc (the same caches)
 * Spec: VT-d "Set Root Table Pointer Operation", "Protected Memory Enable Register"
 */
#include "vtd_unit.h"

namespace lab
{

static constexpr uint16_t FIRMWARE_DID = 1;
static constexpr uint64_t IRTE_ANYONE_TO_0X7F = bit(0) | UINT64_C(0x7f) << 16;
static constexpr uint64_t KNOWN_PAGES[] = {0, 0x1000, 0x345000}; /* translated before */

void VtdUnit::left_on(unsigned what, uint64_t at)
{
    const uint64_t root_table = at, context_table = at + 0x1000, queue = at + 0x2000,
                   table = at + 0x3000;
    auto put = [this](uint64_t hpa, uint64_t lo, uint64_t hi) {
        const uint64_t words[] = {lo, hi};
        host.write(hpa, words, sizeof(words));
        line_written_back(hpa);
    };
    const uint64_t widest = opt.width == 57 ? 3 : opt.width == 48 ? 2 : 1;
    for (unsigned i = 0; i < 256; ++i) {
        put(root_table + 16 * i, i ? 0 : context_table | 1, 0);
        put(context_table + 16 * i, 1 | 2 << 2, widest | FIRMWARE_DID << 8); /* pass-through */
        put(table + 16 * i, IRTE_ANYONE_TO_0X7F, 0);
    }
    if (what & LEFT_TE) {
        root = rtaddr = root_table;
        root_is_set = true;
        gsts |= G_TE | G_SRTP;
        for (uint16_t sid = 0; sid < 256; ++sid)
            for (uint64_t page : KNOWN_PAGES)
                iotlb_lookup(sid, page, 1, true);
    }
    if (what & LEFT_IR) {
        irta = irta_reg = table | 7;
        interrupt_table_is_set = true;
        gsts |= G_IRE | G_SIRTP | G_CFI;
        Entry128 irte;
        for (unsigned index = 0; index < 256; ++index)
            irte_lookup(0, index, irte);
    }
    if (what & LEFT_QI) {
        iqa = queue;
        iqh = iqt = 0x40;
        gsts |= G_QIE;
    }
    if (what & LEFT_PMR) { /* all below the tables */
        plm[1] = (at - PMR_GRAIN) & ~(PMR_GRAIN - 1);
        pmen = PMEN_EPM | PMEN_PRS;
    }
    say(text("left on by firmware: 0x%x", what));
}

} /* namespace lab */
