/* SPDX-License-Identifier: MIT */
/*
 * What software commands: translation, remapping and queue on and off, tables set, memory
 * protected; and the rules that it must keep while it does.
 * From: lab/bochs/plugin/vtd_unit.cc (register writes)      To: vtd_queue.cc (the queue runs)
 * Spec: VT-d "Global Command Register", "Set Root Table Pointer Operation", "Set Interrupt
 * Remapping Table Pointer Operation", "Protected Memory Enable Register"
 */
#include "vtd_unit.h"
#include <algorithm>

namespace lab
{

/* "Software must", where a unit that is asked otherwise may do anything. */
void VtdUnit::gcmd_check(uint32_t value, uint32_t changed)
{
    unsigned asked = unsigned(__builtin_popcount(changed | (value & (G_SRTP | G_SIRTP | G_WBF))));
    if (asked > 1)
        violation(text("several commands in one write value=0x%08x gsts=0x%08x", value, gsts));
    if (value & G_RESERVED)
        violation(text("reserved bits in GCMD value=0x%08x", value));
    if (changed & value & G_TE && !root_is_set && !(value & G_SRTP))
        violation("TE without SRTP before it");
    if (changed & value & G_IRE && !interrupt_table_is_set && !(value & G_SIRTP))
        violation("IRE without SIRTP before it");
    if (value & G_SRTP && gsts & G_TE && ttm_of(rtaddr) != ttm_of(root) && !opt.implicit_flush)
        violation("TTM changed while TES=1");
    if (changed & value & G_QIE && iqt)
        violation("QIE while the tail is not 0");
    if (changed & ~value & G_QIE && (iqh != iqt || !commands.empty()))
        violation("queue disabled while not empty");
}

void VtdUnit::root_table_set()
{
    root = rtaddr;
    gsts |= G_SRTP;
    root_is_set = true;
    table_set_check("root-table", root & ~bits(11, 0), 4096);
    say(text("gcmd root-table=0x%llx", (unsigned long long)root));
    if (opt.implicit_flush) { /* CAP.ESRTPS */
        context_cache.clear();
        iotlb_by_sid.clear();
        iotlb_by_did.clear();
        paging_cache.clear();
        for (auto &item : domains)
            item.second.context_flushed = item.second.iotlb_flushed = true;
        return;
    }
    context_unflushed = iotlb_unflushed = true;
    for (auto it = advised.begin(); it != advised.end();)
        it = it->find(" SRTP") != std::string::npos ? advised.erase(it) : std::next(it);
}

void VtdUnit::interrupt_table_set()
{
    irta = irta_reg;
    gsts |= G_SIRTP;
    interrupt_table_is_set = true;
    table_set_check("interrupt-table", irta & ~bits(11, 0), UINT64_C(32) << field(irta, 3, 0));
    say(text("gcmd interrupt-table=0x%llx", (unsigned long long)irta));
    if (opt.implicit_flush) { /* CAP.ESIRTPS */
        iec.clear();
        return;
    }
    iec_unflushed = true;
    for (auto it = advised.begin(); it != advised.end();)
        it = it->find(" SIRTP") != std::string::npos ? advised.erase(it) : std::next(it);
}

/* TE, QIE, IRE and CFI are levels, SRTP, SIRTP and WBF are one-shot. */
void VtdUnit::write_gcmd(uint32_t value)
{
    uint32_t levels = G_TE | (opt.queue ? G_QIE : 0) | (remaps() ? G_IRE | G_CFI : 0);
    uint32_t changed = (value ^ gsts) & levels;
    gcmd_check(value, changed);
    if (value & G_SRTP)
        root_table_set();
    if ((value & G_SIRTP) && remaps())
        interrupt_table_set();
    if ((value & G_WBF) && opt.write_buffer)
        write_buffer_flush();
    if (changed & value & G_TE) /* "Draining of Requests to Memory": from disabled to enabled */
        drain_all("translation enable");
    gsts ^= changed;
    root_is_set = root_is_set && !(changed & ~value & G_TE);
    interrupt_table_is_set = interrupt_table_is_set && !(changed & ~value & G_IRE);
    if ((changed & ~value & G_IRE) && opt.implicit_flush)
        iec.clear();
    if (changed & (G_TE | G_IRE | G_CFI))
        say(text("gcmd translation=%d remapping=%d compatibility=%d", !!(gsts & G_TE),
                 !!(gsts & G_IRE), !!(gsts & G_CFI)));
    if (changed & G_QIE) {
        iqh = 0;
        queue_run();
    }
    if (!(gsts & (G_TE | G_IRE)))
        record_next = 0; /* "Primary Fault Logging": the index is reset when both are off */
}

/* "Interrupt Remapping Table Address Register": "Software must not modify [EIME] while Interrupt
 * remapping is active". Here the bit stays as it was, so the entries are read as before. */
void VtdUnit::write_irta(unsigned offset, uint32_t value)
{
    if (offset == VTD_IRTA && (gsts & G_IRE) && ((value ^ irta_reg) & IRTA_EIME)) {
        violation("EIME changed while IRES=1");
        value ^= uint32_t(IRTA_EIME);
    }
    uint64_t writable = bits(opt.haw - 1, 12) | (opt.x2apic ? IRTA_EIME : 0) | bits(3, 0);
    set_half(irta_reg, offset, value, writable);
}

/* "Write Buffer Flushing": a table is handed to the unit; has it reached memory? A unit that is
 * already on could walk it at once. */
void VtdUnit::table_set_check(const char *table, uint64_t first, uint64_t size)
{
    for (uint64_t line = first; line < first + size; line += 64)
        if (buffered_lines.count(line))
            return advise(text("%s advice hpa=0x%llx still in the write buffer", table,
                               (unsigned long long)line));
}

/* "Protected Memory Range Registers": "must not be updated when protected memory regions are
 * enabled". Here such a write is ignored. */
void VtdUnit::write_protected(unsigned offset, uint32_t value)
{
    if (!opt.protected_memory)
        return;
    if (offset == VTD_PMEN) {
        if (pmen_due != NEVER)
            violation("PMEN written before PRS has followed");
        pmen = (pmen & ~PMEN_EPM) | (value & PMEN_EPM);
        pmen_due = host.now() + opt.slow;
        return protected_settle();
    }
    if (pmen & PMEN_PRS)
        return violation("a protected region changed while PRS=1");
    const uint64_t low = bits(31, 0) & ~(PMR_GRAIN - 1);
    const uint64_t high = bits(opt.haw - 1, 0) & ~(PMR_GRAIN - 1);
    if (offset == VTD_PLMBASE || offset == VTD_PLMLIMIT)
        set_half(plm[offset == VTD_PLMLIMIT], 0, value, low);
    else
        set_half(phm[offset >= VTD_PHMLIMIT], offset, value, high);
}

/* PRS says when EPM has taken effect; by then what was translated before is in memory. */
void VtdUnit::protected_settle()
{
    if (pmen_due > host.now())
        return;
    pmen_due = NEVER;
    pmen = pmen & PMEN_EPM ? pmen | PMEN_PRS : pmen & ~PMEN_PRS;
    say(text("protected memory=%d low=0x%llx-0x%llx high=0x%llx-0x%llx", !!(pmen & PMEN_PRS),
             (unsigned long long)plm[0], (unsigned long long)(plm[1] | (PMR_GRAIN - 1)),
             (unsigned long long)phm[0], (unsigned long long)(phm[1] | (PMR_GRAIN - 1))));
    if (!(pmen & PMEN_PRS))
        return;
    drain_all("protected memory");
    if (is_protected(MMIO_FIRST, MMIO_SIZE))
        violation("a protected region overlaps MMIO");
}

/* Limits include their last grain; a limit below its base is no region. */
bool VtdUnit::is_protected(uint64_t hpa, size_t n) const
{
    if (!(pmen & PMEN_PRS) || !n)
        return false;
    for (const uint64_t *region : {plm, phm})
        if (region[1] >= region[0] && hpa + n > region[0] && hpa <= (region[1] | (PMR_GRAIN - 1)))
            return true;
    return false;
}

} /* namespace lab */
