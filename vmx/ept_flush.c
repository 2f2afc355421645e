/* SPDX-License-Identifier: MIT */
/*
 * When a change of an EPT becomes visible: every CPU that may have cached the old entry invalidates
 * before it enters the guest again, and ept_unmap() waits for the CPUs that are in the guest now.
 * From: vmx/ept.c (ept_unmap), vmx/run/run.c (before each entry).   To: arch/cpu.c (cpu_kick).
 * Hot: every entry looks at the generation of its EPT.
 * Spec: SDM "Caching Translation Information", "Guidelines for Use of the INVEPT Instruction",
 * "Guidelines for Use of the INVVPID Instruction".
 *
 * INVARIANT: before an entry a CPU announces the EPT (guest_ept) first, and then looks at the
 * generation. ept_unmap() raises the generation first, and then looks for announcements. So one of
 * the two always sees the other.
 */
#include "vmx/ept_flush.h"
#include "vmx/caps.h"
#include "vmx/vmcs.h"
#include "arch/watch.h"
#include "arch/x86.h"

struct invalidation {
    uint64_t target, reserved;
} __attribute__((aligned(16)));

static void invept(uint64_t type, uint64_t eptp)
{
    struct invalidation d = {eptp, 0};
    bool failed;
    asm volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(d), "r"(type) : "memory");
    if (failed)
        vmcs_failed("INVEPT", eptp);
}

static void invvpid(uint64_t type, uint16_t vpid)
{
    struct invalidation d = {vpid, 0};
    bool failed;
    asm volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(d), "r"(type) : "memory");
    if (failed)
        vmcs_failed("INVVPID", vpid);
}

void ept_flush_vpid(uint16_t vpid)
{
    invvpid(vmx_caps.invvpid_single ? INVVPID_SINGLE : INVVPID_ALL, vpid);
}

COLD void ept_flush_all(void)
{
    invept(INVEPT_ALL, 0);
    invvpid(INVVPID_ALL, 0);
}

void ept_flush_here(const struct ept *ept, uint64_t *seen, uint64_t generation)
{
    invept(vmx_caps.invept_single ? INVEPT_SINGLE : INVEPT_ALL, ept_pointer(ept));
    *seen = generation;
    atomic_store(&this_vmx_cpu()->guest_generation, generation);
}

/* True: that CPU uses no entry older than `generation`: it is out of the guest, or invalidated. */
static bool is_clean(struct cpu *other, const struct ept *ept, uint64_t generation)
{
    struct vmx_cpu *cpu = vmx_cpu(other);
    return atomic_load(&cpu->guest_ept) != ept || atomic_load(&cpu->guest_generation) >= generation;
}

COLD void ept_flush(struct ept *ept)
{
    uint64_t generation = atomic_load(&ept->generation);
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);
        if (cpu == this_cpu() || is_clean(cpu, ept, generation))
            continue;
        cpu_kick(cpu);
        struct watch watch = {0};
        while (!is_clean(cpu, ept, generation))
            watch_wait(&watch, i, 0, "a CPU", "to leave its guest");
    }
}
