/* SPDX-License-Identifier: MIT */
/*
 * Tables in memory, as the trace in detail has them: software has changed an entry that the unit
 * may have used, and what a cache still holds is another one by now. The moment is that of the
 * write-back: from then on the unit can see it.
 * From: lab/bochs/plugin/vtd_unit.cc (line_written_back), vtd_walk.cc, vtd_intr.cc (tables in use)
 * To:   vtd_walk.cc (what memory holds)
 * Spec: VT-d "Page-walk Coherency", "Guidance to Software for Invalidations"
 */
#include "vtd_unit.h"
#include <cstring>

namespace lab
{

static constexpr uint64_t PAGE = bits(63, 12);

/* `words`: what the page is, in the words of the trace. */
void VtdUnit::table_used(uint64_t hpa, const std::string &words)
{
    if (host.detail())
        used_tables[hpa & PAGE] = words;
}

void VtdUnit::tell_written(uint64_t line, const Line &before, const Line &now)
{
    auto used = used_tables.find(line & PAGE);
    if (!host.detail() || used == used_tables.end())
        return;
    const std::string &words = used->second;
    bool single = !words.compare(0, 6, "second");
    for (size_t at = 0; at < now.size(); at += single ? 8 : 16) {
        uint64_t old[2] = {}, value[2] = {};
        memcpy(old, &before[at], single ? 8 : 16);
        memcpy(value, &now[at], single ? 8 : 16);
        if (!memcmp(old, value, sizeof(old)))
            continue;
        auto entry = [single](const uint64_t word[2]) {
            return single ? text("%016llx", (unsigned long long)word[0])
                          : text("%016llx.%016llx", (unsigned long long)word[1],
                                 (unsigned long long)word[0]);
        };
        tell("table written %s hpa=0x%llx before=%s after=%s", words.c_str(),
             (unsigned long long)(line + at), entry(old).c_str(), entry(value).c_str());
    }
    words == "interrupt" ? compare_interrupts() : compare_translations();
}

/* Once when it begins to differ, and once if it agrees again without a flush. */
void VtdUnit::compared(const CacheName &name, bool agrees)
{
    if (agrees ? superseded.erase(name) : superseded.insert(name).second)
        tell("%s %s %s", name.first.c_str(), agrees ? "agrees" : "superseded", name.second.c_str());
}

void VtdUnit::compare_interrupts()
{
    for (const auto &item : iec) {
        Entry128 now;
        bool readable = fetch((irta & PAGE) + 16 * uint64_t(item.first), now, true);
        compared(cache_name(item), readable && !(item.second != now));
    }
}

void VtdUnit::compare_translations()
{
    for (const auto &item : context_cache) {
        Context now = context_read(item.first, true);
        compared(cache_name(item), now.reason == item.second.reason &&
                                       (now.reason || !(now.entry != item.second.entry)));
    }
    for (const auto &item : iotlb_by_sid) {
        const Key &key = item.first;
        uint64_t iova = key.page << key.shift;
        compared(cache_name(item), same_effect(item.second, in_memory(key.tag, iova), iova));
    }
}

VtdUnit::CacheName VtdUnit::cache_name(const std::pair<const uint16_t, Context> &item)
{
    return {"context", "sid=" + bdf_text(item.first)};
}

VtdUnit::CacheName VtdUnit::cache_name(const std::pair<const Key, Leaf> &item)
{
    const Key &key = item.first;
    return {"iotlb", text("sid=%s page=0x%llx", bdf_text(key.tag).c_str(),
                          (unsigned long long)(key.page << key.shift))};
}

VtdUnit::CacheName VtdUnit::cache_name(const std::pair<const Key, Table> &item)
{
    const Key &key = item.first;
    return {"paging", text("did=%u level=%u page=0x%llx", key.tag, (key.shift - 3) / 9,
                           (unsigned long long)key.page)};
}

VtdUnit::CacheName VtdUnit::cache_name(const std::pair<const uint16_t, Entry128> &item)
{
    return {"iec", text("index=%u", item.first)};
}

} /* namespace lab */
