/* SPDX-License-Identifier: MIT */
/*
 * Writes on their way to memory, and what makes them arrive: their time, a request of the same
 * requester behind them, and those commands of which the specification says that they drain.
 * Nothing else does. And the order in which invalidations take effect.
 * From: lab/bochs/plugin/vtd_walk.cc (requests), vtd_queue.cc, vtd_command.cc (commands)
 * To: lab/bochs/plugin/host.h (memory)
 * Spec: VT-d "Draining of Requests to Memory", "Queued Invalidation Ordering Considerations"; PCI
 * "Transaction Ordering"
 */
#include "vtd_unit.h"
#include <algorithm>

namespace lab
{

/* A write waits in the root complex; a read of the same requester pushes its writes out. */
bool VtdUnit::transfer(const Request &request, uint8_t *buffer, size_t n, bool is_write)
{
    if (is_protected(request.hpa, n)) { /* such requests "are not recorded or reported" */
        say(text("blocked sid=%s hpa=0x%llx in protected memory, not reported",
                 bdf_text(request.sid).c_str(), (unsigned long long)request.hpa));
        return false;
    }
    if (!is_write) {
        push(request.sid);
        return !n || host.read(request.hpa, buffer, n);
    }
    for (uint64_t line = request.hpa & ~bits(5, 0); line < request.hpa + n; line += 64)
        seen_lines.erase(line); /* devices write through */
    if (!opt.hold)
        return host.write(request.hpa, buffer, n);
    held.push_back({request, host.now() + opt.hold, std::vector<uint8_t>(buffer, buffer + n)});
    return true;
}

void VtdUnit::push(uint16_t sid)
{
    release([&](const HeldWrite &write) { return write.request.sid == sid; });
}

void VtdUnit::drain_all(const char *why)
{
    if (size_t n = release([](const HeldWrite &) { return true; }))
        say(text("drain writes=%zu by %s", n, why));
}

/* An IOTLB invalidation with DW: all writes, those of the domain, or those to the addresses. */
void VtdUnit::drain_for(const Entry128 &d)
{
    unsigned granularity = unsigned(field(d.lo, 5, 4));
    int did = iotlb_domain(d);
    bool drains = (d.lo & bit(6)) || opt.version >= VERSION_DRAINS;
    auto meant = [&](const HeldWrite &write) {
        const Request &r = write.request;
        return granularity == GLOBAL ||
               (r.did == did &&
                (granularity == DOMAIN_SELECTIVE || covers(d, r.iova & ~bits(11, 0), 12, true)));
    };
    size_t waiting = size_t(std::count_if(held.begin(), held.end(), meant));
    if (!waiting)
        return;
    if (!drains)
        return say(text("flush without drain held=%zu", waiting));
    release(meant);
    say(text("drain writes=%zu by invalidation", waiting));
}

/* When is this command done? In the order of the queue, or in any that is allowed: an IOTLB
 * invalidation after those of the context-cache before it, one of a device-TLB after those of the
 * IOTLB and of interrupt entries, a wait after all; and nothing before a fence behind it. */
uint64_t VtdUnit::due_for(const Entry128 &d)
{
    uint64_t now = host.now(), slow = opt.slow, due = now + slow;
    if (opt.reorder && slow) {
        chance(0);
        due = now + 1 + random_state % slow;
    }
    uint64_t after = opt.reorder ? fence_done : all_done;
    switch (type_of(d.lo)) {
    case INV_CONTEXT:
        due = context_done = std::max({due, after, context_done});
        break;
    case INV_IOTLB:
        due = iotlb_done = std::max({due, after, context_done});
        break;
    case INV_DEVICE_TLB:
        due = std::max({due, after, iotlb_done, iec_done});
        break;
    case INV_IEC:
        due = iec_done = std::max(due, after);
        break;
    case INV_WAIT:
        due = std::max(due, all_done);
        if (d.lo & bit(6))
            fence_done = due;
        break;
    }
    all_done = std::max(all_done, due);
    return due;
}

} /* namespace lab */
