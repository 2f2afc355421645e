/* SPDX-License-Identifier: MIT */
/*
 * Strings and memory: the C library's functions of the same names (lib/string.c), and the number
 * parser that every option goes through (lib/parse.c).
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* The whole of [s, s + len) as a number, decimal or 0x..., with one suffix K, M or G (powers of 1024).
 * -EINVAL: empty, another character, or over 64 bits; *out is then untouched. */
MUST_CHECK int parse_u64(const char *s, size_t len, uint64_t *out);
/* A function's address, bus:device.function in hexadecimal ("00:1f.2"). -EINVAL: it is none. */
MUST_CHECK int parse_bdf(const char *s, bdf_t *out);
/* Takes the hexadecimal digits that *at begins with, at most `max` of them, as a number. How many. */
size_t parse_hex(const char **at, size_t max, uint64_t *out);
unsigned digit_value(char c); /* of a hex digit, 16: it is none, in any base */
