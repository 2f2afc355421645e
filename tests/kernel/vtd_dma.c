/* SPDX-License-Identifier: MIT */
/*
 * DMA through a real remapping unit (QEMU's, on `tcg`): a device reaches what its domain maps,
 * there and nowhere else, from when vtd_map() returns until vtd_unmap() returns.
 */
#include "arch/ktest.h"
#include "arch/page.h"
#include "lib/string.h"
#include "tests/kernel/edu.h"
#include "vtd/vtd.h"

#define RW   (VTD_READ | VTD_WRITE)
#define IOVA UINT64_C(0x345000) /* below 2^28: as far as the engine's address goes by default */

static struct vtd_fault last;
static unsigned faults;

static void remember(const struct vtd_fault *f)
{
    last = *f;
    faults++;
}

/* Forget what happened before; from here on `last` is ours. */
static void faults_forget(void)
{
    vtd_fault_poll();
    vtd_fault_handler_set(remember);
    faults = 0;
}

static bool fault_is(bdf_t sid, uint8_t reason, bool read, uint64_t address)
{
    vtd_fault_poll();
    return faults > 0 && last.source_id == sid && last.reason == reason && last.is_read == read &&
           !last.is_interrupt && last.address == address;
}

#define NEED_EDU(e, nth)                                                                           \
    do {                                                                                           \
        if (!vtd_active())                                                                         \
            KSKIP("no VT-d here");                                                                 \
        if (!edu_find(&(e), nth))                                                                  \
            KSKIP("no edu number %u here", nth);                                                   \
    } while (0)

/* A device, a domain that it is attached to, and two pages of memory with different bytes. */
static struct edu edu;
static struct vtd_domain *domain;
static uint8_t *page_a, *page_b;

static bool setup(void)
{
    page_a = page_alloc();
    page_b = page_alloc();
    domain = vtd_domain_create();
    if (!page_a || !page_b || !domain)
        return false;
    memset(page_a, 0xaa, PAGE_SIZE);
    memset(page_b, 0xbb, PAGE_SIZE);
    faults_forget();
    return vtd_attach(domain, edu.f->bdf) == 0;
}

static void cleanup(void)
{
    vtd_detach(edu.f->bdf);
    vtd_domain_destroy(domain);
    page_free(page_a);
    page_free(page_b);
    vtd_fault_handler_set(NULL);
}

static bool all(const uint8_t *p, uint8_t byte, size_t size)
{
    while (size > 0 && *p == byte)
        p++, size--;
    return size == 0;
}

/* VT-d "Mapping Devices to Domains": without a context entry a request is blocked. */
KTEST(vtd_unattached_device_is_blocked)
{
    NEED_EDU(edu, 0);
    faults_forget();
    uint8_t *page = page_alloc();
    KEXPECT(page && vtd_covers(edu.f->bdf));
    KEXPECT(ptr_hpa(page).v < BIT(28));
    KEXPECT(edu_write(&edu, ptr_hpa(page).v, 64));
    KEXPECT(all(page, 0, PAGE_SIZE));
    KEXPECT(fault_is(edu.f->bdf, 1, false, ptr_hpa(page).v) ||
            fault_is(edu.f->bdf, 2, false, ptr_hpa(page).v));
    page_free(page);
}

KTEST(vtd_dma_goes_where_the_domain_says)
{
    NEED_EDU(edu, 0);
    KEXPECT(setup());
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page_a), PAGE_SIZE, RW) == 0);
    KEXPECT(vtd_map(domain, gpa(IOVA + PAGE_SIZE), ptr_hpa(page_b), PAGE_SIZE, RW) == 0);
    KEXPECT(edu_read(&edu, IOVA, 256));
    KEXPECT(edu_write(&edu, IOVA + PAGE_SIZE + 0x100, 256));
    KEXPECT(all(page_b, 0xbb, 0x100) && all(page_b + 0x100, 0xaa, 256) &&
            all(page_b + 0x200, 0xbb, 0xe00));
    KEXPECT(all(page_a, 0xaa, PAGE_SIZE));
    vtd_fault_poll();
    KEXPECT(faults == 0);
    cleanup();
}

/* The translation is cached by the first transfer; only a flush makes the change true. */
KTEST(vtd_unmap_is_final)
{
    NEED_EDU(edu, 0);
    KEXPECT(setup());
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page_a), PAGE_SIZE, RW) == 0);
    KEXPECT(edu_read(&edu, IOVA, 64));
    vtd_unmap(domain, gpa(IOVA), PAGE_SIZE);
    memset(page_a, 0, PAGE_SIZE);
    KEXPECT(edu_write(&edu, IOVA, 64));
    KEXPECT(all(page_a, 0, PAGE_SIZE));
    KEXPECT(fault_is(edu.f->bdf, 5, false, IOVA));
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page_b), PAGE_SIZE, RW) == 0);
    KEXPECT(edu_write(&edu, IOVA, 64));
    KEXPECT(all(page_a, 0, PAGE_SIZE) && all(page_b, 0xaa, 64));
    cleanup();
}

KTEST(vtd_read_only_page)
{
    NEED_EDU(edu, 0);
    KEXPECT(setup());
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page_a), PAGE_SIZE, VTD_READ) == 0);
    KEXPECT(
        edu_write(&edu, IOVA, 64)); /* first: a cached translation is blocked without a record */
    KEXPECT(all(page_a, 0xaa, PAGE_SIZE));
    KEXPECT(fault_is(edu.f->bdf, 5, false, IOVA));
    KEXPECT(edu_read(&edu, IOVA, 64));
    KEXPECT(vtd_map(domain, gpa(IOVA + PAGE_SIZE), ptr_hpa(page_b), PAGE_SIZE, RW) == 0);
    KEXPECT(edu_write(&edu, IOVA + PAGE_SIZE, 64));
    KEXPECT(all(page_b, 0xaa, 64));
    cleanup();
}

KTEST(vtd_detach_blocks)
{
    NEED_EDU(edu, 0);
    KEXPECT(setup());
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page_a), PAGE_SIZE, RW) == 0);
    KEXPECT(edu_read(&edu, IOVA, 64));
    vtd_detach(edu.f->bdf);
    memset(page_a, 0, PAGE_SIZE);
    KEXPECT(edu_write(&edu, IOVA, 64));
    KEXPECT(all(page_a, 0, PAGE_SIZE));
    KEXPECT(fault_is(edu.f->bdf, 2, false, IOVA));
    KEXPECT(vtd_attach(domain, edu.f->bdf) == 0);
    KEXPECT(edu_write(&edu, IOVA, 64));
    KEXPECT(all(page_a, 0xaa, 64));
    cleanup();
}

/* From one domain to another by one store. */
KTEST(vtd_attach_elsewhere)
{
    NEED_EDU(edu, 0);
    KEXPECT(setup());
    struct vtd_domain *first = domain, *second = vtd_domain_create();
    KEXPECT(vtd_map(first, gpa(IOVA), ptr_hpa(page_a), PAGE_SIZE, RW) == 0);
    KEXPECT(vtd_map(second, gpa(IOVA), ptr_hpa(page_b), PAGE_SIZE, RW) == 0);
    KEXPECT(edu_read(&edu, IOVA, 64));
    KEXPECT(vtd_attach(second, edu.f->bdf) == 0);
    KEXPECT(edu_write(&edu, IOVA, 64));
    KEXPECT(all(page_a, 0xaa, PAGE_SIZE) && all(page_b, 0xaa, 64));
    domain = second;
    vtd_domain_destroy(first);
    cleanup();
}

KTEST(vtd_large_page_and_a_hole_in_it)
{
    NEED_EDU(edu, 0);
    KEXPECT(setup());
    uint8_t *large = pages_alloc(SIZE_2M / PAGE_SIZE, SIZE_2M);
    KEXPECT(large);
    uint64_t iova = 4 * SIZE_2M, hole = 0x7000;
    KEXPECT(vtd_map(domain, gpa(iova), ptr_hpa(large), SIZE_2M, RW) == 0);
    memset(large + SIZE_2M - 64, 0xcc, 64);
    KEXPECT(edu_read(&edu, iova + SIZE_2M - 64, 64));
    KEXPECT(edu_write(&edu, iova + hole, 64));
    KEXPECT(all(large + hole, 0xcc, 64));
    memset(large + hole, 0, 64);
    vtd_unmap(domain, gpa(iova + hole), PAGE_SIZE);
    KEXPECT(edu_write(&edu, iova + hole, 64));
    KEXPECT(edu_write(&edu, iova + hole - PAGE_SIZE, 64));
    KEXPECT(all(large + hole, 0, 64) && all(large + hole - PAGE_SIZE, 0xcc, 64));
    KEXPECT(fault_is(edu.f->bdf, 5, false, iova + hole));
    vtd_unmap(domain, gpa(iova), SIZE_2M);
    pages_free(large, SIZE_2M / PAGE_SIZE);
    cleanup();
}

/* Two devices, the same address, different memory. */
KTEST(vtd_two_domains_do_not_meet)
{
    struct edu other;
    NEED_EDU(edu, 0);
    NEED_EDU(other, 1);
    if (!vtd_covers(other.f->bdf))
        KSKIP("the second edu has no unit that can be used");
    KEXPECT(setup());
    struct vtd_domain *second = vtd_domain_create();
    KEXPECT(second && vtd_attach(second, other.f->bdf) == 0);
    KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page_a), PAGE_SIZE, RW) == 0);
    KEXPECT(vtd_map(second, gpa(IOVA), ptr_hpa(page_b), PAGE_SIZE, RW) == 0);
    KEXPECT(edu_read(&edu, IOVA, 64) && edu_read(&other, IOVA, 64));
    KEXPECT(edu_write(&edu, IOVA + 0x200, 64) && edu_write(&other, IOVA + 0x300, 64));
    KEXPECT(all(page_a, 0xaa, PAGE_SIZE) && all(page_b, 0xbb, PAGE_SIZE));
    vtd_unmap(domain, gpa(IOVA), PAGE_SIZE);
    KEXPECT(edu_write(&other, IOVA + 0x300, 64));
    vtd_fault_poll();
    KEXPECT(faults == 0);
    vtd_detach(other.f->bdf);
    vtd_domain_destroy(second);
    cleanup();
}

/* An address that the table has no level for. The engine has to be able to name it. */
KTEST(vtd_beyond_the_width)
{
    NEED_EDU(edu, 0);
    KEXPECT(setup());
    uint64_t iova = BIT(50) + 0x5000;
    KEXPECT(vtd_map(domain, gpa(iova), ptr_hpa(page_a), PAGE_SIZE, RW) == -EINVAL);
    KEXPECT(edu_read(&edu, iova, 64));
    vtd_fault_poll();
    /* A record need not have room for bits that no address may have. */
    bool reached = faults == 1 && last.reason == 4 && (last.address & BITS(47, 0)) == 0x5000;
    bool masked = faults == 1 && last.reason == 6 && last.address == 0x5000;
    cleanup();
    KEXPECT(reached || masked);
    if (masked)
        KSKIP("this edu's addresses have 28 bits");
}

/* Pages that a domain took for its tables come back. */
KTEST(vtd_domains_leave_no_page_behind)
{
    NEED_EDU(edu, 0);
    size_t before = 0;
    for (int i = 0; i < 100; i++) {
        if (i == 1)
            before = page_free_count(); /* the context table of the bus stays */
        KEXPECT(setup());
        KEXPECT(vtd_map(domain, gpa(IOVA), ptr_hpa(page_a), PAGE_SIZE, RW) == 0);
        KEXPECT(vtd_map(domain, gpa(SIZE_1G), ptr_hpa(page_b), PAGE_SIZE, RW) == 0);
        cleanup();
    }
    KEXPECT(page_free_count() == before);
}
