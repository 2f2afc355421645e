/* SPDX-License-Identifier: MIT */
/*
 * The same transfer in the three ways of dma= (mode=0 vtd, 1 pv, 2 identity): which address does
 * the driver give to its device, and what does it cost to know it?
 * From: tests/cases/test_dma.py; tests/bench/bench.py, which reads the lines "bench KEY=VALUE".
 * To: guest/assign/dma.c.
 */
#include "guest/programs/edu.h"

#define BYTES  2048
#define ROUNDS 500
#define MEGA   UINT64_C(0x100000)
#define BATCH  16
#define AT     UINT64_C(0x1200000) /* above 16 MiB: there identity begins */
#define TO     (AT + 16 * 4096)

enum mode { MODE_VTD, MODE_PV, MODE_IDENTITY };

static struct hypercall_pages list __attribute__((aligned(4096)));
static enum mode mode;
static struct edu e;

/* The addresses of `count` pages from `at` on, as the device needs them: list.address. */
static void addresses(uint64_t at, unsigned count)
{
    list.count = count;
    for (unsigned i = 0; i < count; i++)
        list.address[i] = at + i * UINT64_C(4096);
    compiler_barrier();
    if (mode == MODE_PV)
        check(hypercall(HC_DMA_MAP, (uint64_t)&list) == count);
}

static void done_with(uint64_t at, unsigned count)
{
    if (mode != MODE_PV)
        return;
    list.count = count;
    for (unsigned i = 0; i < count; i++)
        list.address[i] = at + i * UINT64_C(4096);
    compiler_barrier();
    check(hypercall(HC_DMA_UNMAP, (uint64_t)&list) == count);
}

static void transfer(uint64_t at, bool out)
{
    addresses(at, 1);
    check(edu_dma(&e, list.address[0], BYTES, out));
    done_with(at, 1);
}

static void check_transfer(void)
{
    uint64_t *from = (uint64_t *)AT, *to = (uint64_t *)TO;
    for (unsigned i = 0; i < BYTES / 8; i++) {
        from[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        to[i] = 0;
    }
    transfer(AT, false);
    transfer(TO, true);
    for (unsigned i = 0; i < BYTES / 8; i++)
        check(to[i] == from[i]);
}

/* What the hypercalls promise, and what they refuse. */
static void check_pins(void)
{
    addresses(AT, BATCH);
    for (unsigned i = 0; i < BATCH; i++)
        check(list.address[i] == hypercall(HC_HOST_ADDRESS, AT + i * UINT64_C(4096)));
    check(hypercall(HC_DMA_PINNED, 0) == BATCH);
    addresses(AT, 1); /* twice */
    check(hypercall(HC_DMA_PINNED, 0) == BATCH);
    done_with(AT, 1);
    check(hypercall(HC_DMA_PINNED, 0) == BATCH);
    done_with(AT, BATCH);
    check(hypercall(HC_DMA_PINNED, 0) == 0);
    list.count = 1;
    list.address[0] = AT; /* not pinned any more */
    check(hypercall(HC_DMA_UNMAP, (uint64_t)&list) == 0);
    list.address[0] = UINT64_C(1) << 40; /* no RAM */
    check(hypercall(HC_DMA_MAP, (uint64_t)&list) == 0);
    list.count = HC_PAGES_MAX + 1;
    check(hypercall(HC_DMA_MAP, (uint64_t)&list) == HC_UNKNOWN);
    check(hypercall(HC_DMA_MAP, (uint64_t)&list + 8) == HC_UNKNOWN);
    check(hypercall(HC_DMA_MAP, UINT64_C(1) << 40) == HC_UNKNOWN);
    check(hypercall(HC_DMA_PINNED, 0) == 0);
    print("pins are counted");
}

static uint64_t per_page(unsigned count)
{
    uint64_t began = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++) {
        addresses(AT, count);
        done_with(AT, count);
    }
    return (rdtsc() - began) / (ROUNDS * count);
}

static uint64_t per_transfer(void)
{
    uint64_t began = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        transfer(i % 2 ? TO : AT, i % 2);
    return (rdtsc() - began) / ROUNDS;
}

int main(void)
{
    static const char *const names[] = {"vtd", "pv", "identity"};
    mode = (enum mode)option("mode", MODE_VTD);
    e = edu_open();
    check_transfer();
    print("dma=%s: gpa=0x%lx is hpa=0x%lx, the pattern came back", names[mode], AT,
          hypercall(HC_HOST_ADDRESS, AT));
    if (mode == MODE_PV)
        check_pins();
    if (mode == MODE_IDENTITY)
        for (uint64_t at = 16 * MEGA; at < 24 * MEGA; at += 4096)
            check(hypercall(HC_HOST_ADDRESS, at) == at);
    if (mode != MODE_PV) /* there is nothing to ask for */
        check(hypercall(HC_DMA_MAP, (uint64_t)&list) == HC_UNKNOWN);
    print("bench dma_%s_page=%lu", names[mode], per_page(1));
    print("bench dma_%s_page_of_%u=%lu", names[mode], BATCH, per_page(BATCH));
    print("bench dma_%s_transfer=%lu", names[mode], per_transfer());
    check(hypercall(HC_FAULTS, 0) == 0 && hypercall(HC_DMA_PINNED, 0) == 0);
    return 0;
}
