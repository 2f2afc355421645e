/* SPDX-License-Identifier: MIT */
/*
 * Invalidation, by registers and by queue. A command is accepted at once and takes effect
 * opt.slow ticks later: the head of the queue says what was fetched, only a wait descriptor says
 * what is done.
 * From: lab/bochs/plugin/vtd_unit.cc (register writes)      To: -
 * Spec: VT-d "Register-based Invalidation Interface", "Queued Invalidation Interface", "Hardware
 * Handling of Queued Invalidation Interface Errors"
 */
#include "vtd_unit.h"
#include <algorithm>

namespace lab
{

template <typename Cache, typename Predicate> static size_t erase_from(Cache &cache, Predicate gone)
{
    size_t before = cache.size();
    for (auto it = cache.begin(); it != cache.end();)
        it = gone(*it) ? cache.erase(it) : std::next(it);
    return before - cache.size();
}

/* The same of a cache whose losses stand in the trace. */
template <typename Cache, typename Predicate>
size_t VtdUnit::flush_from(Cache &cache, Predicate gone)
{
    return erase_from(cache, [&](const auto &item) {
        bool goes = gone(item);
        if (goes)
            tell_gone("gone", item);
        return goes;
    });
}

/* IQEI, or 0 for a descriptor that is in order. */
uint8_t VtdUnit::descriptor_check(const Entry128 &d) const
{
    unsigned granularity = unsigned(field(d.lo, 5, 4));
    uint64_t reserved_lo = bits(8, 6) | bits(15, 12), reserved_hi = ~UINT64_C(0);
    switch (type_of(d.lo)) {
    case INV_CONTEXT:
        reserved_lo |= bits(63, 50);
        if (!granularity)
            return IQEI_RESERVED;
        break;
    case INV_IOTLB:
        reserved_lo = bit(8) | bits(15, 12) | bits(63, 32);
        reserved_hi = bits(11, 7);
        if (!granularity || (granularity == FINEST && !opt.page_selective))
            return IQEI_RESERVED;
        if (granularity == FINEST && field(d.hi, 5, 0) > 18)
            return IQEI_RESERVED;
        break;
    case INV_DEVICE_TLB:
        if (!opt.device_tlb)
            return IQEI_TYPE;
        reserved_lo = bits(8, 4) | bits(15, 12) | bits(31, 21) | bits(63, 48);
        reserved_hi = bits(11, 1);
        break;
    case INV_IEC:
        if (!opt.remap)
            return IQEI_TYPE;
        reserved_lo = bits(8, 5) | bits(26, 12) | bits(63, 48);
        if (field(d.lo, 31, 27) > opt.index_mask)
            return IQEI_RESERVED;
        break;
    case INV_WAIT:
        reserved_lo = bits(8, 7) | bits(31, 12);
        reserved_hi = bits(1, 0);
        break;
    default:
        return IQEI_TYPE;
    }
    return (d.lo & reserved_lo) || (d.hi & reserved_hi) ? IQEI_RESERVED : 0;
}

/* The queue stands still with the head at the descriptor in question, until software has cleared
 * the status bit. */
void VtdUnit::queue_stop(uint32_t status, uint8_t info)
{
    bool new_event = !any_fault_status();
    fault_status |= status;
    if (status == FSTS_IQE)
        iqercd = (iqercd & ~bits(3, 0)) | info;
    say(text("queue error %s info=%u head=0x%llx", status == FSTS_IQE ? "IQE" : "ITE", info,
             (unsigned long long)iqh));
    if (new_event)
        raise(fault_event);
}

void VtdUnit::queue_run()
{
    uint64_t size = UINT64_C(4096) << field(iqa, 2, 0);
    while ((gsts & G_QIE) && iqh != iqt && !(fault_status & (FSTS_IQE | FSTS_ITE))) {
        Entry128 d;
        if (iqt >= size)
            return queue_stop(FSTS_IQE, IQEI_TAIL);
        if (iqa & bit(11)) /* 256-bit descriptors belong to scalable mode */
            return queue_stop(FSTS_IQE, IQEI_WIDTH);
        ++descriptor_count;
        if (opt.queue_error && descriptor_count % opt.queue_error == 0)
            return queue_stop(FSTS_IQE, IQEI_FETCH);
        if (!fetch((iqa & ~bits(11, 0)) + iqh, d, true))
            return queue_stop(FSTS_IQE, IQEI_FETCH);
        tell("queue fetched head=0x%llx tail=0x%llx descriptor=%016llx.%016llx",
             (unsigned long long)iqh, (unsigned long long)iqt, (unsigned long long)d.hi,
             (unsigned long long)d.lo);
        if (uint8_t info = descriptor_check(d))
            return queue_stop(FSTS_IQE, info);
        if (type_of(d.lo) == INV_DEVICE_TLB && opt.timeout_error &&
            ++device_tlb_count % opt.timeout_error == 0) {
            erase_from(commands, [](const Command &c) { return type_of(c.d.lo) == INV_WAIT; });
            iqh = (iqh + 16) % size;
            iqercd = (iqercd & ~bits(47, 32)) | field(d.lo, 47, 32) << 32;
            return queue_stop(FSTS_ITE, 0);
        }
        iqh = (iqh + 16) % size;
        command_accept(d, 0);
    }
}

void VtdUnit::command_accept(const Entry128 &d, unsigned from_register)
{
    Command command = {d, due_for(d), from_register};
    if (!opt.slow)
        return command_finish(command);
    auto later = [](uint64_t due, const Command &c) { return due < c.due; };
    commands.insert(std::upper_bound(commands.begin(), commands.end(), command.due, later),
                    command);
}

void VtdUnit::command_finish(const Command &command)
{
    if (opt.write_buffer)
        write_buffer_flush(); /* "must implicitly perform a write buffer flushing" */
    switch (type_of(command.d.lo)) {
    case INV_CONTEXT:
        context_invalidate(command.d);
        break;
    case INV_IOTLB:
        iotlb_invalidate(command.d);
        break;
    case INV_DEVICE_TLB:
        say(text("flush device-tlb sid=%s",
                 bdf_text(uint16_t(field(command.d.lo, 47, 32))).c_str()));
        break;
    case INV_IEC:
        iec_invalidate(command.d);
        break;
    case INV_WAIT:
        wait_complete(command.d);
        break;
    }
    uint64_t granularity = field(command.d.lo, 5, 4);
    if (command.from_register == VTD_CCMD)
        ccmd = (ccmd & ~(bit(63) | bits(60, 59))) | granularity << 59;
    if (command.from_register == VTD_IOTLB)
        iotlb_reg = (iotlb_reg & ~(bit(63) | bits(58, 57))) | granularity << 57;
}

/* "Context-cache Invalidate Descriptor", "Context Command Register" */
void VtdUnit::context_invalidate(const Entry128 &d)
{
    static const uint16_t function_mask[] = {0, 4, 6, 7};
    unsigned granularity = unsigned(field(d.lo, 5, 4));
    uint16_t did = uint16_t(field(d.lo, 31, 16)), sid = uint16_t(field(d.lo, 47, 32));
    uint16_t keep = uint16_t(~function_mask[field(d.lo, 49, 48)]);
    size_t n = flush_from(context_cache, [&](const auto &item) {
        bool domain = did == (item.second.reason ? 0 : item.second.did());
        bool device = ((item.first ^ sid) & keep) == 0;
        return granularity == GLOBAL || (domain && (granularity == DOMAIN_SELECTIVE || device));
    });
    if (granularity == GLOBAL)
        context_unflushed = false;
    for (auto &[id, domain] : domains)
        if (granularity == GLOBAL || (granularity == DOMAIN_SELECTIVE && id == did))
            domain.context_flushed = true, domain.iotlb_flushed = false;
    static const char *const names[] = {"", "global", "domain", "device"};
    say(text("flush context %s did=%u sid=%s dropped=%zu", names[granularity], did,
             bdf_text(sid).c_str(), n));
}

/* Does a page-selective command reach the entry? A leaf goes only when the whole of its page
 * was named ("Address Mask": 9 for 2M, 18 for 1G); a paging-structure entry when any part of
 * its reach was. */
bool VtdUnit::covers(const Entry128 &d, uint64_t base, unsigned shift, bool any_overlap) const
{
    uint64_t span = UINT64_C(4096) << field(d.hi, 5, 0);
    uint64_t first = d.hi & bits(opt.width - 1, 12) & ~(span - 1), last = first + span - 1;
    uint64_t end = base + bit(shift) - 1;
    return any_overlap ? base <= last && end >= first : base >= first && end <= last;
}

/* Bits that a domain-id of this unit does not have are ignored. */
uint16_t VtdUnit::iotlb_domain(const Entry128 &d) const
{
    return uint16_t(field(d.lo, 15 + opt.domain_bits, 16));
}

/* "IOTLB Invalidate", "IOTLB Invalidate Register" */
void VtdUnit::iotlb_invalidate(const Entry128 &d)
{
    unsigned granularity = unsigned(field(d.lo, 5, 4));
    uint16_t did = iotlb_domain(d);
    auto leaf_gone = [&](const auto &item) {
        const Key &key = item.first;
        if (granularity == GLOBAL)
            return true;
        return item.second.did == did && (granularity == DOMAIN_SELECTIVE ||
                                          covers(d, key.page << key.shift, key.shift, false));
    };
    auto table_gone = [&](const auto &item) {
        const Key &key = item.first;
        if (granularity == GLOBAL)
            return true;
        bool hint = d.hi & bit(6);
        return key.tag == did && (granularity == DOMAIN_SELECTIVE ||
                                  (!hint && covers(d, key.page << key.shift, key.shift, true)));
    };
    drain_for(d);
    size_t n = flush_from(iotlb_by_sid, leaf_gone);
    erase_from(iotlb_by_did, leaf_gone);
    flush_from(paging_cache, table_gone);
    if (granularity == GLOBAL && !context_unflushed) /* the context cache goes first */
        iotlb_unflushed = false;
    for (auto &[id, domain] : domains)
        if (granularity == GLOBAL || (granularity == DOMAIN_SELECTIVE && id == did))
            domain.iotlb_flushed = domain.context_flushed;
    static const char *const names[] = {"", "global", "domain", "page"};
    say(text("flush iotlb %s did=%u address=0x%llx mask=%u dropped=%zu", names[granularity], did,
             (unsigned long long)(d.hi & ~bits(11, 0)), unsigned(field(d.hi, 5, 0)), n));
}

/* "Interrupt Entry Cache Invalidate Descriptor" */
void VtdUnit::iec_invalidate(const Entry128 &d)
{
    bool selective = d.lo & bit(4);
    uint32_t first = uint32_t(field(d.lo, 47, 32)),
             mask = uint32_t(bit(unsigned(field(d.lo, 31, 27))) - 1);
    size_t n = flush_from(iec, [&](const auto &item) {
        return !selective || (item.first & ~mask) == (first & ~mask);
    });
    iec_unflushed = iec_unflushed && selective;
    say(text("flush iec %s index=%u count=%u dropped=%zu", selective ? "index" : "global", first,
             mask + 1, n));
}

/* "Invalidation Wait Descriptor", "Hardware Generation of Invalidation Completion Events" */
void VtdUnit::wait_complete(const Entry128 &d)
{
    if (d.lo & bit(5)) {
        uint32_t status = uint32_t(d.lo >> 32);
        host.write(d.hi & bits(opt.haw - 1, 2), &status, sizeof(status));
        tell("queue wait status=0x%x at=0x%llx", status, (unsigned long long)d.hi);
    }
    if (d.lo & bit(4)) {
        bool was_set = ics & 1;
        ics |= 1;
        if (!was_set)
            raise(inv_event);
    }
}

/* Register-based commands become the descriptor that says the same. With the queue enabled they are
 * incorrect requests: ignored, and reported so (actual granularity 0). */
void VtdUnit::ccmd_start()
{
    Entry128 d;
    uint64_t granularity = field(ccmd, 62, 61);
    d.lo = INV_CONTEXT | granularity << 4 | field(ccmd, 15, 0) << 16 | field(ccmd, 33, 16) << 32;
    if (gsts & G_QIE)
        violation("invalidation by register while QIES=1");
    if ((gsts & G_QIE) || !granularity || opt.version >= VERSION_NO_REGISTERS) {
        ccmd &= ~(bit(63) | bits(60, 59));
        say("flush context refused");
        return;
    }
    command_accept(d, VTD_CCMD);
}

void VtdUnit::iotlb_start()
{
    Entry128 d;
    uint64_t granularity = field(iotlb_reg, 61, 60);
    d.lo = INV_IOTLB | granularity << 4 | field(iotlb_reg, 48, 48) << 6 |
           field(iotlb_reg, 49, 49) << 7 | field(iotlb_reg, 47, 32) << 16;
    d.hi = iva & ~bits(11, 7);
    bool bad_mask = granularity == FINEST && (field(iva, 5, 0) > 18 || !opt.page_selective);
    if (gsts & G_QIE)
        violation("invalidation by register while QIES=1");
    if ((gsts & G_QIE) || !granularity || bad_mask || opt.version >= VERSION_NO_REGISTERS) {
        iotlb_reg &= ~(bit(63) | bits(58, 57));
        say("flush iotlb refused");
        return;
    }
    command_accept(d, VTD_IOTLB);
}

/* The updates that sat in the write buffer arrive: what was cached as absent for their
 * sake goes. */
void VtdUnit::write_buffer_flush()
{
    buffered_lines.clear();
    auto absent = [](const auto &item) {
        return item.second.reason || (!item.second.r && !item.second.w);
    };
    if (opt.caching_mode)
        return; /* there, absent entries are cached by right */
    flush_from(iotlb_by_sid, absent);
    erase_from(iotlb_by_did, absent);
    flush_from(context_cache, [](const auto &item) { return item.second.reason != 0; });
    flush_from(iec, [](const auto &item) { return !(item.second.lo & 1); });
}

} /* namespace lab */
