/* SPDX-License-Identifier: MIT */
/*
 * The fault log, and the two events of the unit.
 * From: lab/bochs/plugin/vtd_walk.cc, vtd_intr.cc (a request is refused), vtd_unit.cc (registers)
 * To: lab/bochs/plugin/host.h (deliver)
 * Spec: VT-d "Primary Fault Logging", "Non-Recoverable Fault Event", "Hardware Generation of
 * Invalidation Completion Events"
 */
#include "vtd_unit.h"

namespace lab
{

uint32_t VtdUnit::fsts() const
{
    uint32_t value = fault_status;
    for (const Record &record : records)
        if (record.hi & FRCD_F)
            value |= FSTS_PPF | record_first << FSTS_FRI;
    return value;
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
    say(text("event %s vector=0x%02x dest=0x%x", &event == &fault_event ? "fault" : "invalidation",
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

/* "Primary Fault Logging", step by step. What the trace adds: why there is no record. */
const char *VtdUnit::record(uint16_t sid, uint8_t reason, uint64_t info, bool is_read)
{
    if (fault_status & FSTS_PFO)
        return " overflow";
    if (opt.collapse)
        for (const Record &pending : records)
            if ((pending.hi & FRCD_F) && uint16_t(pending.hi) == sid)
                return " collapsed";
    Record &record = records[record_next];
    if (record.hi & FRCD_F) {
        fault_status |= FSTS_PFO;
        return " overflow";
    }
    bool first = !(fsts() & FSTS_PPF), new_event = !any_fault_status();
    record.lo = is_interrupt_fault(reason) ? info : info & bits(opt.width - 1, 12);
    record.hi = FRCD_F | uint64_t(is_read) << FRCD_T1 | uint64_t(reason) << FRCD_FR | sid;
    if (first)
        record_first = record_next;
    record_next = (record_next + 1) % opt.records;
    if (first && new_event)
        raise(fault_event);
    return "";
}

/* info: the address of a DMA fault, or the interrupt index << 48. */
void VtdUnit::fault(uint16_t sid, uint8_t reason, uint64_t info, bool is_read)
{
    bool interrupt = is_interrupt_fault(reason);
    std::string line =
        text("fault sid=%s reason=0x%02x %s=0x%llx%s", bdf_text(sid).c_str(), reason,
             interrupt ? "index" : "iova", (unsigned long long)(interrupt ? info >> 48 : info),
             interrupt ? ""
             : is_read ? " read"
                       : " write");
    say(line + record(sid, reason, info, is_read));
}

/* A device that tries a refused request again knows nothing of what software does meanwhile. Its
 * data is left out: if the request is no longer refused, nothing is moved. */
void VtdUnit::repeat_later(uint16_t sid, uint64_t iova, bool is_read)
{
    if (opt.repeat)
        repeats.push_back({sid, iova, host.now() + opt.repeat_after, is_read, opt.repeat});
}

void VtdUnit::repeat_due()
{
    while (!repeats.empty() && repeats.front().due <= host.now()) {
        Repeat again = repeats.front();
        repeats.pop_front();
        if (!(gsts & G_TE))
            continue;
        Leaf leaf = iotlb_lookup(again.sid, again.iova, 1, !again.is_read);
        if (!leaf.reason)
            continue;
        refuse(again.sid, leaf, again.iova, !again.is_read);
        again.due += opt.repeat_after;
        if (--again.left)
            repeats.push_back(again);
    }
}

} /* namespace lab */
