/* SPDX-License-Identifier: MIT */
/*
 * A page is unmapped while devices write to it, ten thousand times: when vtd_unmap() has returned,
 * the page may belong to another VM, and not one byte may arrive there any more.
 * From: tests/cases/test_dma.py.   Spec: VT-d "Draining of Requests to Memory".
 */
#include "arch/ktest.h"
#include "arch/log.h"
#include "arch/page.h"
#include "lib/string.h"
#include "tests/kernel/edu.h"
#include "vtd/vtd.h"

#define ROUNDS   10000
#define ENGINES  8
#define IOVA     UINT64_C(0x345000)
#define PIECE    (PAGE_SIZE / ENGINES) /* each engine has its own part of the page */
#define PAUSE_US 200                   /* at most so long are the pauses */

static struct edu engines[ENGINES];
static unsigned engine_count;
static uint64_t random_state, fault_count;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

static void pause_below(uint64_t ticks)
{
    for (uint64_t end = rdtsc() + random_below(ticks); rdtsc() < end;)
        cpu_relax();
}

/* A device that has nothing to do writes to its part of the page again. */
static void keep_busy(void)
{
    for (unsigned i = 0; i < engine_count; i++)
        if (!edu_busy(&engines[i]))
            edu_start(&engines[i], EDU_BUFFER, IOVA + i * PIECE, PIECE, EDU_TO_MEMORY);
}

static bool is_untouched(const uint64_t *page)
{
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        if (page[i])
            return false;
    return true;
}

static void count_fault(const struct vtd_fault *f) { fault_count += f->reason != 0; }

/* Every engine's buffer holds ones; its first transfer tells how long one takes, in ticks. */
static uint64_t prepare(struct vtd_domain *d, uint8_t *page)
{
    uint64_t ticks = 0;
    memset(page, 0xff, PAGE_SIZE);
    if (vtd_map(d, gpa(IOVA), ptr_hpa(page), PAGE_SIZE, VTD_READ | VTD_WRITE))
        return 0;
    for (unsigned i = 0; i < engine_count; i++) {
        uint64_t began = rdtsc();
        if (vtd_attach(d, engines[i].f->bdf) || !edu_read(&engines[i], IOVA, PIECE))
            return 0;
        ticks = MAX(ticks, rdtsc() - began);
    }
    vtd_unmap(d, gpa(IOVA), PAGE_SIZE);
    memset(page, 0, PAGE_SIZE);
    return ticks;
}

/* True: it had come while it was allowed to. *late: one came when it was not. */
static bool one_round(struct vtd_domain *d, uint64_t *page, uint64_t pause, bool *late)
{
    *late |= vtd_map(d, gpa(IOVA), ptr_hpa(page), PAGE_SIZE, VTD_READ | VTD_WRITE) != 0;
    keep_busy();
    pause_below(pause);
    vtd_unmap(d, gpa(IOVA), PAGE_SIZE);
    compiler_barrier();
    bool arrived = !is_untouched(page);
    memset(page, 0, PAGE_SIZE);
    if (random_below(2))
        keep_busy();
    pause_below(pause);
    for (unsigned i = 0; i < engine_count; i++)
        (void)edu_busy(&engines[i]); /* whatever is still on its way arrives before the answer */
    compiler_barrier();
    *late |= !is_untouched(page);
    vtd_fault_poll();
    return arrived;
}

KTEST_LONG(vtd_no_write_after_unmap)
{
    if (!vtd_active())
        KSKIP("no VT-d here");
    for (engine_count = 0; engine_count < ENGINES; engine_count++)
        if (!edu_find(&engines[engine_count], engine_count))
            break;
    if (engine_count == 0)
        KSKIP("no edu here");
    uint64_t *page = page_alloc();
    struct vtd_domain *d = vtd_domain_create();
    KEXPECT(page && d);
    vtd_fault_handler_set(count_fault);
    random_state = 88172645463325252;
    uint64_t ticks = prepare(d, (uint8_t *)page);
    KEXPECT(ticks > 0);
    uint64_t pause = MIN(2 * ticks, PAUSE_US * time_tsc_khz() / 1000);
    bool late = false;
    unsigned arrivals = 0, round = 0;
    for (; round < ROUNDS && !late; round++)
        arrivals += one_round(d, page, pause, &late);
    for (unsigned i = 0; i < engine_count; i++) {
        (void)wait_until(!edu_busy(&engines[i]), 2000000);
        vtd_detach(engines[i].f->bdf);
    }
    vtd_fault_handler_set(NULL);
    vtd_domain_destroy(d);
    page_free(page);
    console_line("ktest: rounds=%u engines=%u with-arrivals=%u faults=%lu", round, engine_count,
                 arrivals, fault_count);
    KEXPECT(!late && arrivals > 0 && fault_count > 0);
}
