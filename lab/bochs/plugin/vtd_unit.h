/* SPDX-License-Identifier: MIT */
/*
 * A VT-d remapping unit in legacy mode, with caches that really go stale: whatever it has once read
 * it keeps until software flushes it. Strict where the specification says "must", and it writes
 * into the trace whenever a cached entry differs from what memory says now.
 * From: glue.cc (registers, requests of the devices)
 * To: vtd_unit.cc registers; vtd_command.cc commands; vtd_fault.cc faults and events; vtd_walk.cc
 * DMA; vtd_order.cc writes on their way; vtd_queue.cc invalidation; vtd_tables.cc what becomes of
 * tables; vtd_intr.cc interrupts; vtd_left.cc firmware
 * Spec: VT-d "DMA Remapping", "Interrupt Remapping", "Caching Translation Information"
 */
#pragma once
#include "vtd_spec.h"
#include <array>
#include <deque>
#include <map>
#include <set>
#include <unordered_set>
#include <vector>

namespace lab
{

/* What this unit reports in VER, CAP and ECAP, and the trouble it makes. */
struct VtdOptions {
    unsigned version = 1;       /* VER.MAX */
    unsigned width = 48;        /* widest second stage: 39, 48, or 57, which nothing else has */
    bool only_width = false;    /* offer only the one above, not the narrower 39 */
    unsigned haw = 40;          /* host address width; bits above are reserved in every pointer */
    unsigned domain_bits = 16;  /* 4, 6 .. 16 */
    unsigned records = 4;       /* fault recording registers, 1..16 */
    unsigned large_pages = 2;   /* 0: 4K only; 1: and 2M; 2: and 1G */
    bool caching_mode = false;  /* CAP.CM */
    bool write_buffer = false;  /* CAP.RWBF */
    bool page_selective = true; /* CAP.PSI */
    bool posting = true;        /* CAP.PI */
    bool protected_memory = false; /* CAP.PLMR, CAP.PHMR */
    bool zero_length_read = true;  /* CAP.ZLR */
    bool implicit_flush = false;   /* CAP.ESRTPS, CAP.ESIRTPS */
    bool queue = true;             /* ECAP.QI; without it there is no interrupt remapping either */
    bool remap = true;             /* ECAP.IR */
    bool remap_required = false;   /* ECAP.IRREQ */
    bool x2apic = true;            /* ECAP.EIM */
    bool x2apic_required = false;  /* ECAP.EIMER */
    bool pass_through = true;      /* ECAP.PT */
    bool snoop_control = false;    /* ECAP.SC */
    bool coherent = false;         /* ECAP.C */
    bool device_tlb = false;       /* ECAP.DT */
    bool abort_mode = false;       /* ECAP.ADMS */
    unsigned index_mask = 15;      /* ECAP.MHMV */
    bool collapse = false;         /* one pending fault of each source-id */
    unsigned slow = 0;             /* ticks from an invalidation command to its effect */
    bool reorder = false;          /* commands overtake each other where they may */
    unsigned hold = 0;             /* ticks that a translated write waits in the root complex */
    unsigned drop = 0;             /* percent of look-ups before which one entry is dropped */
    unsigned queue_error = 0;      /* every n-th descriptor cannot be fetched (IQE) */
    unsigned timeout_error = 0;    /* every n-th device-TLB invalidation is not answered (ITE) */
    unsigned repeat = 0;           /* a device tries a refused request so often again ... */
    unsigned repeat_after = 1000;  /* ... so many ticks later */
};

/* What the firmware has left on. */
enum : unsigned { LEFT_TE = 1, LEFT_IR = 2, LEFT_QI = 4, LEFT_PMR = 8 };

/* Write one half of a register of 64 bits: those of its bits that are writable. */
inline void set_half(uint64_t &reg, unsigned offset, uint32_t value, uint64_t writable)
{
    uint64_t placed = offset & 4 ? uint64_t(value) << 32 : value;
    uint64_t half = offset & 4 ? bits(63, 32) : bits(31, 0);
    reg = (reg & ~(half & writable)) | (placed & half & writable);
}

class VtdUnit
{
  public:
    VtdUnit(Host &host, const VtdOptions &options, std::string name);

    /* Registers: 4- and 8-byte accesses, naturally aligned. */
    uint64_t mmio_read(unsigned offset, unsigned size);
    void mmio_write(unsigned offset, uint64_t value, unsigned size);

    /* A memory request of requester sid. False: blocked (Unsupported Request). */
    bool dma(uint16_t sid, uint64_t iova, void *buffer, size_t n, bool is_write);
    /* An interrupt request: a DWORD write to FEEx_xxxx. */
    bool interrupt(uint16_t sid, uint64_t address, uint32_t data);

    /* A completion of this requester is on its way: its writes arrive before. */
    void push(uint16_t sid);
    /* A processor wrote back the line at this address; ~0: every line. */
    void line_written_back(uint64_t address);

    /* Start as the firmware left it, with its tables at `at`, LEFT_SIZE bytes of memory. */
    void left_on(unsigned what, uint64_t at);
    static constexpr uint64_t LEFT_SIZE = 0x4000;

    /* Time: do what is due; when is something due next? */
    void tick();
    uint64_t next_due() const;

  private:
    struct Entry128 {
        uint64_t lo = 0, hi = 0;
        bool operator!=(const Entry128 &o) const { return lo != o.lo || hi != o.hi; }
    };
    /* A context entry that was looked at, or the reason why there is none. */
    struct Context {
        Entry128 entry;
        uint8_t reason = FAULT_NONE;
        uint16_t did() const { return uint16_t(field(entry.hi, 23, 8)); }
        bool fpd() const { return entry.lo & 2; }
    };
    /* A leaf: hpa of the page that holds iova, its rights; or why there is none. */
    struct Leaf {
        uint64_t hpa = 0;
        uint16_t did = 0;
        uint8_t shift = 12;
        bool r = false, w = false, fpd = false;
        uint8_t reason = FAULT_NONE;
        uint8_t verdict(bool is_write) const; /* FAULT_NONE: such an access may pass */
    };
    struct Table { /* where a non-leaf entry points, with the rights gathered on the way */
        uint64_t hpa;
        bool r, w;
    };
    struct Key { /* tag (source-id or domain-id), level shift, input address >> shift */
        uint16_t tag;
        uint8_t shift;
        uint64_t page;
        bool operator<(const Key &o) const
        {
            return tag != o.tag ? tag < o.tag : shift != o.shift ? shift < o.shift : page < o.page;
        }
    };
    using Iotlb = std::map<Key, Leaf>;
    struct Command { /* an invalidation that was accepted and is due later */
        Entry128 d;
        uint64_t due;
        uint64_t from_register; /* 0, VTD_CCMD or VTD_IOTLB: which status to report */
    };
    struct Request { /* where it goes, and from where */
        uint16_t sid;
        int did; /* -1: it was not translated */
        uint64_t iova, hpa;
    };
    struct HeldWrite {
        Request request;
        uint64_t due;
        std::vector<uint8_t> data;
    };
    struct Repeat { /* a refused request that its device will try again */
        uint16_t sid;
        uint64_t iova, due;
        bool is_read;
        unsigned left;
    };
    struct Record {
        uint64_t lo = 0, hi = 0;
    };
    struct Event { /* fault event and invalidation event: the same four registers */
        uint32_t control = EV_IM, data = 0, address = 0, upper = 0;
    };

    /* vtd_unit.cc */
    uint64_t cap() const;
    uint64_t ecap() const;
    static const std::map<unsigned, uint64_t VtdUnit::*> registers64;
    static const std::map<unsigned, uint32_t VtdUnit::*> registers32;
    static uint32_t read_event(const Event &event, unsigned index);
    uint32_t read32(unsigned offset);
    void write32(unsigned offset, uint32_t value);
    void write_queue(unsigned offset, uint32_t value);
    bool fetch(uint64_t hpa, Entry128 &entry, bool snoop);
    bool table_read(uint64_t hpa, void *to, size_t n, bool snoop);
    bool chance(unsigned percent);
    void say(const std::string &line);
    template <typename... Args> void tell(const char *format, Args... args)
    {
        if (host.detail())
            say(text(format, args...));
    }
    void advise(const std::string &line);
    void violation(const std::string &rule);

    /* vtd_command.cc */
    void write_gcmd(uint32_t value);
    void gcmd_check(uint32_t value, uint32_t changed);
    void root_table_set();
    void interrupt_table_set();
    void write_irta(unsigned offset, uint32_t value);
    void table_set_check(const char *table, uint64_t first, uint64_t size);
    void write_protected(unsigned offset, uint32_t value);
    void protected_settle();
    bool is_protected(uint64_t hpa, size_t n) const;

    /* vtd_fault.cc */
    void write_event(Event &event, unsigned index, uint32_t value, bool condition);
    uint32_t fsts() const;
    void write_fsts(uint32_t value);
    void write_record(unsigned index, uint32_t value);
    void fault(uint16_t sid, uint8_t reason, uint64_t info, bool is_read);
    const char *record(uint16_t sid, uint8_t reason, uint64_t info, bool is_read);
    void raise(Event &event);
    bool any_fault_status() const;
    void settle_fault_event();
    void repeat_later(uint16_t sid, uint64_t iova, bool is_read);
    void repeat_due();

    /* vtd_walk.cc */
    Context context_read(uint16_t sid, bool snoop);
    Context context_lookup(uint16_t sid);
    void domain_seen(uint16_t sid, const Context &context);
    uint8_t context_check(const Entry128 &entry) const;
    unsigned context_width(const Entry128 &entry) const;
    uint8_t entry_reserved(uint64_t entry, unsigned shift, bool leaf) const;
    Leaf walk(const Context &context, uint64_t iova, bool use_cache);
    Leaf *iotlb_find(Iotlb &cache, uint16_t tag, uint64_t iova);
    Leaf iotlb_lookup(uint16_t sid, uint64_t iova, size_t n, bool is_write);
    void iotlb_keep(uint16_t sid, uint64_t iova, const Leaf &leaf, bool faults);
    void tell_leaf(const char *what, uint16_t sid, uint64_t iova, const Leaf &leaf);
    Leaf in_memory(uint16_t sid, uint64_t iova);
    static bool same_effect(const Leaf &cached, const Leaf &now, uint64_t iova);
    void stale_check(const char *cache, uint16_t sid, uint64_t iova, const Leaf &cached);
    bool page_access(uint16_t sid, uint64_t iova, uint8_t *buffer, size_t n, bool is_write);
    uint8_t refusal(const Leaf &leaf, uint64_t iova, size_t n, bool is_write) const;
    bool refuse(uint16_t sid, const Leaf &leaf, uint64_t iova, bool is_write);
    void drop_some();

    /* vtd_order.cc */
    bool transfer(const Request &request, uint8_t *buffer, size_t n, bool is_write);
    template <typename Predicate> size_t release(Predicate goes)
    {
        size_t n = 0;
        for (auto it = held.begin(); it != held.end();) {
            if (!goes(*it)) {
                ++it;
                continue;
            }
            host.write(it->request.hpa, it->data.data(), it->data.size());
            it = held.erase(it);
            ++n;
        }
        return n;
    }
    void drain_all(const char *why);
    void drain_for(const Entry128 &d);
    uint64_t due_for(const Entry128 &d);

    /* vtd_tables.cc */
    using Line = std::array<uint8_t, 64>;
    using CacheName = std::pair<std::string, std::string>; /* "iec", "index=5" */
    void table_used(uint64_t hpa, const std::string &words);
    void tell_written(uint64_t line, const Line &before, const Line &now);
    void compared(const CacheName &name, bool agrees);
    void compare_interrupts();
    void compare_translations();
    static CacheName cache_name(const std::pair<const uint16_t, Context> &item);
    static CacheName cache_name(const std::pair<const Key, Leaf> &item);
    static CacheName cache_name(const std::pair<const Key, Table> &item);
    static CacheName cache_name(const std::pair<const uint16_t, Entry128> &item);

    /* vtd_queue.cc */
    template <typename Cache, typename Predicate> size_t flush_from(Cache &cache, Predicate gone);
    template <typename Item> void tell_gone(const char *what, const Item &item)
    {
        if (!host.detail())
            return;
        CacheName name = cache_name(item);
        superseded.erase(name);
        tell("%s %s %s", name.first.c_str(), what, name.second.c_str());
    }
    void queue_run();
    void queue_stop(uint32_t status, uint8_t info);
    uint8_t descriptor_check(const Entry128 &d) const;
    void command_accept(const Entry128 &d, unsigned from_register);
    void command_finish(const Command &command);
    void context_invalidate(const Entry128 &d);
    uint16_t iotlb_domain(const Entry128 &d) const;
    void iotlb_invalidate(const Entry128 &d);
    void iec_invalidate(const Entry128 &d);
    void wait_complete(const Entry128 &d);
    void ccmd_start();
    void iotlb_start();
    void write_buffer_flush();
    bool covers(const Entry128 &d, uint64_t base, unsigned shift, bool any_overlap) const;

    /* vtd_intr.cc */
    bool compatibility(uint16_t sid, uint64_t address, uint32_t data);
    bool remap(uint16_t sid, const Entry128 &irte);
    bool post(uint16_t sid, unsigned index, const Entry128 &irte);
    bool post_refused(uint16_t sid, uint8_t reason, unsigned index, const Entry128 &irte);
    uint8_t irte_lookup(uint16_t sid, unsigned index, Entry128 &irte);
    void tell_irte(const char *what, uint16_t sid, unsigned index, const Entry128 &irte);
    uint8_t irte_check(uint16_t sid, const Entry128 &irte) const;
    bool blocked(uint16_t sid, uint8_t reason, unsigned index, bool fpd);
    bool x2apic_mode() const { return opt.x2apic && (irta & IRTA_EIME); }
    bool remaps() const { return opt.remap && opt.queue; }

    Host &host;
    const VtdOptions opt;
    const std::string name;

    /* registers */
    uint32_t gsts = 0, fault_status = 0;
    uint64_t rtaddr = 0, ccmd = 0, iva = 0, iotlb_reg = 0;
    uint64_t iqt = 0, iqh = 0, iqa = 0, iqercd = 0, irta_reg = 0;
    uint32_t ics = 0, pmen = 0;
    uint64_t plm[2] = {0, 0}, phm[2] = {0, 0}; /* protected memory: base, limit */
    uint64_t pmen_due = NEVER;                 /* when PRS follows EPM */
    Event fault_event, inv_event;
    std::vector<Record> records;
    unsigned record_next = 0, record_first = 0;

    /* latched by SRTP and SIRTP: what the registers say now takes effect only then */
    uint64_t root = 0, irta = 0;

    /* what was read once and not flushed since */
    std::map<uint16_t, Context> context_cache;
    Iotlb iotlb_by_sid, iotlb_by_did; /* a request may be served by either tag */
    std::map<Key, Table> paging_cache;
    std::map<uint16_t, Entry128> iec;

    /* Lines of tables as memory has them: without ECAP.C the unit does not snoop, and a processor's
     * write is invisible until the line is written back. A page that was a table before keeps what
     * it was, until then. */
    std::map<uint64_t, Line> seen_lines;
    /* Of the trace in detail: pages that were used as tables, and what is held and differs. */
    std::map<uint64_t, std::string> used_tables;
    std::set<CacheName> superseded;
    /* Lines that were ever written back. A table line that never was may be anything in memory. */
    std::unordered_set<uint64_t> clean_lines;
    bool all_clean = false; /* a WBINVD while in use: from then on every line may be clean */
    /* With CAP.RWBF: lines that were written back and have got as far as the write buffer. */
    std::unordered_set<uint64_t> buffered_lines;

    /* What a domain-id stood for when it was last seen, and whether software has flushed it since:
     * first the context-cache, then the IOTLB. */
    struct Domain {
        uint64_t table = 0;
        bool context_flushed = false, iotlb_flushed = false;
    };
    std::map<uint16_t, Domain> domains;

    /* Caches that may still hold what the former table said: set by SRTP and SIRTP, cleared by
     * global invalidations. This unit, honestly, holds nothing from before, but it reports who
     * relies on that. */
    bool context_unflushed = false, iotlb_unflushed = false, iec_unflushed = false;
    bool root_is_set = false, interrupt_table_is_set = false; /* since TE, IRE was last cleared */
    std::set<std::string> advised, violated;                  /* lines that are said once */

    std::deque<Command> commands; /* by their time */
    /* "Queued Invalidation Ordering Considerations": when the last of each kind is done */
    uint64_t context_done = 0, iotlb_done = 0, iec_done = 0, all_done = 0, fence_done = 0;
    std::deque<HeldWrite> held;
    std::deque<Repeat> repeats;
    uint64_t descriptor_count = 0, device_tlb_count = 0;
    uint64_t random_state = 0x9e3779b97f4a7c15;
};

} /* namespace lab */
