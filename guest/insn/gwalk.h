/* SPDX-License-Identifier: MIT */
/*
 * The guest's own page tables, walked as its CPU walks them: from a linear address to a
 * guest-physical address, or to the page fault that the guest must get.
 * From: guest/pc/mmio.c (fetch an instruction, reach its other operand).   To: guest/insn/gwalk.c.
 * Spec: SDM "Paging".
 * Not handled: protection keys, shadow stacks, implicit supervisor accesses (the GDT's, the TSS's).
 */
#pragma once
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/types.h"

// clang-format off
/* SDM "Page-Fault Error Code" */
#define PFERR_P    BIT(0, "P", "why", "0:not present|1:not permitted")
#define PFERR_W    BIT(1, "W", "access", "0:read|1:write")
#define PFERR_U    BIT(2, "U", "mode", "0:supervisor|1:user")
#define PFERR_RSVD BIT(3, "RSVD", "a reserved bit was set")
#define PFERR_I    BIT(4, "I", "it was a fetch")
// clang-format on

enum gwalk_access { GWALK_READ, GWALK_WRITE, GWALK_FETCH };

/* The registers of the guest's CPU on which a walk depends. */
struct gwalk_cpu {
    uint64_t cr0, cr3, cr4, efer, rflags;
    uint64_t pdpte[4];  /* PAE paging: the registers (VMCS fields), not the entries in memory */
    uint8_t cpl;        /* 0 to 3 */
    uint8_t maxphyaddr; /* bits, 32 to 52; CPUID.80000008H:EAX[7:0] as the guest sees it */
};

/* Guest-physical memory; pure code cannot reach it. size: 4 or 8 bytes, aligned. 0 or -E... */
struct gwalk_bus {
    int (*read)(void *ctx, gpa_t entry, unsigned size, uint64_t *value);
    /* Sets bits (accessed, dirty) in an entry, by one locked OR. NULL: leave the tables alone. */
    int (*set_bits)(void *ctx, gpa_t entry, unsigned size, uint64_t bits);
    void *ctx;
};

struct gwalk {
    gpa_t gpa;           /* on 0 */
    uint64_t page_size;  /* bytes; on 0: the translation holds to the end of this page */
    uint32_t error_code; /* on -EPERM: PFERR_... */
};

/* SDM "Paging". 0: out->gpa is the address.
 * -EPERM: the guest gets #PF with out->error_code, and CR2 = gva.
 * -EINVAL: gva is not canonical: the guest gets #GP, or #SS for an access through SS.
 * Other: the code of the bus, for a table that lies outside of the guest's memory. */
MUST_CHECK int gwalk(const struct gwalk_cpu *cpu, uint64_t gva, enum gwalk_access access,
                     const struct gwalk_bus *bus, struct gwalk *out);
