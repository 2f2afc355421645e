/* SPDX-License-Identifier: MIT */
/*
 * A TLB that keeps its entries across VM entry and VM exit, tagged as the manual says, and a cache
 * of guest-physical mappings. Bochs as shipped flushes everything at both, so it forgives a missing
 * INVVPID or INVEPT.
 * From: lab/bochs/mends/tlb.py (the edits that include this file inside of class BX_CPU_C).
 * Spec: SDM "Information That May Be Cached", "Creating and Using Cached Translation Information",
 * "Operations that Invalidate Cached Mappings".
 *
 * One whole TLB per tag: the current one is `now`. In a guest that is not paging no linear address
 * is translated, so what was cached then is of another tag. Bochs keeps in an entry what CR0.WP,
 * SMEP, SMAP and the debug registers allowed when it was made, which a CPU looks at again for each
 * access: where these differ (`baked`), the entries are dropped.
 */
struct TaggedTlb {
    enum { CONTEXTS = 12, EPTS = 8, PAGES = 1024 };

    struct Context {
        TLB<BX_DTLB_SIZE> data;
        TLB<BX_ITLB_SIZE> code;
        bool used, guest, paging;
        Bit16u vpid;
        Bit64u ept, baked, last;
    };

    /* Guest-physical mappings of one EPT. Only INVEPT and an EPT violation remove them. */
    struct Ept {
        bool used;
        Bit64u ept, last;
        struct {
            Bit64u from, to;
            Bit32u rights;
            bool dirty;
        } page[PAGES];
    };

    Context contexts[CONTEXTS]; /* the first: VMX root operation, and guests without VPID */
    Context *now;
    Ept epts[EPTS];
    Bit64u clock;

    TaggedTlb() { forget(); }

    static Bit64u ep4ta(Bit64u eptp) { return eptp & BX_CONST64(0x000ffffffffff000); }

    static void drop(Context *c)
    {
        c->data.flush();
        c->code.flush();
    }

    /* As after a reset. */
    void forget()
    {
        memset(epts, 0, sizeof(epts));
        clock = 0;
        for (Context *c = contexts; c < contexts + CONTEXTS; c++) {
            drop(c);
            c->used = c == contexts;
            c->guest = c->paging = false;
            c->vpid = 0;
            c->ept = c->baked = c->last = 0;
        }
        now = contexts;
    }

    /* Where the machine's memory map changes, or its APIC moves: host addresses are stale. */
    void drop_all()
    {
        for (Context *c = contexts; c < contexts + CONTEXTS; c++)
            drop(c);
    }

    void select_root(Bit64u baked)
    {
        now = contexts;
        if (now->baked != baked)
            drop(now);
        now->baked = baked;
    }

    void select_guest(Bit16u vpid, Bit64u ept, bool paging, Bit64u baked)
    {
        Context *victim = contexts + 1;
        for (Context *c = contexts + 1; c < contexts + CONTEXTS; c++) {
            if (c->used && c->vpid == vpid && c->ept == ept && c->paging == paging) {
                if (c->baked != baked)
                    drop(c);
                c->baked = baked;
                c->last = ++clock;
                now = c;
                return;
            }
            if (!c->used || (victim->used && c->last < victim->last))
                victim = c;
        }
        drop(victim);
        victim->used = victim->guest = true;
        victim->vpid = vpid;
        victim->ept = ept;
        victim->paging = paging;
        victim->baked = baked;
        victim->last = ++clock;
        now = victim;
    }

    /* "Required only for the current VPID, but for combined mappings for all EP4TAs." */
    void flush_vpid(Bit16u vpid, bool globals)
    {
        for (Context *c = contexts; c < contexts + CONTEXTS; c++) {
            if (!c->used || c->vpid != vpid)
                continue;
            if (globals) {
                drop(c);
            } else {
                c->data.flushNonGlobal();
                c->code.flushNonGlobal();
            }
        }
    }

    void flush_page(Bit16u vpid, bx_address laddr)
    {
        for (Context *c = contexts; c < contexts + CONTEXTS; c++) {
            if (!c->used || c->vpid != vpid)
                continue;
            c->data.invlpg(laddr);
            c->code.invlpg(laddr);
        }
    }

    void flush_guests()
    {
        for (Context *c = contexts + 1; c < contexts + CONTEXTS; c++)
            if (c->used)
                drop(c);
    }

    /* INVEPT: guest-physical mappings, and combined mappings of every VPID. 0: of every EPT. */
    void flush_ept(Bit64u ept)
    {
        for (Context *c = contexts + 1; c < contexts + CONTEXTS; c++)
            if (c->used && c->ept && (!ept || c->ept == ept))
                drop(c);
        for (Ept *e = epts; e < epts + EPTS; e++)
            if (!ept || e->ept == ept)
                e->used = false;
    }

    Ept *ept_of(Bit64u ept)
    {
        Ept *victim = epts;
        for (Ept *e = epts; e < epts + EPTS; e++) {
            if (e->used && e->ept == ept) {
                e->last = ++clock;
                return e;
            }
            if (!e->used || (victim->used && e->last < victim->last))
                victim = e;
        }
        memset(victim, 0, sizeof(*victim));
        victim->used = true;
        victim->ept = ept;
        victim->last = ++clock;
        return victim;
    }

    /* Bit 0 of `from` is 1 in an entry that is in use. */
    bool ept_hit(Bit64u ept, Bit64u at, Bit32u need, bool need_dirty, Bit64u *to)
    {
        Ept *e = ept_of(ept);
        unsigned n = unsigned(at >> 12) % PAGES;
        if (e->page[n].from != (LPFOf(at) | 1) || (need & ~e->page[n].rights) ||
            (need_dirty && !e->page[n].dirty))
            return false;
        *to = e->page[n].to | PAGE_OFFSET(at);
        return true;
    }

    void ept_fill(Bit64u ept, Bit64u at, Bit64u to, Bit32u rights, bool dirty)
    {
        Ept *e = ept_of(ept);
        unsigned n = unsigned(at >> 12) % PAGES;
        e->page[n].from = LPFOf(at) | 1;
        e->page[n].to = LPFOf(to);
        e->page[n].rights = rights;
        e->page[n].dirty = dirty;
    }

    void ept_violation(Bit64u ept, Bit64u at)
    {
        Ept *e = ept_of(ept);
        unsigned n = unsigned(at >> 12) % PAGES;
        if (e->page[n].from == (LPFOf(at) | 1))
            e->page[n].from = 0;
    }
};
