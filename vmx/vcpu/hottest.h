/* SPDX-License-Identifier: MIT */
/*
 * The ports, MSRs and addresses for which a vCPU exits most, and how often.
 * From: vmx/exit/ (hottest_count), monitor/cmd/exits.c (the rows).   To: vmx/vcpu/hottest.c.
 */
#pragma once
#include "lib/types.h"

/* Exact while at most HOTTEST_ROWS occur; one more takes over the rarest row with its count. */
enum hottest_kind { HOTTEST_PORT, HOTTEST_MSR, HOTTEST_GPA, HOTTEST_KINDS };
#define HOTTEST_ROWS 12
struct hottest {
    struct {
        uint64_t at, count; /* count 0: an empty row */
    } rows[HOTTEST_ROWS];   /* the first two are the latest */
};

void hottest_move_to_front(struct hottest *h, uint64_t at);
/* A guest that polls repeats its last access, and one that asks by an address and a data register
 * repeats the last two. So these rows are compared first. */
static inline bool hottest_again(struct hottest *h, uint64_t at) /* false: not counted yet */
{
    if (__builtin_expect(h->rows[0].at == at, 1))
        h->rows[0].count++;
    else if (h->rows[1].at == at && h->rows[1].count)
        h->rows[1].count++;
    else
        return false;
    return true;
}
static inline void hottest_count(struct hottest *h, uint64_t at)
{
    if (!hottest_again(h, at))
        hottest_move_to_front(h, at);
}
