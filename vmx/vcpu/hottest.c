/* SPDX-License-Identifier: MIT */
/*
 * Which ports, MSRs and addresses a vCPU exits for most: a short list that keeps the frequent ones.
 * From: vmx/exit/io.c, exit_msr.c, exit_ept.c, exit_intr.c (hottest_count).   To: monitor/cmd/exits.c.
 */
#include "vmx/vcpu/hottest.h"

void hottest_move_to_front(struct hottest *h, uint64_t at)
{
    unsigned row = 1, rarest = 1;
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
    h->rows[row] = h->rows[0];
    h->rows[0] = found;
    h->rows[0].count++;
}
