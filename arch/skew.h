/* SPDX-License-Identifier: MIT */
/*
 * How far the TSC of another CPU is from that of the first one. A vCPU that moves, or two that talk
 * to each other, would see time go back.
 * From: arch/cpu.c.   To: arch/skew.c.
 * Spec: SDM "Time-Stamp Counter Adjustment".
 */
#pragma once
#include "arch/cpu.h"
#include "lib/errno.h"

/* On the first CPU: compare with `other`, which is in skew_answer(), or will be within `us`
 * microseconds. A TSC that differs is set, if the CPU can, and logged. -ETIMEDOUT: it does not
 * answer. -ENODEV (logged): its TSC differs all the same. */
MUST_CHECK int skew_check(struct cpu *other, uint64_t us);
/* On the other CPU, until its TSC agrees. */
void skew_answer(struct cpu *this);
