/* SPDX-License-Identifier: MIT */
/*
 * What the exits of a vCPU were about, and how often: the ports, MSRs and addresses it exits for most.
 * From: vmx/exit/ (hottest_count), monitor/cmd/exits.c (the rows).   To: vmx/vcpu/hottest.c.
 */
#pragma once
#include "lib/types.h"

/* Exact while there are at most HOTTEST_ROWS of them; a further one takes the rarest row and its count. */
enum hottest_kind { HOTTEST_PORT, HOTTEST_MSR, HOTTEST_GPA, HOTTEST_KINDS };
#define HOTTEST_ROWS 12
struct hottest {
    struct {
        uint64_t at, count; /* count 0: an empty row */
    } rows[HOTTEST_ROWS];   /* the first one is the latest */
};

void hottest_move_to_front(struct hottest *h, uint64_t at);
/* A guest that polls asks again for what it asked for last. */
static inline void hottest_count(struct hottest *h, uint64_t at)
{
    if (__builtin_expect(h->rows[0].at == at, 1))
        h->rows[0].count++;
    else
        hottest_move_to_front(h, at);
}
