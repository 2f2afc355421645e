/* SPDX-License-Identifier: MIT */
/*
 * What it costs to show memory to a VM's CPUs and devices, to take it away, and to free the tables,
 * from 64 MiB to 64 GiB. The memory need not be there: nothing reads it. In the lab a tick is an
 * instruction.
 * From: tests/bench/scale.py, which reads the lines "scale KIND KEY=VALUE ...".
 */
#include "arch/ktest.h"
#include "arch/log.h"
#include "tests/kernel/edu.h"
#include "vmx/vmcs.h"
#include "vmx/ept.h"
#include "vtd/unit.h"

#define MIB       (UINT64_C(1) << 20)
#define MEMORY_AT (64 * SIZE_1G)

#define TICKS(operation)                                                                           \
    ({                                                                                             \
        uint64_t began_ = rdtsc();                                                                 \
        operation;                                                                                 \
        rdtsc() - began_;                                                                          \
    })

static void bench_size(const char *kind, bdf_t bdf, uint64_t size, hpa_t to)
{
    struct vtd_domain *domain = vtd_domain_create();
    struct ept *ept = ept_create();
    KEXPECT(domain && ept && vtd_attach(domain, bdf) == 0);
    int err = 0;
    uint64_t cpu = TICKS(err |= ept_map(ept, gpa(0), to, size, EPT_PERM_ALL, EPT_WB));
    /* From 4 GiB on, as a device sees the interrupt addresses below. */
    uint64_t device = TICKS(err |= vtd_map(domain, gpa(4 * SIZE_1G), to, size, VTD_READ));
    KEXPECT(err == 0);
    uint64_t unmap = TICKS({
        vtd_unmap(domain, gpa(4 * SIZE_1G), size);
        ept_unmap(ept, gpa(0), size);
    });
    vtd_detach(bdf);
    uint64_t end = TICKS({
        vtd_domain_destroy(domain);
        ept_destroy(ept);
    });
    console_line("ktest: | scale %s mib=%lu map_cpu=%lu map_device=%lu unmap=%lu end=%lu", kind,
                 size / MIB, cpu, device, unmap, end);
}

KTEST_LONG(bench_scale)
{
    struct edu edu;
    if (!vtd_active() || !edu_find(&edu, 0))
        KSKIP("no VT-d or no edu here");
    for (uint64_t size = 64 * MIB; size <= 64 * SIZE_1G; size *= 2) {
        bench_size("1g", edu.f->bdf, size, hpa(MEMORY_AT));
        bench_size("2m", edu.f->bdf, size, hpa(MEMORY_AT + SIZE_2M));
        if (size <= 2 * SIZE_1G) /* 513 tables for each GiB */
            bench_size("4k", edu.f->bdf, size, hpa(MEMORY_AT + PAGE_SIZE));
    }
}
