/* SPDX-License-Identifier: MIT */
/*
 * Numbers and addresses as a person writes them.
 * To: lib/parse.c.
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

/* The whole of [s, s + len) as a number: decimal or 0x..., with at most one suffix K, M or G
 * (powers of 1024). -EINVAL: empty, another character, or more than 64 bits; *out then stays. */
MUST_CHECK int parse_u64(const char *s, size_t len, uint64_t *out);
/* The address of a PCI function, bus:device.function in hexadecimal, such as 00:1f.2. -EINVAL: it
 * is none; *out then stays. */
MUST_CHECK int parse_bdf(const char *s, bdf_t *out);
/* Take the hexadecimal digits at *at, at most `max` of them, as a number, and move *at behind them.
 * Returns how many there were. */
size_t parse_hex(const char **at, size_t max, uint64_t *out);
/* The value of a hexadecimal digit, 0 to 15; 16: `c` is no digit. */
unsigned parse_digit(char c);
