/* SPDX-License-Identifier: MIT */
/*
 * For every fuzz program: a claim that ends it, and mutations of inputs that are lists of records.
 * From: tests/fuzz/fuzz_*.c.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* libFuzzer stores the input whenever a claim does not hold. */
#define must(claim) ((claim) ? (void)0 : fuzz_broken(#claim, __FILE__, __LINE__))
static inline void fuzz_broken(const char *claim, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
    abort();
}

/* Memory that was freed comes back soon: with the usual 256 MB in between, each input would find
 * its blocks cold. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:malloc_context_size=4:check_printf=0";
}

/* --- Mutators --------------------------------------------------------------------------------- */

static inline uint32_t fuzz_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Insert a record at `to`: a copy of the one at `from`, or with from == to whatever was there. */
static inline size_t fuzz_insert(uint8_t *data, size_t size, size_t max, size_t to, size_t from,
                                 size_t record)
{
    uint8_t copy[64];
    if (size + record > max || from + record > size)
        return size;
    memcpy(copy, data + from, record);
    memmove(data + to + record, data + to, size - to);
    memcpy(data + to, copy, record);
    return size + record;
}

/* An input of `head` bytes and then records of `record` bytes, at most 64. Whole records come, go
 * and change places, so the others keep their meaning. */
static inline size_t fuzz_mutate_records(uint8_t *data, size_t size, size_t max, unsigned seed,
                                         size_t head, size_t record)
{
    uint32_t r = seed;
    size_t count = size > head ? (size - head) / record : 0;
    if (count == 0 || fuzz_random(&r) % 8 == 0)
        return LLVMFuzzerMutate(data, size, max);
    size_t one = head + fuzz_random(&r) % count * record;
    size_t other = head + fuzz_random(&r) % count * record;
    switch (fuzz_random(&r) % 8) {
    case 0:
        return fuzz_insert(data, size, max, one, other, record);
    case 1:
        memmove(data + one, data + one + record, size - one - record);
        return size - record;
    case 2: { /* the value of one place at the same place of the other */
        size_t at = fuzz_random(&r) % record;
        data[one + at] = data[other + at];
        return size;
    }
    case 3: /* the same once more, a little changed */
        size = fuzz_insert(data, size, max, one, one, record);
        data[one + fuzz_random(&r) % record] ^= (uint8_t)(1u << fuzz_random(&r) % 8);
        return size;
    case 4:
        size = fuzz_insert(data, size, max, head + count * record, other, record);
        one = head + count * record < size ? head + count * record : one;
        break;
    default:
        break;
    }
    if (one + record <= size)
        (void)LLVMFuzzerMutate(data + one, record, record);
    return size;
}

/* The mutator of a program whose inputs are such lists. */
#define FUZZ_RECORDS(head, record)                                                                 \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)          \
    {                                                                                              \
        return fuzz_mutate_records(data, size, max, seed, head, record);                           \
    }
