/* SPDX-License-Identifier: MIT */
/*
 * Which ports, MSRs and addresses a vCPU exits for most: a short list that keeps the frequent ones.
 * From: vmx/exit/io.c, exit_msr.c, exit_ept.c, exit_intr.c (top_count).   To: monitor/cmd_exits.c.
 */
#include "vmx/internal.h"

void top_move_to_front(struct top *t, uint64_t at)
{
    unsigned row = 1, rarest = 1;
    while (row < TOP_ROWS && (t->rows[row].at != at || !t->rows[row].count)) {
        if (t->rows[row].count < t->rows[rarest].count)
            rarest = row;
        row++;
    }
    if (row == TOP_ROWS) {
        row = rarest;
        t->rows[row].at = at;
    }
    __typeof__(t->rows[0]) found = t->rows[row];
    t->rows[row] = t->rows[0];
    t->rows[0] = found;
    t->rows[0].count++;
}
