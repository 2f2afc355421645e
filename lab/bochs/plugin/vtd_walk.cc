/* SPDX-License-Identifier: MIT */
/*
 * A DMA request: root entry, context entry, second stage, and the caches on the way.
 * From: lab/bochs/plugin/device.cc by way of glue.cc      To: vtd_unit.cc (fault)
 * Spec: VT-d "Legacy Mode Address Translation", "Second-Stage Translation", "Translating Address
 * Using Caches in Legacy Mode", "Fault Conditions and Remapping Hardware Behavior for Various
 * Requests"
 */
#include "vtd_unit.h"
#include <algorithm>
#include <cstring>

namespace lab
{

enum : unsigned { TT_SECOND_STAGE = 0, TT_DEVICE_TLB = 1, TT_PASS_THROUGH = 2 };

static unsigned translation_type(uint64_t context_lo) { return unsigned(field(context_lo, 3, 2)); }

uint8_t VtdUnit::Leaf::verdict(bool is_write) const
{
    if (reason)
        return reason;
    if (is_write ? !w : !r)
        return is_write ? FAULT_WRITE : FAULT_READ;
    return FAULT_NONE;
}

/* "Context Entry": AW is 39 bits + 9 per step; 0 where this unit has no such width. */
unsigned VtdUnit::context_width(const Entry128 &entry) const
{
    unsigned aw = unsigned(field(entry.hi, 2, 0));
    uint64_t sagaw = field(cap(), 12, 8);
    return aw >= 1 && aw <= 3 && (sagaw & bit(aw)) ? 30 + 9 * aw : 0;
}

uint8_t VtdUnit::context_check(const Entry128 &entry) const
{
    unsigned tt = translation_type(entry.lo);
    uint64_t reserved_lo = bits(11, 4);
    if (tt != TT_PASS_THROUGH) /* the pointer is ignored for pass-through */
        reserved_lo |= bits(63, opt.haw);
    uint64_t reserved_hi = bits(63, 24) | bit(7);
    if (opt.domain_bits < 16)
        reserved_hi |= bits(23, 8 + opt.domain_bits);
    if ((entry.lo & reserved_lo) || (entry.hi & reserved_hi))
        return FAULT_CTX_RSVD;
    if (tt == 3 || (tt == TT_PASS_THROUGH && !opt.pass_through) ||
        (tt == TT_DEVICE_TLB && !opt.device_tlb))
        return FAULT_CTX_INVALID;
    unsigned width = context_width(entry);
    if (!width || (tt == TT_PASS_THROUGH && width != opt.width))
        return FAULT_CTX_INVALID;
    return FAULT_NONE;
}

/* From the tables, the context cache not involved. */
VtdUnit::Context VtdUnit::context_read(uint16_t sid, bool snoop)
{
    Context context;
    Entry128 entry;
    auto fail = [&](uint8_t reason) {
        context.reason = reason;
        return context;
    };
    if (ttm_of(root) == TTM_ABORT && opt.abort_mode)
        return fail(FAULT_ABORT_MODE);
    if (ttm_of(root) != TTM_LEGACY)
        return fail(FAULT_RTADDR);
    uint64_t at = (root & ~bits(11, 0)) + 16 * (sid >> 8);
    auto told = [&](const char *table, const Entry128 &e) {
        if (!snoop)
            table_used(at, table);
        if (!snoop)
            tell("%s entry sid=%s hpa=0x%llx value=%016llx.%016llx", table, bdf_text(sid).c_str(),
                 (unsigned long long)at, (unsigned long long)e.hi, (unsigned long long)e.lo);
    };
    if (!fetch(at, entry, snoop))
        return fail(FAULT_ROOT_ACCESS);
    told("root", entry);
    if (!(entry.lo & 1))
        return fail(FAULT_ROOT_P);
    if (entry.hi || (entry.lo & (bits(11, 1) | bits(63, opt.haw))))
        return fail(FAULT_ROOT_RSVD);
    at = (entry.lo & ~bits(11, 0)) + 16 * (sid & 0xff);
    if (!fetch(at, context.entry, snoop))
        return fail(FAULT_CTX_ACCESS);
    told("context", context.entry);
    if (!(context.entry.lo & 1))
        return fail(FAULT_CTX_P);
    return fail(context_check(context.entry));
}

/* "Guidance to Software for Invalidations": a domain-id that gets another table is flushed before.
 * The caches of this unit may have nothing of it any more, but it reports who relies on that. */
void VtdUnit::domain_seen(uint16_t sid, const Context &context)
{
    if (opt.caching_mode && !context.did()) /* "Context-Entry Programming Considerations" */
        violation("domain-id 0 with CM=1");
    Domain &domain = domains[context.did()];
    uint64_t table = context.entry.lo & ~(bits(11, 4) | bit(1)); /* FPD is no part of it */
    if (domain.table && domain.table != table && !domain.iotlb_flushed)
        say(text("context advice sid=%s did=%u reused, not flushed since", bdf_text(sid).c_str(),
                 context.did()));
    domain = {table, false, false};
}

/* "Context-Cache": a faulting entry is kept only with Caching Mode, and then under domain 0. Where
 * the write buffer has to be flushed, an absent entry is remembered until it is. */
VtdUnit::Context VtdUnit::context_lookup(uint16_t sid)
{
    Context fresh = context_read(sid, true);
    auto hit = context_cache.find(sid);
    bool cached = hit != context_cache.end();
    Context kept = cached ? hit->second : context_read(sid, false);
    if (cached || !opt.coherent) {
        if (kept.reason != fresh.reason || (!kept.reason && kept.entry != fresh.entry))
            say(text("%s stale sid=%s cached=%016llx.%016llx now=%016llx.%016llx",
                     cached ? "context" : "context-table", bdf_text(sid).c_str(),
                     (unsigned long long)kept.entry.hi, (unsigned long long)kept.entry.lo,
                     (unsigned long long)fresh.entry.hi, (unsigned long long)fresh.entry.lo));
    }
    if (!cached && !kept.reason)
        domain_seen(sid, kept);
    bool fills = !cached && (!kept.reason || opt.caching_mode || opt.write_buffer);
    if (fills)
        context_cache[sid] = kept;
    if (cached || fills)
        tell("context %s sid=%s did=%u entry=%016llx.%016llx", cached ? "hit" : "fill",
             bdf_text(sid).c_str(), kept.did(), (unsigned long long)kept.entry.hi,
             (unsigned long long)kept.entry.lo);
    return kept;
}

/* "Second-Stage Paging Entries" */
uint8_t VtdUnit::entry_reserved(uint64_t entry, unsigned shift, bool leaf) const
{
    uint64_t reserved = bits(51, opt.haw) | bit(62);
    if (leaf) {
        if (shift > 12)
            reserved |= bits(shift - 1, 12);
        if (!opt.snoop_control)
            reserved |= bit(11);
    } else {
        reserved |= bit(11) | bit(7);
    }
    return entry & reserved ? FAULT_SS_RSVD : FAULT_NONE;
}

/* The second stage of one domain, by way of the paging-structure caches or without them. */
VtdUnit::Leaf VtdUnit::walk(const Context &context, uint64_t iova, bool use_cache)
{
    Leaf leaf;
    leaf.did = context.did();
    leaf.fpd = context.fpd();
    auto fail = [&](uint8_t reason) {
        leaf.reason = reason;
        return leaf;
    };
    bool pass = translation_type(context.entry.lo) == TT_PASS_THROUGH;
    unsigned width = context_width(context.entry);
    if (iova >> (pass ? opt.haw : std::min(width, opt.width)))
        return fail(FAULT_ADDRESS);
    if (pass) {
        leaf.hpa = iova & ~bits(11, 0);
        leaf.r = leaf.w = true;
        return leaf;
    }
    Table table = {context.entry.lo & ~bits(11, 0), true, true};
    unsigned top = width - 9, shift = top;
    for (unsigned s = 21; use_cache && s <= top; s += 9) {
        auto hit = paging_cache.find({leaf.did, uint8_t(s), iova >> s});
        if (hit == paging_cache.end())
            continue;
        table = hit->second;
        shift = s - 9;
        tell("paging hit did=%u level=%u page=0x%llx table=0x%llx", leaf.did, (s - 3) / 9,
             (unsigned long long)(iova >> s), (unsigned long long)table.hpa);
        break;
    }
    for (;; shift -= 9) {
        uint64_t entry;
        if (!table_read(table.hpa + 8 * field(iova, shift + 8, shift), &entry, sizeof(entry),
                        !use_cache))
            return fail(shift == top ? FAULT_CTX_INVALID : FAULT_SS_ACCESS);
        if (use_cache)
            table_used(table.hpa, text("second-stage did=%u level=%u", leaf.did, (shift - 3) / 9));
        if (use_cache)
            tell("second-stage entry did=%u level=%u hpa=0x%llx value=%016llx", leaf.did,
                 (shift - 3) / 9,
                 (unsigned long long)(table.hpa + 8 * field(iova, shift + 8, shift)),
                 (unsigned long long)entry);
        table.r = table.r && (entry & 1);
        table.w = table.w && (entry & 2);
        if (!(entry & 3)) {
            leaf.r = leaf.w = false;
            return leaf;
        }
        bool large = shift > 12 && shift <= 12 + 9 * opt.large_pages && (entry & bit(7));
        bool last = large || shift == 12;
        if (uint8_t reason = entry_reserved(entry, shift, last))
            return fail(reason);
        table.hpa = entry & bits(opt.haw - 1, 12);
        if (last) {
            leaf.shift = uint8_t(shift);
            leaf.hpa = table.hpa;
            leaf.r = table.r;
            leaf.w = table.w;
            return leaf;
        }
        if (!use_cache)
            continue;
        paging_cache[{leaf.did, uint8_t(shift), iova >> shift}] = table;
        tell("paging fill did=%u level=%u page=0x%llx table=0x%llx", leaf.did, (shift - 3) / 9,
             (unsigned long long)(iova >> shift), (unsigned long long)table.hpa);
    }
}

VtdUnit::Leaf *VtdUnit::iotlb_find(Iotlb &cache, uint16_t tag, uint64_t iova)
{
    for (uint8_t shift = 12; shift <= 30; shift = uint8_t(shift + 9)) {
        auto hit = cache.find({tag, shift, iova >> shift});
        if (hit != cache.end())
            return &hit->second;
    }
    return nullptr;
}

void VtdUnit::tell_leaf(const char *what, uint16_t sid, uint64_t iova, const Leaf &leaf)
{
    tell("iotlb %s sid=%s did=%u page=0x%llx size=0x%llx hpa=0x%llx rights=%d", what,
         bdf_text(sid).c_str(), leaf.did, (unsigned long long)(iova & ~bits(leaf.shift - 1, 0)),
         (unsigned long long)bit(leaf.shift), (unsigned long long)leaf.hpa,
         leaf.reason ? 0 : int(leaf.r) | int(leaf.w) << 1);
}

/* "Details of IOTLB Use": a translation with which a request faults is kept only with Caching Mode.
 * Where the write buffer has to be flushed, an absent one is remembered until it is. */
void VtdUnit::iotlb_keep(uint16_t sid, uint64_t iova, const Leaf &leaf, bool faults)
{
    bool absent = leaf.reason || (!leaf.r && !leaf.w);
    if (faults && !opt.caching_mode && !(opt.write_buffer && absent))
        return;
    iotlb_by_sid[{sid, leaf.shift, iova >> leaf.shift}] = leaf;
    tell_leaf("fill", sid, iova, leaf);
    iotlb_by_did[{leaf.did, leaf.shift, iova >> leaf.shift}] = leaf;
}

/* The specification lets a unit serve a request from an entry of the same source-id without a look
 * at its context entry, or from one of the same domain. This unit does both: of two stale entries
 * it takes the one that hurts. The reason in the answer is that of this request. */
VtdUnit::Leaf VtdUnit::iotlb_lookup(uint16_t sid, uint64_t iova, size_t n, bool is_write)
{
    drop_some();
    if (context_unflushed || iotlb_unflushed)
        advise(text("%s advice sid=%s not flushed since SRTP",
                    context_unflushed ? "context" : "iotlb", bdf_text(sid).c_str()));
    if (Leaf *hit = iotlb_find(iotlb_by_sid, sid, iova)) {
        Leaf leaf = *hit;
        tell_leaf("hit", sid, iova, leaf);
        stale_check("iotlb", sid, iova, leaf);
        leaf.reason = refusal(leaf, iova, n, is_write);
        return leaf;
    }
    Context context = context_lookup(sid);
    Leaf leaf;
    if (context.reason) {
        leaf.reason = context.reason;
        leaf.fpd = context.fpd() && context.reason != FAULT_ROOT_P;
        return leaf;
    }
    if (Leaf *hit = iotlb_find(iotlb_by_did, context.did(), iova)) {
        leaf = *hit;
        tell_leaf("hit", sid, iova, leaf);
        stale_check("iotlb", sid, iova, leaf);
    } else {
        leaf = walk(context, iova, true);
        stale_check("walk", sid, iova, leaf);
    }
    uint8_t reason = refusal(leaf, iova, n, is_write);
    iotlb_keep(sid, iova, leaf, reason);
    leaf.reason = reason;
    return leaf;
}

/* What would a unit without any cache have said? */
VtdUnit::Leaf VtdUnit::in_memory(uint16_t sid, uint64_t iova)
{
    Context context = context_read(sid, true);
    Leaf now;
    now.reason = context.reason;
    return context.reason ? now : walk(context, iova, false);
}

static int rights(bool faults, bool r, bool w) { return faults ? 0 : int(r) | int(w) << 1; }
static uint64_t place(uint64_t hpa, unsigned shift, uint64_t iova)
{
    return hpa | (iova & bits(shift - 1, 0));
}

bool VtdUnit::same_effect(const Leaf &cached, const Leaf &now, uint64_t iova)
{
    int allowed = rights(now.reason, now.r, now.w);
    return rights(cached.reason, cached.r, cached.w) == allowed &&
           (!allowed || place(cached.hpa, cached.shift, iova) == place(now.hpa, now.shift, iova));
}

void VtdUnit::stale_check(const char *cache, uint16_t sid, uint64_t iova, const Leaf &cached)
{
    Leaf now = in_memory(sid, iova);
    if (same_effect(cached, now, iova))
        return;
    auto where = [&](const Leaf &leaf) { return place(leaf.hpa, leaf.shift, iova); };
    auto rights = [](const Leaf &leaf) { return lab::rights(leaf.reason, leaf.r, leaf.w); };
    say(text("%s stale sid=%s did=%u iova=0x%llx cached=0x%llx/%d now=0x%llx/%d", cache,
             bdf_text(sid).c_str(), cached.did, (unsigned long long)iova,
             (unsigned long long)(rights(cached) ? where(cached) : 0), rights(cached),
             (unsigned long long)(rights(now) ? where(now) : 0), rights(now)));
}

static bool is_interrupt_range(uint64_t address) { return address >> 20 == 0xfee; }

/* Why a request with this translation is blocked. "Handling of Zero-Length Reads": with CAP.ZLR
 * such a one passes where there is only a right to write. */
uint8_t VtdUnit::refusal(const Leaf &leaf, uint64_t iova, size_t n, bool is_write) const
{
    bool as_write = is_write || (!n && opt.zero_length_read && !leaf.r);
    if (uint8_t reason = leaf.verdict(as_write))
        return reason == FAULT_WRITE && !is_write ? uint8_t(FAULT_READ) : reason;
    return is_interrupt_range(place(leaf.hpa, leaf.shift, iova)) ? FAULT_FEE : FAULT_NONE;
}

/* Reported, unless FPD keeps back a fault for which it counts. */
bool VtdUnit::refuse(uint16_t sid, const Leaf &leaf, uint64_t iova, bool is_write)
{
    uint8_t reason = leaf.reason;
    bool qualified = reason != FAULT_ROOT_P && reason != FAULT_ROOT_ACCESS &&
                     reason != FAULT_ROOT_RSVD && reason != FAULT_CTX_ACCESS &&
                     reason != FAULT_RTADDR && reason != FAULT_ABORT_MODE;
    if (qualified && leaf.fpd)
        say(text("blocked sid=%s reason=0x%02x iova=0x%llx not reported", bdf_text(sid).c_str(),
                 reason, (unsigned long long)iova));
    else
        fault(sid, reason, iova, !is_write);
    return false;
}

/* One request that does not cross a 4-KiB boundary. */
bool VtdUnit::page_access(uint16_t sid, uint64_t iova, uint8_t *buffer, size_t n, bool is_write)
{
    if (is_interrupt_range(iova)) {
        uint32_t data;
        if (is_write && n == 4 && !(iova & 3)) {
            memcpy(&data, buffer, 4);
            return interrupt(sid, iova, data);
        }
        if (gsts & (G_TE | G_IRE))
            fault(sid, FAULT_IR_MALFORMED, 0, !is_write);
        return false;
    }
    if (!(gsts & G_TE))
        return transfer({sid, -1, iova, iova}, buffer, n, is_write);
    Leaf leaf = iotlb_lookup(sid, iova, n, is_write);
    if (leaf.reason) {
        repeat_later(sid, iova, !is_write);
        return refuse(sid, leaf, iova, is_write);
    }
    uint64_t hpa = place(leaf.hpa, leaf.shift, iova);
    say(text("dma %s sid=%s did=%u iova=0x%llx hpa=0x%llx n=%zu", is_write ? "write" : "read",
             bdf_text(sid).c_str(), leaf.did, (unsigned long long)iova, (unsigned long long)hpa,
             n));
    return transfer({sid, leaf.did, iova, hpa}, buffer, n, is_write);
}

/* "Handling Requests Crossing Page Boundaries": each page is a request of its own. */
bool VtdUnit::dma(uint16_t sid, uint64_t iova, void *buffer, size_t n, bool is_write)
{
    tick();
    uint8_t *bytes = static_cast<uint8_t *>(buffer);
    bool whole = n || is_write || page_access(sid, iova, bytes, 0, false);
    while (n) {
        size_t part = std::min<size_t>(n, 4096 - (iova & 4095));
        if (!page_access(sid, iova, bytes, part, is_write)) {
            if (!is_write)
                memset(bytes, 0xff, part);
            whole = false;
        }
        iova += part;
        bytes += part;
        n -= part;
    }
    return whole;
}

/* A cache may lose an entry at any time; software must never rely on one being there. */
void VtdUnit::drop_some()
{
    if (!opt.drop || !chance(opt.drop))
        return;
    auto drop_from = [&](auto &cache, bool told) {
        if (cache.empty())
            return;
        auto victim = std::next(cache.begin(), long(random_state % cache.size()));
        if (told)
            tell_gone("evict", *victim);
        cache.erase(victim);
    };
    drop_from(iotlb_by_sid, true);
    drop_from(iotlb_by_did, false); /* of the same pages as the one above */
    drop_from(paging_cache, true);
    drop_from(context_cache, true);
    drop_from(iec, true);
}

} /* namespace lab */
