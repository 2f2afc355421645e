/* SPDX-License-Identifier: MIT */
/*
 * Accesses that may fault: then they fail, and Hamlet goes on.
 * From: everywhere.   To: arch/safe.c.
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

/* An MSR that may not exist: -EIO on #GP instead of a panic. */
MUST_CHECK int rdmsr_safe(uint32_t msr, uint64_t *out);
/* A value that the MSR may not take: likewise. */
MUST_CHECK int wrmsr_safe(uint32_t msr, uint64_t value);
/* A byte that may not be mapped: -EFAULT on #PF instead of a panic. */
MUST_CHECK int read8_safe(const void *at, uint8_t *out);
