/* SPDX-License-Identifier: MIT */
/*
 * Error codes. A function that can fail returns 0 or -E... The reason is logged once, by FAIL
 * (arch/log.h), where the error is found. The callers decide what to do, and log nothing more.
 */
#pragma once

#define ENOENT     2  /* there is no such thing */
#define EIO        5  /* the hardware did not do as its manual says */
#define EAGAIN     11 /* not this one; the next may do */
#define ENOMEM     12 /* no page left */
#define EFAULT     14 /* the guest has a page fault to handle first */
#define EBUSY      16 /* another owner has it */
#define EEXIST     17 /* it is there already */
#define ENODEV     19 /* the machine lacks a feature */
#define EINVAL     22 /* a table, an option or an argument makes no sense */
#define ENOSPC     28 /* a table of ours is full */
#define EPERM      1  /* it would not be safe */
#define ETIMEDOUT  110

/* A caller for which the error changes nothing writes IGNORE(f()): the reason is in the log. */
#define MUST_CHECK __attribute__((warn_unused_result))
#define IGNORE(f)  ((void)!(f))
