/* SPDX-License-Identifier: MIT */
/*
 * What was typed, and waits to be read: a ring of bytes. Any CPU may fill it while another reads.
 * From: arch/terminal.c, arch/line.c.   To: arch/typed.c.
 */
#pragma once
#include "lib/types.h"

#define TYPED_SIZE 16384

struct typed {
    uint8_t bytes[TYPED_SIZE];
    unsigned head, count, lost;
    uint32_t busy; /* 1: a CPU works on the ring */
};

/* Fetch at most 16 bytes from next(), which gives -1 when there are no more. A source that is gone,
 * and reads as ones, so does not hold the CPU. Another CPU works on the ring: nothing is done. */
void typed_fetch(struct typed *t, int (*next)(void));
int typed_read(struct typed *t); /* -1: none waits, or another CPU works on the ring */
/* Take the key behind the first waiting `escape`; two escapes are one byte of input, and no escape.
 * The input before it is lost, and counted. -1: there is none, and all input stays. */
int typed_read_escaped(struct typed *t, uint8_t escape);
