/* SPDX-License-Identifier: MIT */
/*
 * Bits as the manuals write them: BITS(hi, lo), counted from 0, both ends included.
 * Hamlet takes apart and puts together with these all that hardware reads or writes. C leaves the
 * order of bitfields open, so Hamlet has none.
 *
 * A definition may carry the field's name, its words, and what its values mean:
 *   #define CTX_TT BITS(3, 2, "TT", "which requests are translated", "0:untranslated|2:none")
 * Code sees the mask and nothing else. The monitor's command explain sees the rest, by the other
 * meaning that monitor/explain/row.h gives to these macros. So each field is defined once.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT(n, ...)          (UINT64_C(1) << (n))
#define BITS(hi, lo, ...)    (((UINT64_C(2) << (hi)) - 1) & ~(BIT(lo) - 1))
#define BIT_HI(n, ...)       BIT((n)-64) /* a bit of the upper half of a 128-bit entry */
#define BITS_HI(hi, lo, ...) BITS((hi)-64, (lo)-64)
/* mask & -mask is its lowest bit: a division by it shifts a field down, a multiplication up. */
#define FIELD_GET(mask, w)   (((uint64_t)(w) & (mask)) / ((mask) & -(mask)))
#define FIELD_SET(mask, v)   (((uint64_t)(v) * ((mask) & -(mask))) & (mask))

/* The low `bytes` bytes of a word, 1 to 8: what an access or an operand of that width holds. */
#define WIDTH_MASK(bytes)    BITS(8 * (bytes)-1, 0)

/* The low and the high half of a register that is written in two. */
#define LO32(v)              ((uint32_t)(v))
#define HI32(v)              ((uint32_t)((uint64_t)(v) >> 32))

#define ALIGN_DOWN(x, a)     ((x) & ~((uint64_t)(a)-1)) /* a: a power of two */
#define ALIGN_UP(x, a)       ALIGN_DOWN((x) + (a)-1, a)
#define IS_ALIGNED(x, a)     (((x) & ((uint64_t)(a)-1)) == 0)

#define ARRAY_COUNT(a)       (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b)            ((a) < (b) ? (a) : (b))
#define MAX(a, b)            ((a) > (b) ? (a) : (b))

/* Do [a, a + a_size) and [b, b + b_size) have a byte in common? No range wraps or is empty. */
static inline bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* The compiler proves each layout that a manual fixes, where the layout is declared. */
#ifndef static_assert
#define static_assert _Static_assert
#endif
#define LAYOUT(type, field, off) static_assert(offsetof(type, field) == (off), #type "." #field)
