/* SPDX-License-Identifier: MIT */
/*
 * Linear addresses of a guest's instruction: the paging state of its vCPU, taken once, and walks
 * through the guest's page tables with it.
 * From: guest/pc/mmio.c, guest/pc/fetch.c.   To: guest/pc/linear.c.
 */
#pragma once
#include "guest/insn/gwalk.h"
#include "vmx/vcpu/vcpu.h"

/* Entries of page tables that a walk has read, where the host finds them, with the bits that the
 * walk has set. Of an entry of 4 bytes, the 8 bytes around it. */
#define LINEAR_SEEN_MAX 5
struct linear_seen {
    struct linear_entry {
        const uint64_t *at;
        uint64_t value;
    } entry[LINEAR_SEEN_MAX];
    unsigned count;
};

/* The context of all accesses of one instruction. */
struct linear {
    struct vcpu *v;
    struct vcpu_paging *state;
    /* The access of the exit, which the CPU has translated and found allowed: linear address *told
     * is at `at`. NULL if the CPU has not told. */
    const uint64_t *told;
    gpa_t at;
    bool write;
    struct linear_seen *seen; /* gets what the next walks read; NULL: not wanted */
};

/* As gwalk(), with the state of `a`. */
MUST_CHECK int linear_walk(struct linear *a, uint64_t at, enum gwalk_access access,
                           struct gwalk *out);

/* *left: bytes from there to the end of the page, or fewer. -EFAULT: the access faults, and the
 * exception of the CPU is injected. */
MUST_CHECK int linear_translate(struct linear *a, uint64_t at, enum gwalk_access access, gpa_t *out,
                                uint64_t *left);

/* Bytes from the address to the end of its page. */
static inline uint64_t linear_left(const struct gwalk *w)
{
    return w->page_size - (w->gpa.v & (w->page_size - 1));
}
