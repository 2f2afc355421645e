/* SPDX-License-Identifier: MIT */
/*
 * Text that grows piece by piece, up to the length of a line. What does not fit is left out.
 * From: everywhere, for a line of unknown length or a name made of parts.   To: lib/text.c.
 */
#pragma once
#include <stddef.h>

#define TEXT_MAX 512

struct text {    /* begins as {0}, or as text_of() */
    size_t used; /* without the NUL */
    char at[TEXT_MAX];
};

struct text text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
