/* SPDX-License-Identifier: MIT */
/*
 * Strings and memory: the C library's functions of the same names.
 * To: lib/string.c.
 * Spec: ISO C "String handling".
 */
#pragma once
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
