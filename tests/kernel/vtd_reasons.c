/* SPDX-License-Identifier: MIT */
/*
 * Every reason for which a unit can refuse a request, provoked one by one: a table is spoiled by
 * hand, the device sends one request, and the decoded record has to say what was spoiled.
 * From: tests/cases/test_vtd.py.   To: vtd/fault.c.
 * Spec: VT-d "Fault Conditions and Remapping Hardware Behavior for Various Requests".
 */
#include "arch/apic.h"
#include "arch/ktest.h"
#include "arch/log.h"
#include "arch/page.h"
#include "lib/string.h"
#include "tests/kernel/edu.h"
#include "vtd/unit.h"
#include "vtd/vtd_regs.h"

#define IOVA       UINT64_C(0x345000)
#define NOWHERE    BIT(37) /* neither memory nor a device */
#define NOWHERE_38 BIT(38)
#define FORGED_SID 0x208 /* the lab device's register; docs/lab.md */

/* What every case starts from: the device is attached, one page is mapped, one entry
 * is the device's. */
static struct {
    struct edu edu;
    struct vtd_unit *unit;
    struct vtd_domain *domain;
    uint64_t *page;
    unsigned irte;
    struct vtd_fault last;
    unsigned faults;
} t;

static void remember(const struct vtd_fault *f)
{
    t.last = *f;
    t.faults++;
}

static void dma(uint64_t iova) { (void)edu_write(&t.edu, iova, 64); }
static void dma_mapped(void) { dma(IOVA); }
static void dma_read_unmapped(void) { (void)edu_read(&t.edu, IOVA + PAGE_SIZE, 64); }
static void dma_write_unmapped(void) { dma(IOVA + PAGE_SIZE); }
static void dma_beyond(void) { dma(BIT(48)); }

/* An interrupt request: 4 bytes to 0xFEEx_xxxx. */
static void message(uint64_t address, uint32_t data)
{
    mmio_write32(t.edu.regs + EDU_BUFFER, data);
    (void)edu_write(&t.edu, address, 4);
}
static void message_ours(void) { message(vtd_msi_address(t.irte, false), 0); }
static void message_reserved(void) { message(vtd_msi_address(t.irte, true), 0x10000); }
static void message_beyond(void) { message(vtd_msi_address(VTD_IRTE_MAX, false), 0); }
static void message_compatible(void) { message(MSI_ADDRESS, 0x33); }
static void message_malformed(void) { (void)edu_write(&t.edu, vtd_msi_address(t.irte, false), 8); }

/* Where the entries stand, as the unit walks them. */
static struct u128 *root_entry(void) { return &t.unit->root[BDF_BUS(t.edu.f->bdf)]; }
static struct u128 *context_entry(void)
{
    struct u128 *table = hpa_ptr(hpa(root_entry()->lo & ROOT_CTP));
    return &table[BDF_DEVFN(t.edu.f->bdf)];
}
static uint64_t *paging_entry(unsigned level)
{
    uint64_t *table = t.domain->tree.root;
    for (unsigned at = vtd.levels;; at--) {
        uint64_t *entry = &table[IOVA >> (12 + 9 * (at - 1)) & 511];
        if (at == level)
            return entry;
        table = hpa_ptr(hpa(*entry & SS_ADDR));
    }
}

static void flush_all(void)
{
    invalidate_write_buffer(t.unit);
    invalidate_all(t.unit);
    invalidate_iec_all(t.unit);
}

static void put(void *entry, const void *value, size_t size)
{
    memcpy(entry, value, size);
    cache_write_back(entry, size);
    flush_all();
}

/* Spoil an entry of 64 bits by these bits, send, and put it right again. */
static void with_bits(uint64_t *entry, uint64_t bits, void (*send)(void))
{
    uint64_t good = *entry, bad = good ^ bits;
    put(entry, &bad, sizeof(bad));
    send();
    put(entry, &good, sizeof(good));
}
static void with_value(uint64_t *entry, uint64_t value, void (*send)(void))
{
    with_bits(entry, *entry ^ value, send);
}

static void root_table_at(uint64_t value)
{
    vtd_write64(t.unit, VTD_RTADDR, value);
    if (unit_command(t.unit, GCMD_SRTP, true))
        ktest_fail(__FILE__, __LINE__, "SRTP");
    flush_all();
}
static void with_root_table(uint64_t value)
{
    root_table_at(value);
    dma_mapped();
    root_table_at(ptr_hpa(t.unit->root).v);
}

static void interrupt_table_at(uint64_t value)
{
    vtd_write64(t.unit, VTD_IRTA, value);
    if (unit_command(t.unit, GCMD_SIRTP, true))
        ktest_fail(__FILE__, __LINE__, "SIRTP");
    flush_all();
}

/* The cases, in the order of the reasons. */

static void root_not_present(void) { with_bits(&root_entry()->lo, ROOT_P, dma_mapped); }
static void context_not_present(void) { with_bits(&context_entry()->lo, CTX_P, dma_mapped); }
static void context_invalid(void) { with_bits(&context_entry()->lo, CTX_TT, dma_mapped); }
static void beyond_the_width(void) { dma_beyond(); }
static void write_refused(void) { dma_write_unmapped(); }
static void read_refused(void) { dma_read_unmapped(); }
static void paging_unreadable(void)
{
    with_value(paging_entry(2), NOWHERE | SS_R | SS_W, dma_mapped);
}
static void root_unreadable(void) { with_root_table(NOWHERE); }
static void context_unreadable(void)
{
    with_value(&root_entry()->lo, NOWHERE | ROOT_P, dma_mapped);
}
static void root_reserved(void) { with_bits(&root_entry()->hi, BIT(1), dma_mapped); }
static void context_reserved(void) { with_bits(&context_entry()->hi, BIT(31), dma_mapped); }
static void paging_reserved(void) { with_bits(paging_entry(1), BIT(62), dma_mapped); }
static void into_interrupts(void)
{
    with_value(paging_entry(1), MSI_ADDRESS | SS_R | SS_W, dma_mapped);
}
static void request_reserved(void) { message_reserved(); }
static void index_beyond(void) { message_beyond(); }
static void entry_not_present(void)
{
    vtd_irte_block(t.irte);
    message_ours();
    vtd_irte_remap(t.irte, apic_id(), 0x33, false);
}
static void interrupt_table_unreadable(void)
{
    uint64_t good = vtd_read64(t.unit, VTD_IRTA);
    interrupt_table_at(NOWHERE_38 | (good & (IRTA_EIME | IRTA_S)));
    message_ours();
    interrupt_table_at(good);
}
static void entry_reserved(void) { with_bits(&vtd.irt[t.irte].hi, BIT(20), message_ours); }
static void compatibility(void) { message_compatible(); }
static void wrong_source(void) { with_bits(&vtd.irt[t.irte].hi, BIT(3), message_ours); }

/* Posted through a descriptor somewhere: SID and SVT stay as they are. */
static void posted_to(uint64_t descriptor)
{
    struct u128 good = vtd.irt[t.irte];
    struct u128 posted = {.lo = IRTE_P | IRTE_IM | FIELD_SET(IRTE_V, 0x33) |
                                FIELD_SET(IRTE_PDA_LOW, LO32(descriptor) >> 6),
                          .hi =
                              (good.hi & UINT32_MAX) | FIELD_SET(IRTE_PDA_HIGH, HI32(descriptor))};
    put(&vtd.irt[t.irte], &posted, sizeof(posted));
    message_ours();
    put(&vtd.irt[t.irte], &good, sizeof(good));
}
static void descriptor_unreachable(void) { posted_to(NOWHERE); }
static void descriptor_reserved(void)
{
    memset(t.page, 0xff, PAGE_SIZE);
    posted_to(ptr_hpa(t.page).v);
}
static void malformed(void) { message_malformed(); }
static void root_address_invalid(void) { with_root_table(ptr_hpa(t.unit->root).v | BIT(10)); }

/* Without the mode that the unit requires, or without remapping where it requires that. */
static void command(uint64_t bit, bool on)
{
    if (unit_command(t.unit, bit, on))
        ktest_fail(__FILE__, __LINE__, "a command");
}
static void interrupt_mode_required(void)
{
    uint64_t good = vtd_read64(t.unit, VTD_IRTA);
    command(GCMD_IRE, false);
    interrupt_table_at(good & ~IRTA_EIME);
    command(GCMD_IRE, true);
    message_ours();
    command(GCMD_IRE, false);
    interrupt_table_at(good);
    command(GCMD_IRE, true);
}
static void remapping_required(void)
{
    command(GCMD_IRE, false);
    message_ours();
    interrupt_table_at(vtd_read64(t.unit, VTD_IRTA));
    command(GCMD_IRE, true);
}
static void aborted(void) { with_root_table(FIELD_SET(RTADDR_TTM, 3)); }

#define POSTING BIT(0) /* needs CAP.PI */
#define READ    BIT(1)
#define NO_IOVA BIT(2) /* the record has no address, or one that is not ours */
static const struct {
    uint8_t reason;
    const char *name;
    void (*provoke)(void);
    unsigned flags;
    uint64_t ecap; /* needs this */
} cases[] = {
    {0x01, "root entry not present", root_not_present, 0, 0},
    {0x02, "context entry not present", context_not_present, 0, 0},
    {0x03, "context entry invalid", context_invalid, 0, 0},
    {0x04, "address beyond the width", beyond_the_width, NO_IOVA, 0},
    {0x05, "write not permitted", write_refused, NO_IOVA, 0},
    {0x06, "read not permitted", read_refused, READ | NO_IOVA, 0},
    {0x07, "paging table unreadable", paging_unreadable, 0, 0},
    {0x08, "root table unreadable", root_unreadable, 0, 0},
    {0x09, "context table unreadable", context_unreadable, 0, 0},
    {0x0a, "reserved bit in root entry", root_reserved, 0, 0},
    {0x0b, "reserved bit in context entry", context_reserved, 0, 0},
    {0x0c, "reserved bit in paging entry", paging_reserved, 0, 0},
    {0x0e, "translates into the interrupt addresses", into_interrupts, 0, 0},
    {0x20, "reserved bit in interrupt request", request_reserved, 0, 0},
    {0x21, "interrupt index beyond the table", index_beyond, 0, 0},
    {0x22, "interrupt entry not present", entry_not_present, 0, 0},
    {0x23, "interrupt table unreadable", interrupt_table_unreadable, 0, 0},
    {0x24, "reserved bit in interrupt entry", entry_reserved, 0, 0},
    {0x25, "compatibility-format interrupt blocked", compatibility, 0, 0},
    {0x26, "source-id not allowed to use interrupt entry", wrong_source, 0, 0},
    {0x27, "posted-interrupt descriptor unreachable", descriptor_unreachable, POSTING, 0},
    {0x28, "reserved bit in posted-interrupt descriptor", descriptor_reserved, POSTING, 0},
    {0x29, "malformed write to the interrupt addresses", malformed, 0, 0},
    {0x2a, "extended interrupt mode required", interrupt_mode_required, 0, ECAP_EIMER},
    {0x2b, "interrupt remapping required", remapping_required, 0, ECAP_IRREQ},
    {0x30, "root table address register invalid", root_address_invalid, 0, 0},
    {0x33, "all DMA is aborted", aborted, 0, ECAP_ADMS},
};

static bool is_as_expected(size_t i)
{
    const struct vtd_fault *f = &t.last;
    bool interrupt = cases[i].reason >= 0x20 && cases[i].reason <= 0x2f;
    bool address = interrupt || (cases[i].flags & NO_IOVA) || f->address == IOVA;
    return t.faults == 1 && f->reason == cases[i].reason && f->source_id == t.edu.f->bdf &&
           f->is_interrupt == interrupt && f->is_read == !!(cases[i].flags & READ) && address &&
           !strcmp(vtd_reason_name(f->reason), cases[i].name);
}

/* One line each, so that the case which reads them knows what was provoked. */
static unsigned provoke_all(void)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (((cases[i].flags & POSTING) && vtd_no_posting()) || (cases[i].ecap & ~t.unit->ecap))
            continue;
        vtd_fault_poll();
        t.faults = 0;
        cases[i].provoke();
        vtd_fault_poll();
        bool good = is_as_expected(i);
        wrong += !good;
        console_line("ktest: reason=%x %s: %s", cases[i].reason, good ? "seen" : "NOT SEEN",
                     vtd_reason_name(t.faults ? t.last.reason : 0));
    }
    return wrong;
}

static bool setup(void)
{
    t.unit = vtd_unit_of(t.edu.f->bdf);
    t.page = page_alloc();
    t.domain = vtd_domain_create();
    int irte = vtd_irte_alloc(t.edu.f->bdf, 1);
    if (!t.unit || !t.page || !t.domain || irte < 0)
        return false;
    t.irte = (unsigned)irte;
    vtd_irte_remap(t.irte, apic_id(), 0x33, false);
    vtd_fault_handler_set(remember);
    return vtd_attach(t.domain, t.edu.f->bdf) == 0 &&
           vtd_map(t.domain, gpa(IOVA), ptr_hpa(t.page), PAGE_SIZE, VTD_READ | VTD_WRITE) == 0;
}

/* It spoils tables of the whole machine on the way, so it runs by name, on the lab's unit. */
KTEST_LONG(vtd_every_fault_reason)
{
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    if (!edu_find(&t.edu, 0))
        KSKIP("no edu here");
    KEXPECT(setup());
    unsigned wrong = provoke_all();
    vtd_fault_poll();
    t.faults = 0;
    dma_mapped(); /* everything is as it was */
    vtd_fault_poll();
    unsigned after = t.faults;
    vtd_fault_handler_set(NULL);
    vtd_detach(t.edu.f->bdf);
    vtd_irte_free(t.irte, 1);
    vtd_domain_destroy(t.domain);
    page_free(t.page);
    KEXPECT(wrong == 0 && after == 0);
}

/* A hundred thousand in a row: each is counted, the log is not flooded, and the device
 * works after. */
KTEST_LONG(vtd_hundred_thousand_faults)
{
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    if (!edu_find(&t.edu, 0))
        KSKIP("no edu here");
    KEXPECT(setup());
    uint64_t before = vtd_fault_count(t.edu.f->bdf);
    t.faults = 0;
    for (unsigned i = 0; i < 100000; i++) {
        dma_write_unmapped();
        vtd_fault_poll();
    }
    unsigned counted = t.faults;
    dma_mapped();
    vtd_fault_poll();
    KEXPECT(counted == 100000 && t.faults == counted);
    KEXPECT(vtd_fault_count(t.edu.f->bdf) == before + counted);
    vtd_fault_handler_set(NULL);
    vtd_detach(t.edu.f->bdf);
    vtd_irte_free(t.irte, 1);
    vtd_domain_destroy(t.domain);
    page_free(t.page);
}
