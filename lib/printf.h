/* SPDX-License-Identifier: MIT */
/*
 * The part of ISO C's printf that Hamlet uses: %d %i %u %x %X %c %s %p %%, flags 0 and -, width,
 * precision and *, lengths h l ll z. Prototypes and results are those of the C library, so host
 * tests link with either.
 * To: lib/printf.c.
 * Spec: ISO C "The fprintf function".
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>

/* Both write at most `size` bytes, with the final 0, and return the length of the whole text. */
int vsnprintf(char *out, size_t size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
int snprintf(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
