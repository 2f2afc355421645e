/* SPDX-License-Identifier: MIT */
/*
 * What it costs to make a unit forget, by queue (inv=qi) or by registers (inv=reg), and what is
 * left of the difference in a whole unmapping. In the lab a tick is an instruction.
 * From: tests/bench/bench.py, which reads the lines "bench KEY=VALUE".
 */
#include "arch/ktest.h"
#include "arch/log.h"
#include "arch/page.h"
#include "tests/kernel/edu.h"
#include "vtd/unit.h"

#define ROUNDS 1000
#define IOVA   UINT64_C(0x345000)

static struct vtd_unit *unit;
static struct vtd_domain *domain;
static uint8_t *page;

static void forget_page(void) { invalidate_iotlb_range(unit, domain->id, IOVA, PAGE_SIZE); }
static void forget_domain(void) { invalidate_iotlb_range(unit, domain->id, 0, BIT(48)); }
static void forget_all(void) { invalidate_all(unit); }
static void map_and_unmap(void)
{
    if (vtd_map(domain, gpa(IOVA), ptr_hpa(page), PAGE_SIZE, VTD_READ) == 0)
        vtd_unmap(domain, gpa(IOVA), PAGE_SIZE);
}

static void measure(const char *what, void (*operation)(void))
{
    uint64_t began = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        operation();
    console_line("ktest: | bench inv_%s_%s=%lu", unit->queued ? "qi" : "reg", what,
                 (rdtsc() - began) / ROUNDS);
}

KTEST_LONG(bench_invalidation)
{
    struct edu edu;
    if (!vtd_active())
        KSKIP("no VT-d here");
    if (!edu_find(&edu, 0))
        KSKIP("no edu here");
    unit = vtd_unit_of(edu.f->bdf);
    domain = vtd_domain_create();
    page = page_alloc();
    KEXPECT(unit && domain && page && vtd_attach(domain, edu.f->bdf) == 0);
    measure("page", forget_page);
    measure("domain", forget_domain);
    measure("global", forget_all);
    measure("map_unmap", map_and_unmap);
    vtd_detach(edu.f->bdf);
    vtd_domain_destroy(domain);
    page_free(page);
}
