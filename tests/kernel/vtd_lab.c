/* SPDX-License-Identifier: MIT */
/*
 * What only the lab device can do to a remapping unit: ask for addresses far apart, and lie about
 * who it is. The requests that are refused here also make the unit read lines of every table that
 * nothing else reads; `lab` with its trace then tells whether each was written back.
 * From: tests/cases/test_lab_vtd.py.   To: lab/bochs/plugin/device.cc (the device).
 */
#include "arch/apic.h"
#include "arch/ktest.h"
#include "arch/page.h"
#include "lib/string.h"
#include "arch/trap.h"
#include "tests/kernel/edu.h"
#include "vtd/unit.h"
#include "vtd/vtd_regs.h"

#define FORGED_SID 0x208 /* BAR 0 of the lab device: requester id of all that it sends ... */
#define FORGED_ON  UINT32_C(0x80000000) /* ... if this bit is set */
#define IOVA       UINT64_C(0x345000)

static struct vtd_fault last;
static unsigned faults;

static void remember(const struct vtd_fault *f)
{
    last = *f;
    faults++;
}

#define NEED_LAB(e, nth)                                                                           \
    do {                                                                                           \
        if (!vtd_active())                                                                         \
            KSKIP("no VT-d here");                                                                 \
        if (!edu_find(&(e), nth) || !(e).f->bars[2].size)                                          \
            KSKIP("no lab device number %u here", nth);                                            \
    } while (0)

/* True: a write of the device to this address is refused, with this reason and requester. */
static bool refused(struct edu *e, uint64_t iova, bdf_t sid, uint8_t reason)
{
    vtd_fault_poll();
    faults = 0;
    if (!edu_write(e, iova, 8))
        return false;
    vtd_fault_poll();
    return faults == 1 && last.source_id == sid && last.reason == reason && last.address == iova;
}

/* VT-d "Second-Stage Translation": of each table only the entries on the way to the
 * page are present. */
KTEST(vtd_lab_neighbours_are_absent)
{
    struct edu edu;
    NEED_LAB(edu, 0);
    struct vtd_domain *domain = vtd_domain_create();
    uint8_t *page = page_alloc();
    KEXPECT(domain && page && vtd_attach(domain, edu.f->bdf) == 0);
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page), PAGE_SIZE, VTD_READ | VTD_WRITE) == 0);
    vtd_fault_handler_set(remember);
    bool good = true;
    for (unsigned shift = 12; shift < 39; shift += 9) /* the last two entries of each table */
        for (unsigned entry = 510; entry < 512; entry++)
            good = good && refused(&edu, IOVA | (uint64_t)entry << shift, edu.f->bdf, 5);
    KEXPECT(edu_read(&edu, IOVA, 64) && faults == 1);
    vtd_fault_handler_set(NULL);
    vtd_detach(edu.f->bdf);
    vtd_domain_destroy(domain);
    page_free(page);
    KEXPECT(good);
}

/* VT-d "Source Identifier": the unit goes by the requester id and by nothing else. */
KTEST(vtd_lab_forged_requesters_are_blocked)
{
    static const bdf_t others[] = {BDF(0, 0x1e, 3), BDF(0, 0x0a, 0), BDF(0, 0x1f, 7)};
    struct edu edu;
    NEED_LAB(edu, 0);
    struct vtd_domain *domain = vtd_domain_create();
    uint8_t *page = page_alloc();
    KEXPECT(domain && page && vtd_attach(domain, edu.f->bdf) == 0);
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page), PAGE_SIZE, VTD_READ | VTD_WRITE) == 0);
    vtd_fault_handler_set(remember);
    bool good = true;
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        mmio_write32(edu.regs + FORGED_SID, FORGED_ON | others[i]);
        good = good && refused(&edu, IOVA, others[i], 2);
    }
    mmio_write32(edu.regs + FORGED_SID, FORGED_ON | BDF(5, 0, 0));
    good = good && refused(&edu, IOVA, BDF(5, 0, 0), 1);
    mmio_write32(edu.regs + FORGED_SID, 0);
    vtd_fault_handler_set(NULL);
    vtd_detach(edu.f->bdf);
    vtd_domain_destroy(domain);
    page_free(page);
    KEXPECT(good);
}

/* A domain's tables lie where another's were: nothing that stood there may be seen through
 * the new ones. VT-d "Page-walk Coherency", and "Re-use Domain-ID" in "Guidance to
 * Software for Invalidations". */
KTEST(vtd_lab_recycled_tables)
{
    struct edu edu;
    NEED_LAB(edu, 0);
    /* In other cache lines of the tables below the root; of the root alone, so that an old entry of
     * it leads to the tables of today. */
    const uint64_t elsewhere[] = {IOVA + (UINT64_C(40) << 30) + (40 << 21) + (40 << 12),
                                  IOVA + 40 * RADIX_SPAN(vtd.levels)};
    uint8_t *page = page_alloc(), *between = NULL;
    vtd_fault_handler_set(remember);
    bool good = page != NULL;
    for (unsigned round = 0; round < 8 && good; round++) {
        struct vtd_domain *domain = vtd_domain_create();
        uint64_t other = elsewhere[round / 4];
        uint64_t ours = round % 2 ? other : IOVA, former = round % 2 ? IOVA : other;
        good = domain && vtd_attach(domain, edu.f->bdf) == 0 &&
               vtd_map(domain, gpa(ours), ptr_hpa(page), PAGE_SIZE, VTD_READ | VTD_WRITE) == 0 &&
               edu_read(&edu, ours, 64) && refused(&edu, former, edu.f->bdf, 5);
        vtd_detach(edu.f->bdf);
        vtd_domain_destroy(domain);
        if (round == 1)
            between = page_alloc(); /* from here on the tables lie elsewhere, the domain-id stays */
    }
    vtd_fault_handler_set(NULL);
    page_free(between);
    page_free(page);
    KEXPECT(good);
}

/* VT-d "Caching Mode": what the unit remembers of a bus without functions is void when it
 * gets a table. */
KTEST(vtd_lab_new_bus)
{
    const bdf_t first = BDF(6, 0, 0), second = BDF(6, 0, 1);
    struct edu edu;
    NEED_LAB(edu, 0);
    struct vtd_domain *domain = vtd_domain_create();
    KEXPECT(domain);
    vtd_fault_handler_set(remember);
    mmio_write32(edu.regs + FORGED_SID, FORGED_ON | first);
    bool good = refused(&edu, IOVA, first, 1);
    mmio_write32(edu.regs + FORGED_SID, FORGED_ON | second);
    good = good && refused(&edu, IOVA, second, 1);
    good = good && vtd_attach(domain, first) == 0;
    good = good && refused(&edu, IOVA, second, 2);
    mmio_write32(edu.regs + FORGED_SID, FORGED_ON | first);
    good = good && refused(&edu, IOVA, first, 5);
    mmio_write32(edu.regs + FORGED_SID, 0);
    vtd_fault_handler_set(NULL);
    vtd_detach(first);
    vtd_domain_destroy(domain);
    KEXPECT(good);
}

/* VT-d "Second-Stage Paging Entries": a large page with a hole becomes a table; the rest
 * of it stays. */
KTEST(vtd_lab_rest_of_a_large_page)
{
    struct edu edu;
    NEED_LAB(edu, 0);
    const uint64_t large = BIT(30), size = BIT(21), hole = 5 * PAGE_SIZE;
    struct vtd_domain *domain = vtd_domain_create();
    KEXPECT(domain && vtd_attach(domain, edu.f->bdf) == 0);
    KEXPECT(vtd_map(domain, gpa(large), hpa(2 * size), size, VTD_READ) == 0);
    vtd_fault_handler_set(remember);
    vtd_fault_poll();
    faults = 0;
    bool good = edu_read(&edu, large + 0x100000, 8);
    vtd_unmap(domain, gpa(large + hole), PAGE_SIZE);
    for (uint64_t at = 0; at < size && good; at += 64 * PAGE_SIZE)
        good = edu_read(&edu, large + at, 8);
    vtd_fault_poll();
    good = good && faults == 0;
    good = good && edu_read(&edu, large + hole, 8);
    vtd_fault_poll();
    good = good && faults == 1 && last.reason == 6 && last.address == large + hole;
    vtd_fault_handler_set(NULL);
    vtd_detach(edu.f->bdf);
    vtd_domain_destroy(domain);
    KEXPECT(good);
}

/* VT-d "Interrupt Remapping Fault Conditions": entries that Hamlet never made are not present; the
 * neighbour's messages may go through another unit, which has a table of its own. */
KTEST(vtd_lab_entries_are_absent)
{
    struct edu edu;
    NEED_LAB(edu, 0);
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    vtd_fault_handler_set(remember);
    bool good = true;
    for (unsigned index = 41; index < 256; index += 71) {
        bdf_t sid = edu.f->bdf;
        if (index % 2 == 0 && vtd_covers((bdf_t)(sid + 8)))
            sid = (bdf_t)(sid + 8);
        mmio_write32(edu.regs + FORGED_SID, FORGED_ON | sid);
        vtd_fault_poll();
        faults = 0;
        good = good && edu_write(&edu, vtd_msi_address(index, false), 4);
        vtd_fault_poll();
        good = good && faults == 1 && last.is_interrupt && last.reason == 0x22 &&
               last.address == index && last.source_id == sid;
    }
    mmio_write32(edu.regs + FORGED_SID, 0);
    vtd_fault_handler_set(NULL);
    KEXPECT(good);
}

/* VT-d "Interrupt Entry Cache Invalidate Descriptor": four entries that were used leave in one
 * flush, as many indices as the unit can name at once, or all. */
KTEST(vtd_lab_entries_leave_together)
{
    struct edu edu;
    NEED_LAB(edu, 0);
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    int first = vtd_irte_alloc(edu.f->bdf, 4);
    KEXPECT(first >= 0);
    unsigned index = (unsigned)first;
    vtd_fault_handler_set(remember);
    bool good = true;
    for (unsigned i = 0; i < 4; i++)
        vtd_irte_remap(index + i, apic_id(), VECTOR_VTD, false); /* one that has a handler */
    for (unsigned i = 0; i < 4; i++)
        good = good && edu_write(&edu, vtd_msi_address(index + i, false), 4);
    vtd_irte_free(index, 4);
    for (unsigned i = 0; i < 4; i++) {
        vtd_fault_poll();
        faults = 0;
        good = good && edu_write(&edu, vtd_msi_address(index + i, false), 4);
        vtd_fault_poll();
        good = good && faults == 1 && last.reason == 0x22 && last.address == index + i;
    }
    vtd_fault_handler_set(NULL);
    KEXPECT(good);
}

/* VT-d "Set Root Table Pointer Operation": a unit that Hamlet cannot use has an empty root table. A
 * DMA of its device arrives nowhere, a message is no interrupt. */
KTEST(vtd_lab_unit_that_only_blocks)
{
    struct edu edu;
    NEED_LAB(edu, 1);
    if (vtd_covers(edu.f->bdf))
        KSKIP("every unit can be used here");
    uint8_t *page = page_alloc();
    KEXPECT(page);
    memset(page, 0x5a, PAGE_SIZE);
    bool good = edu_write(&edu, ptr_hpa(page).v, 64) && edu_read(&edu, ptr_hpa(page).v, 64);
    for (unsigned i = 0; i < 64; i += 4)
        good = good && page[i] == 0x5a && mmio_read32(edu.regs + EDU_BUFFER + i) != 0x5a5a5a5a;
    good = good && edu_write(&edu, MSI_ADDRESS, 4) && edu_write(&edu, vtd_msi_address(0, false), 4);
    page_free(page);
    KEXPECT(good);
}

static bool silence;
static void remember_and_silence(const struct vtd_fault *f)
{
    remember(f);
    if (silence)
        vtd_fault_silence(f);
}

/* Faults of one refused write that are recorded. */
static unsigned faults_of_a_write(struct edu *e)
{
    vtd_fault_poll();
    faults = 0;
    (void)edu_write(e, IOVA + PAGE_SIZE, 8);
    vtd_fault_poll();
    return faults;
}

/* VT-d "Context Entry": FPD, with a domain or without one, and what the device may it still may. */
KTEST(vtd_lab_silence)
{
    struct edu edu;
    NEED_LAB(edu, 0);
    struct vtd_domain *domain = vtd_domain_create();
    uint8_t *page = page_alloc();
    KEXPECT(domain && page);
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page), PAGE_SIZE, VTD_READ | VTD_WRITE) == 0);
    vtd_fault_handler_set(remember_and_silence);
    bool good = true;
    for (unsigned attached = 0; attached < 2; attached++) {
        good = good && (!attached || vtd_attach(domain, edu.f->bdf) == 0);
        silence = true;
        good = good && faults_of_a_write(&edu) == 1 && faults_of_a_write(&edu) == 0;
        good = good && faults_of_a_write(&edu) == 0;
        memset(page, 0x5a, PAGE_SIZE);
        mmio_write32(edu.regs + EDU_BUFFER, 0x12345678);
        good = good && edu_write(&edu, IOVA, 4) && (page[0] == 0x78) == attached;
        silence = false;
        vtd_fault_listen(edu.f->bdf);
        good = good && faults_of_a_write(&edu) == 1;
    }
    vtd_fault_handler_set(NULL);
    vtd_detach(edu.f->bdf);
    vtd_domain_destroy(domain);
    page_free(page);
    KEXPECT(good);
}
