/* SPDX-License-Identifier: MIT */
/*
 * The registers of the unit, its fault log and its two events.
 * From: lab/bochs/plugin/vtd_unit.h      To: vtd_queue.cc (commands), vtd_walk.cc (requests)
 * Spec: VT-d "Register Descriptions", "Non-Recoverable Fault Reporting", "Non-Recoverable Fault
 * Event"
 */
#include "vtd_unit.h"
#include <cstring>

namespace lab
{

VtdUnit::VtdUnit(Host &host_, const VtdOptions &options, std::string name_)
    : host(host_), opt(options), name(std::move(name_)), records(options.records)
{
}

void VtdUnit::say(const std::string &line) { host.trace(name + " " + line); }

/* "Capability Register" */
uint64_t VtdUnit::cap() const
{
    uint64_t sagaw = opt.width == 48 ? bit(SAGAW_48) : bit(SAGAW_39);
    if (!opt.only_width)
        sagaw |= bit(SAGAW_39);
    uint64_t value = uint64_t((opt.domain_bits - 4) / 2) << CAP_ND;
    value |= uint64_t(opt.write_buffer) << CAP_RWBF;
    value |= uint64_t(opt.caching_mode) << CAP_CM;
    value |= sagaw << CAP_SAGAW;
    value |= uint64_t(opt.width - 1) << CAP_MGAW;
    value |= uint64_t(VTD_FRCD / 16) << CAP_FRO;
    value |= ((bit(opt.large_pages) - 1) & 3) << CAP_SSLPS;
    value |= uint64_t(opt.page_selective) << CAP_PSI;
    value |= uint64_t(opt.records - 1) << CAP_NFR;
    value |= uint64_t(opt.page_selective ? 18 : 0) << CAP_MAMV;
    value |= bit(CAP_DWD) | bit(CAP_DRD);
    value |= uint64_t(opt.posting && opt.remap && opt.queue) << CAP_PI;
    return value;
}

/* "Extended Capability Register" */
uint64_t VtdUnit::ecap() const
{
    bool remap = opt.remap && opt.queue;
    uint64_t value = uint64_t(opt.coherent) << ECAP_C;
    value |= uint64_t(opt.queue) << ECAP_QI;
    value |= uint64_t(opt.device_tlb && opt.queue) << ECAP_DT;
    value |= uint64_t(remap) << ECAP_IR;
    value |= uint64_t(opt.x2apic && remap) << ECAP_EIM;
    value |= uint64_t(opt.pass_through) << ECAP_PT;
    value |= uint64_t(opt.snoop_control) << ECAP_SC;
    value |= uint64_t(VTD_IVA / 16) << ECAP_IRO;
    value |= uint64_t(remap ? opt.index_mask : 0) << ECAP_MHMV;
    return value;
}

uint32_t VtdUnit::fsts() const
{
    uint32_t value = fault_status;
    for (const Record &record : records)
        if (record.hi & FRCD_F)
            value |= FSTS_PPF | record_first << FSTS_FRI;
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
        return VERSION_1_0;
    case VTD_FSTS:
        return fsts();
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
        say(text("mmio bad read offset=0x%x size=%u", offset, size));
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
        say(text("mmio bad write offset=0x%x size=%u", offset, size));
        return;
    }
    write32(offset, uint32_t(value)); /* low half first: the high half holds the "go" bits */
    if (size == 8)
        write32(offset + 4, uint32_t(value >> 32));
}

static void set_half(uint64_t &reg, unsigned offset, uint32_t value, uint64_t writable)
{
    uint64_t placed = offset & 4 ? uint64_t(value) << 32 : value;
    uint64_t half = offset & 4 ? bits(63, 32) : bits(31, 0);
    reg = (reg & ~(half & writable)) | (placed & half & writable);
}

/* list */
void VtdUnit::write32(unsigned offset, uint32_t value)
{
    const uint64_t address = bits(opt.haw - 1, 12);
    if (offset >= VTD_FRCD && offset < VTD_FRCD + 16 * opt.records) {
        if ((offset & 15) == 12)
            write_record((offset - VTD_FRCD) / 16, value);
        return;
    }
    switch (offset & ~7u) {
    case VTD_RTADDR:
        return set_half(rtaddr, offset, value, address | bits(11, 10));
    case VTD_CCMD:
        set_half(ccmd, offset, value, ~bits(60, 59));
        if ((offset & 4) && (value & bit(31)))
            ccmd_start();
        return;
    case VTD_IVA:
        return set_half(iva, offset, value, ~UINT64_C(0));
    case VTD_IOTLB:
        set_half(iotlb_reg, offset, value, ~bits(58, 57));
        if ((offset & 4) && (value & bit(31)))
            iotlb_start();
        return;
    case VTD_IQT:
        if (!opt.queue)
            return;
        set_half(iqt, offset, value, bits(18, 4));
        if (offset == VTD_IQT)
            queue_run();
        return;
    case VTD_IQA:
        return opt.queue ? set_half(iqa, offset, value, address | bit(11) | bits(2, 0)) : void();
    case VTD_IRTA:
        return opt.remap && opt.queue
                   ? set_half(irta_reg, offset, value, address | bit(11) | bits(3, 0))
                   : void();
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

/* "Global Command Register": TE, QIE, IRE and CFI are levels, SRTP, SIRTP and WBF are one-shot. */
void VtdUnit::write_gcmd(uint32_t value)
{
    const uint32_t levels = G_TE | G_QIE | G_IRE | G_CFI;
    uint32_t changed = (value ^ gsts) & levels;
    unsigned asked = unsigned(__builtin_popcount(changed | (value & (G_SRTP | G_SIRTP | G_WBF))));
    if (asked > 1)
        say(text("gcmd several commands in one write value=0x%08x gsts=0x%08x", value, gsts));
    drain("global command");
    if (value & G_SRTP) {
        root = rtaddr;
        gsts |= G_SRTP;
        table_set_check("root-table", root & ~bits(11, 0), 4096);
        context_unflushed = iotlb_unflushed = true;
        say(text("gcmd root-table=0x%llx", (unsigned long long)root));
    }
    if ((value & G_SIRTP) && opt.remap && opt.queue) {
        irta = irta_reg;
        gsts |= G_SIRTP;
        table_set_check("interrupt-table", irta & ~bits(11, 0), UINT64_C(32) << field(irta, 3, 0));
        iec_unflushed = true;
        say(text("gcmd interrupt-table=0x%llx", (unsigned long long)irta));
    }
    if ((value & G_WBF) && opt.write_buffer)
        write_buffer_flush();
    if (!(opt.remap && opt.queue))
        changed &= ~(G_IRE | G_CFI);
    if (!opt.queue)
        changed &= ~G_QIE;
    gsts ^= changed;
    if (changed & (G_TE | G_IRE | G_CFI))
        say(text("gcmd translation=%d remapping=%d compatibility=%d", !!(gsts & G_TE),
                 !!(gsts & G_IRE), !!(gsts & G_CFI)));
    if (changed & G_QIE) {
        if (!(gsts & G_QIE) && iqh != iqt)
            say("queue disabled while not empty");
        iqh = 0;
        queue_run();
    }
    if (!(gsts & (G_TE | G_IRE)))
        record_next = 0; /* "Primary Fault Logging": the index is reset when both are off */
}

void VtdUnit::write_event(Event &event, unsigned index, uint32_t value, bool condition)
{
    switch (index) {
    case 0:
        event.control = (event.control & ~EV_IM) | (value & EV_IM);
        if (!(event.control & EV_IM) && (event.control & EV_IP) && condition)
            raise(event);
        break;
    case 1:
        event.data = value & 0xffff;
        break;
    case 2:
        event.address = value & ~3u;
        break;
    case 3:
        event.upper = opt.x2apic ? value : 0;
        break;
    }
}

/* An interrupt condition was found: send the message, or hold it while IM is set. Such messages are
 * never remapped ("Remapping Hardware Event Interrupt Programming"). */
void VtdUnit::raise(Event &event)
{
    event.control |= EV_IP;
    if (event.control & EV_IM)
        return;
    event.control &= ~EV_IP;
    Message message;
    message.vector = uint8_t(event.data);
    message.mode = (event.data >> 8) & 7;
    message.dest = ((event.address >> 12) & 0xff) | (opt.x2apic ? event.upper & ~0xffu : 0);
    message.logical = event.address & 4;
    say(text("event %s vector=0x%02x dest=%u", &event == &fault_event ? "fault" : "invalidation",
             message.vector, message.dest));
    host.deliver(message);
}

bool VtdUnit::any_fault_status() const
{
    return fsts() & (FSTS_PPF | FSTS_PFO | FSTS_IQE | FSTS_ICE | FSTS_ITE);
}

/* "If IP field was Set when software services all the pending interrupt conditions, the IP field is
 * cleared" */
void VtdUnit::settle_fault_event()
{
    if (!any_fault_status())
        fault_event.control &= ~EV_IP;
}

void VtdUnit::write_fsts(uint32_t value)
{
    fault_status &= ~(value & (FSTS_PFO | FSTS_IQE | FSTS_ICE | FSTS_ITE));
    settle_fault_event();
    if (value & (FSTS_IQE | FSTS_ITE))
        queue_run();
}

void VtdUnit::write_record(unsigned index, uint32_t value)
{
    if (value & bit(31))
        records[index].hi &= ~FRCD_F;
    settle_fault_event();
}

/* "Primary Fault Logging". info: the address of a DMA fault, or the interrupt index << 48. */
void VtdUnit::fault(uint16_t sid, uint8_t reason, uint64_t info, bool is_read)
{
    bool recorded = false, first = !(fsts() & FSTS_PPF), new_event = !any_fault_status();
    Record &record = records[record_next];
    if (!(fault_status & FSTS_PFO)) {
        if (record.hi & FRCD_F) {
            fault_status |= FSTS_PFO;
        } else {
            record.lo = is_interrupt_fault(reason) ? info : info & bits(opt.width - 1, 12);
            record.hi = FRCD_F | uint64_t(is_read) << FRCD_T1 | uint64_t(reason) << FRCD_FR | sid;
            if (first)
                record_first = record_next;
            record_next = (record_next + 1) % opt.records;
            recorded = true;
        }
    }
    say(text("fault sid=%s reason=0x%02x %s=0x%llx%s%s", bdf_text(sid).c_str(), reason,
             is_interrupt_fault(reason) ? "index" : "iova",
             (unsigned long long)(is_interrupt_fault(reason) ? info >> 48 : info),
             is_interrupt_fault(reason) ? ""
             : is_read                  ? " read"
                                        : " write",
             recorded ? "" : " overflow"));
    if (recorded && first && new_event)
        raise(fault_event);
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
        std::array<uint8_t, 64> bytes;
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
    std::array<uint8_t, 64> bytes;
    clean_lines.insert(line);
    if (opt.write_buffer)
        buffered_lines.insert(line);
    if (host.read(line, bytes.data(), bytes.size()))
        seen_lines[line] = bytes;
}

/* "Write Buffer Flushing": a table is handed to the unit; has it reached memory? A unit that is
 * already on could walk it at once. */
void VtdUnit::table_set_check(const char *table, uint64_t first, uint64_t size)
{
    for (uint64_t line = first; line < first + size; line += 64)
        if (buffered_lines.count(line))
            return say(text("%s stale hpa=0x%llx still in the write buffer", table,
                            (unsigned long long)line));
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
    while (!held.empty() && held.front().due <= now) {
        HeldWrite &write = held.front();
        host.write(write.hpa, write.data.data(), write.data.size());
        held.pop_front();
    }
}

uint64_t VtdUnit::next_due() const
{
    uint64_t due = NEVER;
    if (!commands.empty())
        due = commands.front().due;
    if (!held.empty() && held.front().due < due)
        due = held.front().due;
    return due;
}

} /* namespace lab */
