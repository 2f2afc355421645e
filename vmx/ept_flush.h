/* SPDX-License-Identifier: MIT */
/*
 * When a change of an EPT becomes visible: before an entry, and in CPUs that are in the guest now.
 * Private to vmx/.
 * From: vmx/ept.c (ept_unmap), vmx/run/run.c (around each entry).   To: vmx/ept_flush.c.
 */
#pragma once
#include "arch/radix.h"
#include "arch/spinlock.h"
#include "vmx/cpu.h"
#include "vmx/ept.h"
#include "vmx/vmx_bits.h"

#define EPT_LEVELS 4

struct ept {
    struct radix tree;
    struct spinlock lock; /* held for changes of the tree; walks need no lock */
    uint64_t generation;  /* counts removals of entries */
    void *apic_page;      /* ept_apic_page(), or NULL */
};
/* EPTP: SDM "Extended-Page-Table Pointer (EPTP)" */
static inline uint64_t ept_pointer(const struct ept *ept)
{
    return FIELD_SET(EPTP_MEMTYPE, EPT_WB) | FIELD_SET(EPTP_WALK_LENGTH, EPT_LEVELS - 1) |
           ptr_hpa(ept->tree.root).v;
}

/* The tables of `ept` have lost an entry, and `generation` is raised. When this returns, no CPU
 * uses what it had cached of the entry. It waits for other CPUs, so no lock is held that an exit
 * handler takes. */
void ept_flush(struct ept *ept);
/* Invalidate what this CPU has cached of `ept`; *seen becomes `generation`, read before. */
void ept_flush_here(const struct ept *ept, uint64_t *seen, uint64_t generation);
#ifdef HAMLET_UNIT
static inline void ept_announce(struct ept *ept) { atomic_store(&this_vmx_cpu()->guest_ept, ept); }
#else
#define GUEST_EPT (offsetof(struct cpu, vmx) + offsetof(struct vmx_cpu, guest_ept))
/* atomic_store(): one instruction, as GS is this CPU's struct cpu. */
static inline void ept_announce(struct ept *ept)
{
    asm volatile("xchg %0, %%gs:%c1" : "+r"(ept) : "i"(GUEST_EPT) : "memory");
}
#endif
/* Before each entry: announce that this CPU uses `ept`, then invalidate if entries were
 * removed since *seen. XCHG is a full barrier: the look stays behind the announcement. */
static inline void ept_flush_before_entry(struct ept *ept, uint64_t *seen)
{
    ept_announce(ept);
    uint64_t generation = atomic_load(&ept->generation);
    if (__builtin_expect(*seen != generation, 0))
        ept_flush_here(ept, seen, generation);
}
/* After each exit. All accesses of the guest come before another CPU sees the NULL, because x86
 * keeps a store behind them. */
static inline void ept_out_of_guest(void)
{
#ifdef HAMLET_UNIT
    atomic_store(&this_vmx_cpu()->guest_ept, NULL);
#else
    asm volatile("movq $0, %%gs:%c0" ::"i"(GUEST_EPT) : "memory");
#endif
}
/* This CPU: every EPT and every VPID; one VPID. */
void ept_flush_all(void);
void ept_flush_vpid(uint16_t vpid);
/* The page that the APIC-access address names, made at the first call. -ENOMEM. */
MUST_CHECK int ept_apic_page(struct ept *ept, hpa_t *page);
