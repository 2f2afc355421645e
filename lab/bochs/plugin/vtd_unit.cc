/* SPDX-License-Identifier: MIT */
/*
 * The registers of the unit, and how it sees a table in memory.
 * From: lab/bochs/plugin/vtd_unit.h
 * To: vtd_command.cc (GCMD, protected memory), vtd_fault.cc, vtd_queue.cc (invalidation)
 * Spec: VT-d "Register Descriptions", "Page-walk Coherency"
 */
#include "vtd_unit.h"
#include <algorithm>
#include <cstring>

namespace lab
{

VtdUnit::VtdUnit(Host &host_, const VtdOptions &options, std::string name_)
    : host(host_), opt(options), name(std::move(name_)), records(options.records)
{
}

void VtdUnit::say(const std::string &line) { host.trace(name + " " + line); }

/* Nothing went wrong here, but the specification does not promise it. Said once. */
void VtdUnit::advise(const std::string &line)
{
    if (advised.insert(line).second)
        say(line);
}

/* Software broke a rule. Said once for each rule. */
void VtdUnit::violation(const std::string &rule)
{
    if (violated.insert(rule).second)
        say("violation " + rule);
}

/* "Capability Register" */
uint64_t VtdUnit::cap() const
{
    uint64_t sagaw = bit((opt.width - 30) / 9);
    if (!opt.only_width && opt.width != 57)
        sagaw |= bit(SAGAW_39);
    uint64_t value = uint64_t((opt.domain_bits - 4) / 2) << CAP_ND;
    value |= uint64_t(opt.write_buffer) << CAP_RWBF;
    value |= uint64_t(opt.protected_memory) << CAP_PLMR | uint64_t(opt.protected_memory)
                                                              << CAP_PHMR;
    value |= uint64_t(opt.caching_mode) << CAP_CM;
    value |= sagaw << CAP_SAGAW;
    value |= uint64_t(opt.width - 1) << CAP_MGAW;
    value |= uint64_t(opt.zero_length_read) << CAP_ZLR;
    value |= uint64_t(VTD_FRCD / 16) << CAP_FRO;
    value |= ((bit(opt.large_pages) - 1) & 3) << CAP_SSLPS;
    value |= uint64_t(opt.page_selective) << CAP_PSI;
    value |= uint64_t(opt.records - 1) << CAP_NFR;
    value |= uint64_t(opt.page_selective ? 18 : 0) << CAP_MAMV;
    value |= bit(CAP_DWD) | bit(CAP_DRD);
    value |= uint64_t(opt.posting && remaps()) << CAP_PI;
    value |= uint64_t(opt.implicit_flush) << CAP_ESRTPS;
    value |= uint64_t(opt.implicit_flush) << CAP_ESIRTPS;
    return value;
}

/* "Extended Capability Register" */
uint64_t VtdUnit::ecap() const
{
    bool remap = remaps();
    uint64_t value = uint64_t(opt.coherent) << ECAP_C;
    value |= uint64_t(opt.queue) << ECAP_QI;
    value |= uint64_t(opt.device_tlb && opt.queue) << ECAP_DT;
    value |= uint64_t(remap) << ECAP_IR;
    value |= uint64_t(opt.x2apic && remap) << ECAP_EIM;
    value |= uint64_t(opt.pass_through) << ECAP_PT;
    value |= uint64_t(opt.snoop_control) << ECAP_SC;
    value |= uint64_t(VTD_IVA / 16) << ECAP_IRO;
    value |= uint64_t(remap ? opt.index_mask : 0) << ECAP_MHMV;
    value |= uint64_t(opt.abort_mode) << ECAP_ADMS;
    value |= uint64_t(opt.x2apic_required && opt.x2apic && remap) << ECAP_EIMER;
    value |= uint64_t(opt.remap_required && remap) << ECAP_IRREQ;
    return value;
}

/* Registers of 64 bits, which software may read by halves. */
const std::map<unsigned, uint64_t VtdUnit::*> VtdUnit::registers64 = {
    {VTD_RTADDR, &VtdUnit::rtaddr}, {VTD_CCMD, &VtdUnit::ccmd},
    {VTD_IQH, &VtdUnit::iqh},       {VTD_IQT, &VtdUnit::iqt},
    {VTD_IQA, &VtdUnit::iqa},       {VTD_IQERCD, &VtdUnit::iqercd},
    {VTD_IRTA, &VtdUnit::irta_reg}, {VTD_IOTLB, &VtdUnit::iotlb_reg},
};
const std::map<unsigned, uint32_t VtdUnit::*> VtdUnit::registers32 = {
    {VTD_GSTS, &VtdUnit::gsts},
    {VTD_ICS, &VtdUnit::ics},
    {VTD_PMEN, &VtdUnit::pmen},
};

/* The four registers of an event lie one behind the other. */
uint32_t VtdUnit::read_event(const Event &event, unsigned index)
{
    const uint32_t words[] = {event.control, event.data, event.address, event.upper};
    return words[index];
}

static uint32_t half_of(uint64_t reg, unsigned offset)
{
    return uint32_t(offset & 4 ? reg >> 32 : reg);
}

uint32_t VtdUnit::read32(unsigned offset)
{
    if (offset >= VTD_FRCD && offset < VTD_FRCD + 16 * opt.records) {
        const Record &record = records[(offset - VTD_FRCD) / 16];
        return half_of(offset & 8 ? record.hi : record.lo, offset);
    }
    if (offset >= VTD_FECTL && offset <= VTD_FEUADDR)
        return read_event(fault_event, (offset - VTD_FECTL) / 4);
    if (offset == VTD_IECTL && !opt.queue)
        return 0;
    if (offset >= VTD_IECTL && offset <= VTD_IEUADDR)
        return read_event(inv_event, (offset - VTD_IECTL) / 4);
    auto small = registers32.find(offset);
    if (small != registers32.end())
        return this->*small->second;
    auto wide = registers64.find(offset & ~7u);
    if (wide != registers64.end())
        return half_of(this->*wide->second, offset);
    switch (offset) {
    case VTD_VER:
        return opt.version << 4;
    case VTD_FSTS:
        return fsts();
    case VTD_PLMBASE:
    case VTD_PLMLIMIT:
        return uint32_t(plm[offset == VTD_PLMLIMIT]);
    case VTD_PHMBASE:
    case VTD_PHMBASE + 4:
        return half_of(phm[0], offset);
    case VTD_PHMLIMIT:
    case VTD_PHMLIMIT + 4:
        return half_of(phm[1], offset);
    case VTD_CAP:
    case VTD_CAP + 4:
        return half_of(cap(), offset);
    case VTD_ECAP:
    case VTD_ECAP + 4:
        return half_of(ecap(), offset);
    }
    return 0;
}

uint64_t VtdUnit::mmio_read(unsigned offset, unsigned size)
{
    tick();
    if ((size != 4 && size != 8) || offset % size || offset + size > VTD_SIZE) {
        violation(text("mmio bad read offset=0x%x size=%u", offset, size));
        return ~UINT64_C(0);
    }
    uint64_t value = read32(offset);
    if (size == 8)
        value |= uint64_t(read32(offset + 4)) << 32;
    return value;
}

void VtdUnit::mmio_write(unsigned offset, uint64_t value, unsigned size)
{
    tick();
    if ((size != 4 && size != 8) || offset % size || offset + size > VTD_SIZE) {
        violation(text("mmio bad write offset=0x%x size=%u", offset, size));
        return;
    }
    write32(offset, uint32_t(value)); /* low half first: the high half holds the "go" bits */
    if (size == 8)
        write32(offset + 4, uint32_t(value >> 32));
}

/* The registers of the queue, which a unit without one has not. */
void VtdUnit::write_queue(unsigned offset, uint32_t value)
{
    if (!opt.queue)
        return;
    if ((offset & ~7u) == VTD_IQA) {
        if ((gsts & G_QIE) && iqh != iqt)
            violation("IQA changed while the queue is not empty");
        return set_half(iqa, offset, value, bits(opt.haw - 1, 12) | bit(11) | bits(2, 0));
    }
    set_half(iqt, offset, value, bits(18, 4));
    if (offset == VTD_IQT)
        queue_run();
}

/* list */
void VtdUnit::write32(unsigned offset, uint32_t value)
{
    if (offset >= VTD_FRCD && offset < VTD_FRCD + 16 * opt.records) {
        if ((offset & 15) == 12)
            write_record((offset - VTD_FRCD) / 16, value);
        return;
    }
    if (offset >= VTD_PMEN && offset < VTD_PHMLIMIT + 8)
        return write_protected(offset, value);
    switch (offset & ~7u) {
    case VTD_RTADDR:
        return set_half(rtaddr, offset, value, bits(opt.haw - 1, 10));
    case VTD_CCMD:
        if (ccmd & bit(63))
            return violation("CCMD written while ICC=1");
        set_half(ccmd, offset, value, ~bits(60, 59));
        if ((offset & 4) && (value & bit(31)))
            ccmd_start();
        return;
    case VTD_IVA:
        return set_half(iva, offset, value, ~UINT64_C(0));
    case VTD_IOTLB:
        if (iotlb_reg & bit(63))
            return violation("IOTLB written while IVT=1");
        set_half(iotlb_reg, offset, value, ~bits(58, 57));
        if ((offset & 4) && (value & bit(31)))
            iotlb_start();
        return;
    case VTD_IQT:
    case VTD_IQA:
        return write_queue(offset, value);
    case VTD_IRTA:
        return remaps() ? write_irta(offset, value) : void();
    }
    if (offset == VTD_GCMD)
        write_gcmd(value);
    else if (offset == VTD_FSTS)
        write_fsts(value);
    else if (offset >= VTD_FECTL && offset <= VTD_FEUADDR)
        write_event(fault_event, (offset - VTD_FECTL) / 4, value, any_fault_status());
    else if (opt.queue && offset >= VTD_IECTL && offset <= VTD_IEUADDR)
        write_event(inv_event, (offset - VTD_IECTL) / 4, value, ics & 1);
    else if (offset == VTD_ICS && (value & 1)) {
        ics = 0;
        inv_event.control &= ~EV_IP;
    }
}

/* "Page-walk Coherency". snoop: what memory and caches say now; else what this unit can see
 * of it. */
bool VtdUnit::table_read(uint64_t hpa, void *to, size_t n, bool snoop)
{
    if (hpa >> opt.haw)
        return false;
    if (snoop || opt.coherent)
        return host.read(hpa, to, n);
    uint64_t line = hpa & ~bits(5, 0); /* an entry is aligned and never crosses a line */
    auto seen = seen_lines.find(line);
    if (seen == seen_lines.end()) {
        Line bytes;
        if (!host.read(line, bytes.data(), bytes.size()))
            return false;
        seen = seen_lines.emplace(line, bytes).first;
        if (!all_clean && clean_lines.insert(line).second)
            say(text("line stale hpa=0x%llx never written back", (unsigned long long)line));
    }
    memcpy(to, seen->second.data() + (hpa - line), n);
    return true;
}

bool VtdUnit::fetch(uint64_t hpa, Entry128 &entry, bool snoop)
{
    uint64_t words[2];
    if (!table_read(hpa, words, sizeof(words), snoop))
        return false;
    entry.lo = words[0];
    entry.hi = words[1];
    return true;
}

void VtdUnit::line_written_back(uint64_t address)
{
    if (address == ~UINT64_C(0)) {
        seen_lines.clear();
        all_clean = rtaddr || irta_reg; /* firmware's, before there was any table, proves nothing */
        return;
    }
    uint64_t line = address & ~bits(5, 0);
    Line bytes;
    clean_lines.insert(line);
    if (opt.write_buffer)
        buffered_lines.insert(line);
    if (!host.read(line, bytes.data(), bytes.size()))
        return;
    auto seen = seen_lines.find(line);
    Line before = seen == seen_lines.end() ? bytes : seen->second;
    seen_lines[line] = bytes;
    if (before != bytes)
        tell_written(line, before, bytes);
}

/* A reproducible die: the same run gives the same throws. */
bool VtdUnit::chance(unsigned percent)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % 100 < percent;
}

void VtdUnit::tick()
{
    uint64_t now = host.now();
    while (!commands.empty() && commands.front().due <= now) {
        Command command = commands.front();
        commands.pop_front();
        command_finish(command);
    }
    release([now](const HeldWrite &write) { return write.due <= now; });
    protected_settle();
    repeat_due();
}

uint64_t VtdUnit::next_due() const
{
    uint64_t due = pmen_due;
    if (!commands.empty())
        due = std::min(due, commands.front().due);
    if (!held.empty())
        due = std::min(due, held.front().due);
    if (!repeats.empty())
        due = std::min(due, repeats.front().due);
    return due;
}

} /* namespace lab */
