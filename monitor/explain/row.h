/* SPDX-License-Identifier: MIT */
/*
 * Private to monitor/explain/: the other meaning of what lib/bits.h defines. From here on CAP_ND is
 * no mask but a row of a table: {2, 0, "ND", "2^(4 + 2 ND) domain-ids", ""}. This header is
 * included last, as later headers would no longer see masks.
 * From: monitor/explain/vtd.c, monitor/explain/vmx.c, monitor/explain/pc.c.
 */
#pragma once
#include "monitor/explain/explain.h"

// clang-format off
#undef BIT
#undef BITS
#undef BIT_HI
#undef BITS_HI
#define BITS(hi, lo, name, words, ...) {hi, lo, name, words, "" __VA_ARGS__}
#define BIT(n, ...)                    BITS(n, n, __VA_ARGS__)
#define BITS_HI                        BITS
#define BIT_HI                         BIT

/* What definitions use to say what their values mean. */
#define ADDRESS                        EXPLAIN_ADDRESS
#define YES_NO                         "0:no|1:yes"

#define FIELDS(...)                    (const struct explain_field[]){__VA_ARGS__, {0}}
// clang-format on
