/* SPDX-License-Identifier: MIT */
/*
 * The ports, MSRs and addresses for which a vCPU exits most: a short list that keeps
 * the frequent ones.
 * From: vmx/exit/io.c, vmx/exit/msr.c, vmx/exit/ept.c, vmx/exit/intr.c (hottest_count).
 * To: nothing.
 * Hot: counts every trapped access.
 */
#include "vmx/vcpu/hottest.h"

/* Rows 0 and 1 are the latest. An unknown `at` replaces the rarest of the others and inherits its
 * count, so a new place that is frequent stays. */
void hottest_move_to_front(struct hottest *h, uint64_t at)
{
    unsigned row = 2, rarest = 2;
    while (row < HOTTEST_ROWS && (h->rows[row].at != at || !h->rows[row].count)) {
        if (h->rows[row].count < h->rows[rarest].count)
            rarest = row;
        row++;
    }
    if (row == HOTTEST_ROWS) {
        row = rarest;
        h->rows[row].at = at;
    }
    __typeof__(h->rows[0]) found = h->rows[row];
    h->rows[row] = h->rows[1];
    h->rows[1] = h->rows[0];
    h->rows[0] = found;
    h->rows[0].count++;
}
