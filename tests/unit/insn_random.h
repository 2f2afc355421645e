/* SPDX-License-Identifier: MIT */
/*
 * Encodings to compare decoders with: random, but from a fixed seed, and dense where Hamlet knows
 * instructions. random_state must be set first, and not to 0.
 * From: tests/unit/diff_insn.c, tests/unit/diff_insn_exec.c.   To: guest/insn/insn.h.
 */
#pragma once
#include "guest/insn/insn.h"
#include <string.h>

static uint64_t random_state;

static inline uint32_t random_u32(void) /* xorshift64*: the same sequence on every machine */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

static inline uint32_t below(uint32_t n) { return random_u32() % n; }

static const uint8_t prefix_bytes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66,
                                       0x66, 0x67, 0x67, 0xf0, 0xf2, 0xf3, 0xf3};
static const uint8_t two_byte_opcodes[] = {0xa3, 0xab, 0xb3, 0xb6, 0xb7, 0xba, 0xbb,
                                           0xbe, 0xbf, 0xae, 0xaf, 0xb0, 0xb1, 0xbc,
                                           0xbd, 0xc0, 0xc1, 0xc3, 0xc7, 0x48, 0x95};
static const uint8_t vector_opcodes[] = {0x10, 0x11, 0x28, 0x29, 0x2a, 0x2b, 0x6e,
                                         0x6f, 0x7e, 0x7f, 0xd6, 0xe7, 0xf0};
static const uint8_t vector_prefixes[] = {0x66, 0xf3, 0xf2, 0x66};
static const uint8_t other_opcodes[] = {
    0x63, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0xa0,
    0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe,
    0xff, 0x69, 0x6b, 0x8f, 0xa6, 0xa7, 0xae, 0xaf, 0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3};
#define PICK(array) array[below(sizeof(array))]

/* Fills 16 bytes and returns how many of them the decoders may see. Three of four carry an opcode
 * that Hamlet knows; the rest is noise. */
static inline size_t random_encoding(uint8_t *bytes, enum insn_mode mode)
{
    size_t n = 0, prefix_count = below(8) == 0 ? below(15) : below(4);
    for (unsigned i = 0; i < 16; i += 4) {
        uint32_t r = random_u32();
        memcpy(bytes + i, &r, 4);
    }
    while (n < prefix_count)
        bytes[n++] = below(24) ? PICK(prefix_bytes) : 0x40 + below(16);
    unsigned kind = below(10);
    if (kind == 8 && n < 12 && below(2)) /* a move of vectors, as it is written without VEX */
        bytes[n++] = PICK(vector_prefixes);
    if (mode == INSN_MODE_64 && below(2) && kind != 9)
        bytes[n++] = 0x40 + below(16);
    switch (kind) {
    case 8:
        bytes[n++] = 0x0f;
        if (n < 14) {
            bytes[n] = PICK(vector_opcodes);
            if (bytes[n++] == 0x2a) { /* of the other map */
                bytes[n - 1] = 0x38;
                bytes[n++] = 0x2a;
            }
        }
        break;
    case 9: /* VEX, mostly with no third register */
        if (n > 10)
            break;
        bytes[n++] = 0xc4 + below(2);
        if (bytes[n - 1] == 0xc4) {
            bytes[n] = (bytes[n] & 0xe0) | (below(4) ? 1 : below(4));
            n++;
        }
        if (mode != INSN_MODE_64)
            bytes[n - (bytes[n - 1] == 0xc5 ? 0 : 1)] |= 0xc0;
        if (below(8))
            bytes[n] |= 0x78;
        n++;
        bytes[n++] = PICK(vector_opcodes);
        break;
    case 0:
    case 1:
        bytes[n++] = below(8) * 8 + below(4);
        break;
    case 2:
    case 3:
        bytes[n++] = PICK(other_opcodes);
        break;
    case 4:
        bytes[n++] = 0x0f;
        if (n < 15)
            bytes[n++] = PICK(two_byte_opcodes);
        break;
    case 5:
        bytes[n++] = 0x0f;
        if (n < 14) {
            bytes[n++] = 0x38;
            bytes[n++] = 0xf0 + below(2);
        }
        break;
    default:
        break;
    }
    return below(8) ? 15 : below(16);
}
