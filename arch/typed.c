/* SPDX-License-Identifier: MIT */
/*
 * A ring of typed bytes. A CPU that finds another at work on it goes away: it may be in a panic, or
 * a turn of the scheduler, and comes again.
 * From: arch/terminal.c (the console), arch/line.c (a program).   To: lib/atomic.h.
 */
#include "arch/typed.h"
#include "lib/atomic.h"

#define FETCH_MAX 16 /* a FIFO's worth */

static uint8_t *byte_at(struct typed *t, unsigned n)
{
    return &t->bytes[(t->head + n) % TYPED_SIZE];
}

/* In a full ring a new byte replaces the last but one. The last two are thus the newest: an escape
 * and its key, typed to leave a guest that does not read, still arrive. */
static void keep(struct typed *t, uint8_t byte)
{
    if (t->count == TYPED_SIZE) {
        *byte_at(t, TYPED_SIZE - 2) = *byte_at(t, TYPED_SIZE - 1);
        t->count--;
        atomic_fetch_add(&t->lost, 1);
    }
    *byte_at(t, t->count++) = byte;
}

void typed_fetch(struct typed *t, int (*next)(void))
{
    if (atomic_exchange(&t->busy, 1))
        return;
    int byte;
    for (unsigned n = 0; n < FETCH_MAX && (byte = next()) >= 0; n++)
        keep(t, (uint8_t)byte);
    atomic_store(&t->busy, 0);
}

int typed_read(struct typed *t)
{
    int byte = -1;
    if (atomic_exchange(&t->busy, 1))
        return -1;
    if (t->count > 0) {
        byte = *byte_at(t, 0);
        t->head = (t->head + 1) % TYPED_SIZE;
        t->count--;
    }
    atomic_store(&t->busy, 0);
    return byte;
}

int typed_read_escaped(struct typed *t, uint8_t escape)
{
    int key = -1;
    if (atomic_exchange(&t->busy, 1))
        return -1;
    for (unsigned i = 0; i + 1 < t->count && key < 0; i++) {
        if (*byte_at(t, i) != escape || *byte_at(t, ++i) == escape)
            continue;
        key = *byte_at(t, i);
        atomic_fetch_add(&t->lost, i - 1); /* no guest reads those before the escape */
        t->head = (t->head + i + 1) % TYPED_SIZE;
        t->count -= i + 1;
    }
    atomic_store(&t->busy, 0);
    return key;
}
