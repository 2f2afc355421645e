/* SPDX-License-Identifier: MIT */
/*
 * What an operation costs, in TSC ticks with the loop around it taken off. In the lab one tick
 * is one instruction, so these are the hypervisor's instructions per operation, the same from
 * run to run. With the educational device assigned, also what costs nothing: a port and a
 * register of its own.
 * From: tests/bench/bench.py, which reads the lines "bench KEY=VALUE".
 */
#include "guest/programs/edu.h"

#define ROUNDS 1000

#define PER_OPERATION(operation)                                                                   \
    ({                                                                                             \
        uint64_t empty_ = rdtsc(), full_;                                                          \
        for (unsigned i_ = 0; i_ < ROUNDS; i_++)                                                   \
            asm volatile("" ::: "memory");                                                         \
        empty_ = rdtsc() - empty_;                                                                 \
        full_ = rdtsc();                                                                           \
        for (unsigned i_ = 0; i_ < ROUNDS; i_++)                                                   \
            operation;                                                                             \
        full_ = rdtsc() - full_;                                                                   \
        full_ > empty_ ? (full_ - empty_ + ROUNDS / 2) / ROUNDS : 0;                               \
    })

static bool edu_is_there(void)
{
    for (unsigned dev = 0; dev < 32; dev++)
        if (pci_config_read(BDF(0, dev, 0), 0, 4) == (EDU_DEVICE << 16 | EDU_VENDOR))
            return true;
    return false;
}

int main(void)
{
    uint64_t begin = rdtsc(); /* the VM's time began when Hamlet had told what the boot took */
    print("bench boot_rest=%lu", begin);
    print("bench cpuid_exit=%lu", PER_OPERATION(cpuid(1, 0)));
    print("bench vmcall=%lu", PER_OPERATION(hypercall(HC_NOTHING, 0)));
    print("bench trapped_in=%lu", PER_OPERATION(in8(0x3ff)));
    print("bench absent_in=%lu", PER_OPERATION(in8(0x80)));
    if (!edu_is_there())
        return 0;
    struct edu e = edu_open();
    uint16_t port = (uint16_t)pci_bar(e.bdf, 1);
    uint64_t before = exits_all();
    print("bench direct_mmio_read=%lu", PER_OPERATION(edu_read(&e, EDU_ID)));
    if (port)
        print("bench passed_in=%lu", PER_OPERATION(in8(port)));
    print("bench exits=%lu", exits_all() - before);
    return 0;
}
