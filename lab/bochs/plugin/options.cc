/* SPDX-License-Identifier: MIT */
/*
 * One table of keys; everything in the machine's description is a number, except the trace file and
 * what the firmware left on.
 * From: lab/bochs/plugin/options.h      To: -
 */
#include "options.h"
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>

namespace lab
{

using Setter = std::function<void(LabOptions &, uint64_t)>;

#define NUMBER(key, place)                                                                         \
    {                                                                                              \
        key, [](LabOptions &o, uint64_t v) { o.place = decltype(o.place)(v); }                     \
    }

static const std::map<std::string, Setter> &keys()
{
    static const std::map<std::string, Setter> table = {
        NUMBER("units", units),
        NUMBER("second_width", second_width),
        NUMBER("devices", devices),
        NUMBER("ecam", ecam),
        NUMBER("card", card),
        NUMBER("large_bar", large_bar),
        NUMBER("vfs", vfs),
        NUMBER("bridge", bridge),
        NUMBER("acs", acs),
        NUMBER("pch_intx", pch_intx),
        NUMBER("trace_dma", trace_dma),
        NUMBER("trace_detail", trace_detail),
        /* the processors */
        NUMBER("arch_capabilities", processor.capabilities),
        NUMBER("commands", processor.commands),
        NUMBER("tsc_moved", processor.tsc_moved),
        NUMBER("tsc_ahead", processor.tsc_ahead),
        NUMBER("lacks_msr", processor.lacks_msr),
        NUMBER("lacks_bits", processor.lacks_bits),
        /* the remapping units */
        NUMBER("version", unit.version),
        NUMBER("width", unit.width),
        NUMBER("only_width", unit.only_width),
        NUMBER("haw", unit.haw),
        NUMBER("domain_bits", unit.domain_bits),
        NUMBER("records", unit.records),
        NUMBER("large_pages", unit.large_pages),
        NUMBER("caching_mode", unit.caching_mode),
        NUMBER("write_buffer", unit.write_buffer),
        NUMBER("page_selective", unit.page_selective),
        NUMBER("posting", unit.posting),
        NUMBER("protected_memory", unit.protected_memory),
        NUMBER("zero_length_read", unit.zero_length_read),
        NUMBER("implicit_flush", unit.implicit_flush),
        NUMBER("queue", unit.queue),
        NUMBER("remap", unit.remap),
        NUMBER("remap_required", unit.remap_required),
        NUMBER("x2apic", unit.x2apic),
        NUMBER("x2apic_required", unit.x2apic_required),
        NUMBER("pass_through", unit.pass_through),
        NUMBER("snoop_control", unit.snoop_control),
        NUMBER("coherent", unit.coherent),
        NUMBER("device_tlb", unit.device_tlb),
        NUMBER("abort_mode", unit.abort_mode),
        NUMBER("index_mask", unit.index_mask),
        NUMBER("collapse", unit.collapse),
        NUMBER("slow", unit.slow),
        NUMBER("reorder", unit.reorder),
        NUMBER("hold", unit.hold),
        NUMBER("drop", unit.drop),
        NUMBER("queue_error", unit.queue_error),
        NUMBER("timeout_error", unit.timeout_error),
        NUMBER("repeat", unit.repeat),
        NUMBER("repeat_after", unit.repeat_after),
        /* the first device's trouble */
        NUMBER("dma_delay", trouble.dma_delay),
        NUMBER("dma_split", trouble.dma_split),
        NUMBER("forged_sid", trouble.forged_sid),
        NUMBER("msi_address_xor", trouble.msi_address_xor),
        NUMBER("msi_data_xor", trouble.msi_data_xor),
        NUMBER("storm", trouble.storm),
        NUMBER("dead", trouble.dead),
        NUMBER("capability_loop", trouble.capability_loop),
        NUMBER("ignores_master", trouble.ignores_master),
        NUMBER("ready", trouble.ready),
        NUMBER("messages", trouble.messages),
        NUMBER("claims", trouble.claims),
    };
    return table;
}

/* te, ir, qi, pmr, joined by a plus sign. False: another word. */
static bool left_parse(const std::string &words, unsigned &left)
{
    static const std::map<std::string, unsigned> parts = {
        {"te", LEFT_TE}, {"ir", LEFT_IR}, {"qi", LEFT_QI}, {"pmr", LEFT_PMR}};
    for (size_t at = 0; at <= words.size();) {
        size_t end = std::min(words.find('+', at), words.size());
        auto part = parts.find(words.substr(at, end - at));
        if (part == parts.end())
            return false;
        left |= part->second;
        at = end + 1;
    }
    return true;
}

constexpr uint64_t LARGE_BAR_MAX = 256 << 10; /* MiB: what the window of the card's port holds */

static bool is_power_of_2(uint64_t n) { return n && !(n & (n - 1)); }

/* The first key whose value cannot be, and which can; nullptr: there is none. */
static const char *out_of_range(const LabOptions &o)
{
    const VtdOptions &u = o.unit;
    const struct {
        bool good;
        const char *says;
    } rules[] = {
        {o.units <= 2, "units: 0 to 2"},
        {o.devices <= 5, "devices: 0 to 5, for which Bochs has room"},
        {u.version >= 1 && u.version <= 15, "version: 1 to 15"},
        {u.width == 39 || u.width == 48, "width: 39 or 48"},
        {u.haw >= 32 && u.haw <= 46 && u.haw <= u.width, "haw: 32 to 46, and not above width"},
        {o.second_width == 0 || o.second_width == 39 || o.second_width == 48 ||
             o.second_width == 57,
         "second_width: 39, 48 or 57"},
        {u.domain_bits >= 4 && u.domain_bits <= 16 && u.domain_bits % 2 == 0,
         "domain_bits: 4 to 16, even"},
        {u.records >= 1 && u.records <= 16, "records: 1 to 16"},
        {u.large_pages <= 2, "large_pages: 0 to 2"},
        {u.drop <= 100, "drop: 0 to 100"},
        {u.index_mask <= 15, "index_mask: 0 to 15"},
        {o.trouble.messages <= 32 && is_power_of_2(o.trouble.messages),
         "messages: 1, 2, 4, 8, 16 or 32"},
        {o.trouble.claims <= CLAIM_MSIX_BEYOND, "claims: no such claim"},
        {o.vfs <= 64, "vfs: 0 to 64"},
        {o.large_bar <= LARGE_BAR_MAX && (!o.large_bar || is_power_of_2(o.large_bar)),
         "large_bar: a power of 2, in MiB, up to 256 GiB"},
        {o.card || !o.large_bar, "large_bar: wants card=1"},
        {o.ecam || !(o.card || o.vfs || o.bridge), "card, vfs, bridge: want ecam=1"},
    };
    for (const auto &rule : rules)
        if (!rule.good)
            return rule.says;
    return nullptr;
}

bool options_parse(const std::string &words, LabOptions &options, std::string &error)
{
    size_t at = 0;
    while (at < words.size()) {
        size_t end = words.find(',', at);
        if (end == std::string::npos)
            end = words.size();
        std::string word = words.substr(at, end - at);
        at = end + 1;
        size_t equals = word.find('=');
        std::string key = word.substr(0, equals);
        std::string value = equals == std::string::npos ? "1" : word.substr(equals + 1);
        if (word.empty())
            continue;
        if (key == "trace") {
            options.trace = value;
            continue;
        }
        if (key == "left" && left_parse(value, options.left))
            continue;
        char *rest = nullptr;
        uint64_t number = strtoull(value.c_str(), &rest, 0);
        auto known = keys().find(key);
        if (known == keys().end() || value.empty() || *rest) {
            error = "lab machine: " + word +
                    (known == keys().end() ? ": no such key" : ": not a number");
            return false;
        }
        known->second(options, number);
    }
    if (options.unit.width == 39 && options.unit.haw > 39)
        options.unit.haw = 39; /* MGAW is at least the host address width */
    if (options.left & LEFT_PMR)
        options.unit.protected_memory = true;
    if (const char *says = out_of_range(options)) {
        error = std::string("lab machine: ") + says;
        return false;
    }
    return true;
}

} /* namespace lab */
