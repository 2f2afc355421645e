/* SPDX-License-Identifier: MIT */
/*
 * The guest page walk. The four paging modes differ in the number of levels, the width of an entry
 * and its reserved bits. Each mode is one row of a table, and one loop walks them all.
 * From: guest/pc/linear.c, monitor/memory.c.   To: back to them, through struct gwalk_bus.
 * Spec: SDM "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging",
 * "Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags".
 */
#include "guest/insn/gwalk.h"
#include "arch/paging.h"
#include "arch/x86.h"

#define LEVELS_MAX    5

#define PDE4M_ADDR_HI BITS(20, 13) /* 32-bit paging: bits 39:32 of a 4-MByte page ("PSE-36") */
#define PDE4M_RSVD    BIT(21)
#define TABLE_ADDR    BITS(51, 12)

struct paging {
    uint8_t levels; /* that are read from memory */
    uint8_t entry_size, index_bits, linear_bits;
    uint8_t largest_page; /* level of the largest page: 1 is the page table */
};

static const struct paging paging_32 = {2, 4, 10, 32, 2};
static const struct paging paging_32_no_pse = {2, 4, 10, 32, 1};
static const struct paging paging_pae = {2, 8, 9, 32, 2};
static const struct paging paging_4_level = {4, 8, 9, 48, 3};
static const struct paging paging_5_level = {5, 8, 9, 57, 3};

/* The state of a walk. */
struct walk {
    const struct gwalk_cpu *cpu;
    const struct paging *paging;
    enum gwalk_access access;
    unsigned level;             /* of entry; 1 is the page table */
    uint64_t entry;             /* the last one read */
    uint64_t rights;            /* P, RW, US: AND of all entries; XD: OR */
    gpa_t entry_at[LEVELS_MAX]; /* by level - 1 */
};

static const struct paging *paging_of(const struct gwalk_cpu *cpu)
{
    if (!(cpu->cr0 & CR0_PG))
        return NULL;
    if (cpu->efer & EFER_LMA)
        return cpu->cr4 & CR4_LA57 ? &paging_5_level : &paging_4_level;
    if (cpu->cr4 & CR4_PAE)
        return &paging_pae;
    return cpu->cr4 & CR4_PSE ? &paging_32 : &paging_32_no_pse;
}

/* SDM "Canonical Addressing": all bits above the highest translated one equal it. */
static bool canonical(uint64_t gva, unsigned linear_bits)
{
    uint64_t high = gva & BITS(63, linear_bits - 1);
    return high == 0 || high == BITS(63, linear_bits - 1);
}

static bool nx_enabled(const struct walk *w)
{
    return w->paging->entry_size == 8 && (w->cpu->efer & EFER_NXE);
}

static unsigned level_shift(const struct paging *p, unsigned level)
{
    return 12 + p->index_bits * (level - 1);
}

static bool is_leaf(const struct walk *w)
{
    return w->level == 1 || (w->level <= w->paging->largest_page && (w->entry & PTE_PS));
}

/* SDM "32-Bit Paging": only the entry of a 4-MByte page has reserved bits, in the part that holds
 * the high bits of the address. */
static uint64_t reserved_bits_32(const struct walk *w)
{
    if (w->level == 1 || !is_leaf(w))
        return 0;
    if (w->cpu->maxphyaddr >= 40)
        return PDE4M_RSVD;
    return PDE4M_RSVD | FIELD_SET(PDE4M_ADDR_HI, BITS(7, w->cpu->maxphyaddr - 32));
}

static uint64_t reserved_bits(const struct walk *w)
{
    if (w->paging->entry_size == 4)
        return reserved_bits_32(w);

    /* bits 51:MAXPHYADDR; none if the guest's addresses are that wide */
    uint64_t reserved = w->cpu->maxphyaddr > 51 ? 0 : BITS(51, w->cpu->maxphyaddr);
    if (w->paging == &paging_pae)
        reserved |= BITS(62, 52);
    if (!nx_enabled(w))
        reserved |= PTE_NX;
    if (w->level > w->paging->largest_page)
        reserved |= PTE_PS;
    else if (w->level > 1 && is_leaf(w)) /* below the page's alignment; bit 12 is PAT */
        reserved |= BITS(level_shift(w->paging, w->level) - 1, 13);
    return reserved;
}

/* Error code of the page fault. SDM "Page-Fault Exceptions": I only with NXE or SMEP. */
static int fault(const struct walk *w, struct gwalk *out, uint64_t cause)
{
    bool tell_fetch = nx_enabled(w) || (w->cpu->cr4 & CR4_SMEP);
    out->error_code = (uint32_t)cause;
    if (w->access == GWALK_WRITE)
        out->error_code |= PFERR_W;
    if (w->cpu->cpl == 3)
        out->error_code |= PFERR_U;
    if (w->access == GWALK_FETCH && tell_fetch)
        out->error_code |= PFERR_I;
    return -EPERM;
}

/* SDM "Determination of Access Rights". */
static bool allowed(const struct walk *w)
{
    const struct gwalk_cpu *cpu = w->cpu;
    bool user_page = w->rights & PTE_US, fetch = w->access == GWALK_FETCH;
    if (fetch && (w->rights & PTE_NX))
        return false;
    bool writable = w->access != GWALK_WRITE || (w->rights & PTE_RW);
    if (cpu->cpl == 3)
        return user_page && writable;
    if (fetch)
        return !(user_page && (cpu->cr4 & CR4_SMEP));
    if (user_page && (cpu->cr4 & CR4_SMAP) && !(cpu->rflags & RFLAGS_AC))
        return false;
    return writable || !(cpu->cr0 & CR0_WP);
}

/* The table of the first level. PAE paging reads no memory for its top level: the CPU keeps
 * the four PDPTEs in registers, which a MOV to CR3 loads. */
static gpa_t start(struct walk *w, uint64_t gva)
{
    const struct gwalk_cpu *cpu = w->cpu;
    w->level = w->paging->levels;
    w->rights = PTE_P | PTE_RW | PTE_US;
    if (w->paging == &paging_pae) {
        w->entry = cpu->pdpte[FIELD_GET(BITS(31, 30), gva)];
        return gpa(w->entry & TABLE_ADDR);
    }
    w->entry = PTE_P;
    return gpa(cpu->cr3 & (w->paging->entry_size == 4 ? BITS(31, 12) : TABLE_ADDR));
}

/* Read the entry of this level, and combine its rights with those of the levels above. */
static int step(struct walk *w, uint64_t gva, gpa_t table, const struct gwalk_bus *bus)
{
    const struct paging *p = w->paging;
    unsigned shift = level_shift(p, w->level);
    uint64_t index = FIELD_GET(BITS(shift + p->index_bits - 1, shift), gva);
    gpa_t at = gpa(table.v + index * p->entry_size);
    w->entry_at[w->level - 1] = at;
    w->entry = 0;
    int err = bus->read(bus->ctx, at, p->entry_size, &w->entry);
    if (err)
        return err;
    if (p->entry_size == 4)
        w->entry = LO32(w->entry);
    w->rights &= w->entry | PTE_NX;
    w->rights |= w->entry & PTE_NX;
    return 0;
}

/* SDM "Accessed and Dirty Flags": A in each entry of the walk, D in the one that maps the page. */
static int mark(const struct walk *w, const struct gwalk_bus *bus)
{
    for (unsigned level = w->paging->levels; bus->set_bits && level >= w->level; level--) {
        bool dirty = level == w->level && w->access == GWALK_WRITE;
        int err = bus->set_bits(bus->ctx, w->entry_at[level - 1], w->paging->entry_size,
                                dirty ? PTE_A | PTE_D : PTE_A);
        if (err)
            return err;
    }
    return 0;
}

static void translate(const struct walk *w, uint64_t gva, struct gwalk *out)
{
    unsigned shift = level_shift(w->paging, w->level);
    uint64_t frame = w->entry & BITS(51, 12) & ~(BIT(shift) - 1);
    if (w->paging->entry_size == 4 && w->level == 2)
        frame |= FIELD_GET(PDE4M_ADDR_HI, w->entry) << 32;
    out->page_size = BIT(shift);
    out->gpa = gpa(frame | (gva & (BIT(shift) - 1)));
}

int gwalk(const struct gwalk_cpu *cpu, uint64_t gva, enum gwalk_access access,
          const struct gwalk_bus *bus, struct gwalk *out)
{
    struct walk w = {.cpu = cpu, .paging = paging_of(cpu), .access = access};
    *out = (struct gwalk){.page_size = PAGE_SIZE};
    if (!w.paging) {
        out->gpa = gpa(LO32(gva));
        return 0;
    }
    if (w.paging->linear_bits > 32 && !canonical(gva, w.paging->linear_bits))
        return -EINVAL;

    gpa_t table = start(&w, gva);
    if (!(w.entry & PTE_P)) /* a PDPTE register of PAE paging */
        return fault(&w, out, 0);
    for (;; w.level--) {
        int err = step(&w, gva, table, bus);
        if (err)
            return err;
        if (!(w.entry & PTE_P))
            return fault(&w, out, 0);
        if (w.entry & reserved_bits(&w))
            return fault(&w, out, PFERR_P | PFERR_RSVD);
        if (is_leaf(&w))
            break;
        table = gpa(w.entry & TABLE_ADDR);
    }
    if (!allowed(&w))
        return fault(&w, out, PFERR_P);
    translate(&w, gva, out);
    return mark(&w, bus);
}
