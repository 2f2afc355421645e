/* SPDX-License-Identifier: MIT */
/*
 * Interrupt requests: compatibility and remappable format, the interrupt entry cache, remapping and
 * posting.
 * From: lab/bochs/plugin/device.cc, lab/bochs/plugin/ioapic.cc      To: host.h (deliver)
 * Spec: VT-d "Interrupt-Remapping Hardware Operation", "Interrupt-Posting Hardware Operation",
 * "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts", "Interrupt Remapping Table
 * Entry (IRTE) for Posted Interrupts", "Posted Interrupt Descriptor (PID)"
 */
#include "vtd_unit.h"
#include <cstring>

namespace lab
{

static constexpr uint64_t IRTE_P = bit(0), IRTE_FPD = bit(1), IRTE_URG = bit(14), IRTE_IM = bit(15);
enum : unsigned { SVT_NONE = 0, SVT_SID = 1, SVT_BUS = 2, SVT_RESERVED = 3 };

/* Interrupt faults are Unsupported Requests to the source; qualified ones obey FPD. */
bool VtdUnit::blocked(uint16_t sid, uint8_t reason, unsigned index, bool fpd)
{
    bool qualified = reason == FAULT_IR_P || reason == FAULT_IR_RSVD || reason == FAULT_IR_SID ||
                     reason == FAULT_PID_ACCESS || reason == FAULT_PID_RSVD;
    if (qualified && fpd)
        say(text("blocked sid=%s reason=0x%02x index=%u not reported", bdf_text(sid).c_str(),
                 reason, index));
    else
        fault(sid, reason, uint64_t(index) << 48, false);
    return false;
}

bool VtdUnit::interrupt(uint16_t sid, uint64_t address, uint32_t data)
{
    push(sid); /* a message stays behind the writes of the same requester */
    if (!(gsts & G_IRE))
        return opt.remap_required && remaps() ? blocked(sid, FAULT_IR_DISABLED, 0, false)
                                              : compatibility(sid, address, data);
    if (opt.x2apic_required && !x2apic_mode())
        return blocked(sid, FAULT_IR_EIME, 0, false);
    if (!(address & bit(4))) {
        if (x2apic_mode() || !(gsts & G_CFI))
            return blocked(sid, FAULT_IR_COMPAT, 0, false);
        return compatibility(sid, address, data);
    }
    bool shv = address & bit(3);
    if (shv && data >> 16)
        return blocked(sid, FAULT_IR_REQUEST, 0, false);
    unsigned index = unsigned(field(address, 19, 5) | field(address, 2, 2) << 15);
    if (shv)
        index += data & 0xffff;
    if (index >= bit(unsigned(field(irta, 3, 0)) + 1))
        return blocked(sid, FAULT_IR_INDEX, index & 0xffff, false);
    Entry128 irte;
    if (uint8_t reason = irte_lookup(sid, index, irte))
        return blocked(sid, reason, index, irte.lo & IRTE_FPD);
    return irte.lo & IRTE_IM ? post(sid, index, irte) : remap(sid, irte);
}

/* "Interrupt Requests in Compatibility Format" */
bool VtdUnit::compatibility(uint16_t sid, uint64_t address, uint32_t data)
{
    Message message;
    message.vector = uint8_t(data);
    message.mode = uint8_t(field(data, 10, 8));
    message.level = data & bit(15);
    message.dest = uint32_t(field(address, 19, 12));
    message.logical = address & bit(2);
    say(text("interrupt compatibility sid=%s vector=0x%02x dest=0x%x", bdf_text(sid).c_str(),
             message.vector, message.dest));
    host.deliver(message);
    return true;
}

void VtdUnit::tell_irte(const char *what, uint16_t sid, unsigned index, const Entry128 &irte)
{
    tell("iec %s sid=%s index=%u entry=%016llx.%016llx", what, bdf_text(sid).c_str(), index,
         (unsigned long long)irte.hi, (unsigned long long)irte.lo);
}

/* From the interrupt entry cache if it is there, however old. Returns why the request is refused.
 * "Interrupt Entry Cache": an entry with which one is refused is kept only with Caching Mode. Where
 * the write buffer has to be flushed, an absent entry is remembered until it is. */
uint8_t VtdUnit::irte_lookup(uint16_t sid, unsigned index, Entry128 &irte)
{
    Entry128 fresh;
    uint64_t address = (irta & ~bits(11, 0)) + 16 * uint64_t(index);
    if (address >> opt.haw)
        return FAULT_IR_INDEX;
    bool readable = fetch(address, fresh, true);
    drop_some();
    if (iec_unflushed)
        advise(text("iec advice sid=%s not flushed since SIRTP", bdf_text(sid).c_str()));
    auto hit = iec.find(uint16_t(index));
    if (hit != iec.end()) {
        irte = hit->second;
        tell_irte("hit", sid, index, irte);
        if (!readable || irte != fresh)
            say(text("iec stale sid=%s index=%u cached=%016llx.%016llx now=%016llx.%016llx",
                     bdf_text(sid).c_str(), index, (unsigned long long)irte.hi,
                     (unsigned long long)irte.lo, (unsigned long long)fresh.hi,
                     (unsigned long long)fresh.lo));
        return irte_check(sid, irte);
    }
    if (!fetch(address, irte, false))
        return FAULT_IR_ACCESS;
    table_used(address, "interrupt");
    if (irte != fresh)
        say(text("irte stale sid=%s index=%u: not written back", bdf_text(sid).c_str(), index));
    uint8_t reason = irte_check(sid, irte);
    bool fills = !reason || opt.caching_mode || (opt.write_buffer && !(irte.lo & IRTE_P));
    if (fills)
        iec[uint16_t(index)] = irte;
    tell_irte(fills ? "fill" : "read", sid, index, irte);
    return reason;
}

static bool source_matches(uint16_t sid, uint64_t hi)
{
    static const uint16_t ignored[] = {0, 4, 6, 7}; /* "Source-id Qualifier" */
    uint16_t wanted = uint16_t(hi);
    switch (field(hi, 19, 18)) {
    case SVT_SID:
        return ((sid ^ wanted) & ~ignored[field(hi, 17, 16)] & 0xffff) == 0;
    case SVT_BUS:
        return sid >> 8 >= wanted >> 8 && sid >> 8 <= (wanted & 0xff);
    default:
        return true;
    }
}

/* In the order of "Interrupt-Remapping Hardware Operation": present, source-id, then the format. */
uint8_t VtdUnit::irte_check(uint16_t sid, const Entry128 &irte) const
{
    bool posted = irte.lo & IRTE_IM, posting = opt.posting;
    if (!(irte.lo & IRTE_P))
        return FAULT_IR_P;
    if (field(irte.hi, 19, 18) == SVT_RESERVED)
        return FAULT_IR_RSVD;
    if (!source_matches(sid, irte.hi))
        return FAULT_IR_SID;
    uint64_t reserved_lo, reserved_hi;
    if (posted) {
        reserved_lo = bits(7, 2) | bits(13, 12) | bits(37, 24);
        reserved_hi = bits(31, 20);
        if (opt.haw < 64)
            reserved_hi |= opt.haw > 32 ? bits(63, opt.haw) : bits(63, 32);
    } else {
        reserved_lo = bits(14, 12) | bits(31, 24);
        if (!x2apic_mode())
            reserved_lo |= bits(39, 32) | bits(63, 48);
        reserved_hi = bits(63, 20);
    }
    unsigned mode = unsigned(field(irte.lo, 7, 5));
    if ((posted && !posting) || (irte.lo & reserved_lo) || (irte.hi & reserved_hi))
        return FAULT_IR_RSVD;
    return !posted && (mode == 3 || mode == 6) ? FAULT_IR_RSVD : FAULT_NONE;
}

bool VtdUnit::remap(uint16_t sid, const Entry128 &irte)
{
    Message message;
    message.vector = uint8_t(field(irte.lo, 23, 16));
    message.mode = uint8_t(field(irte.lo, 7, 5));
    message.level = irte.lo & bit(4);
    message.logical = irte.lo & bit(2);
    message.dest = uint32_t(x2apic_mode() ? field(irte.lo, 63, 32) : field(irte.lo, 47, 40));
    say(text("interrupt remapped sid=%s vector=0x%02x dest=0x%x%s", bdf_text(sid).c_str(),
             message.vector, message.dest, message.level ? " level" : ""));
    host.deliver(message);
    return true;
}

/* The entry is in order, its descriptor is not. */
bool VtdUnit::post_refused(uint16_t sid, uint8_t reason, unsigned index, const Entry128 &irte)
{
    auto kept = iec.find(uint16_t(index));
    if (!opt.caching_mode && kept != iec.end()) {
        tell_gone("evict", *kept);
        iec.erase(kept);
    }
    return blocked(sid, reason, index, irte.lo & IRTE_FPD);
}

/* PIR, ON, SN, NV and NDST change in one step: Bochs runs one thing at a time, and no memory access
 * of a processor falls between the read and the write below. */
bool VtdUnit::post(uint16_t sid, unsigned index, const Entry128 &irte)
{
    uint64_t address = (irte.hi & bits(63, 32)) | (field(irte.lo, 63, 38) << 6);
    uint64_t pid[8];
    if (!host.read(address, pid, sizeof(pid)))
        return post_refused(sid, FAULT_PID_ACCESS, index, irte);
    uint64_t reserved = bits(15, 2) | bits(31, 24); /* of the quadword with ON, SN, NV, NDST */
    if (!x2apic_mode())
        reserved |= bits(39, 32) | bits(63, 48);
    if ((pid[4] & reserved) || pid[5] || pid[6] || pid[7])
        return post_refused(sid, FAULT_PID_RSVD, index, irte);
    unsigned vector = unsigned(field(irte.lo, 23, 16));
    bool on = pid[4] & bit(0), sn = pid[4] & bit(1), urgent = irte.lo & IRTE_URG;
    bool notify = !on && (urgent || !sn);
    uint64_t before = pid[4];
    pid[vector / 64] |= bit(vector % 64);
    pid[4] |= notify;
    if (!host.write(address, pid, sizeof(pid)))
        return post_refused(sid, FAULT_PID_ACCESS, index, irte);
    say(text("post sid=%s vector=0x%02x pid=0x%llx on=%d sn=%d urg=%d notify=%d",
             bdf_text(sid).c_str(), vector, (unsigned long long)address, on, sn, urgent, notify));
    tell("descriptor pid=0x%llx before=0x%llx after=0x%llx pir=%016llx.%016llx.%016llx.%016llx",
         (unsigned long long)address, (unsigned long long)before, (unsigned long long)pid[4],
         (unsigned long long)pid[3], (unsigned long long)pid[2], (unsigned long long)pid[1],
         (unsigned long long)pid[0]);
    if (!notify)
        return true;
    Message message; /* fixed, physical, edge */
    message.vector = uint8_t(field(pid[4], 23, 16));
    message.dest = uint32_t(x2apic_mode() ? pid[4] >> 32 : field(pid[4], 47, 40));
    say(text("notify vector=0x%02x dest=0x%x", message.vector, message.dest));
    host.deliver(message);
    return true;
}

} /* namespace lab */
