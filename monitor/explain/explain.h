/* SPDX-License-Identifier: MIT */
/*
 * Registers and table entries in words: a table per register, one row per field, with the manual's
 * names and bits. Every command shows entries through these, so a field has one name everywhere.
 * From: monitor/cmd/.   To: monitor/explain/explain.c, vtd.c vmx.c pc.c (the tables).
 */
#pragma once
#include "lib/text.h"
#include "lib/types.h"

/* The field is an address without its low bits, which are 0: it is shown whole, ready to be looked
 * at. */
#define EXPLAIN_ADDRESS "address"

struct explain_field {
    uint64_t mask; /* of its word; the table ends with mask 0 */
    const char *name, *text;
    const char *values; /* "0:word|1:word": what its values mean; NULL: a number; EXPLAIN_ADDRESS */
    uint8_t word;       /* 64-bit word of the entry, from the lowest */
};

struct explain_register {
    const char *name;
    const char *title; /* manual and section */
    uint8_t words;     /* how many values it takes */
    const struct explain_field *fields;
};

extern const struct explain_register explain_vtd[], explain_vmx[],
    explain_pc[]; /* name NULL: end */

const struct explain_register *explain_find(const char *name); /* NULL: there is none */
/* Names that begin with [text, text + size): from the n-th on; NULL: no more. */
const char *explain_match(const char *text, size_t size, unsigned n);
/* What a value says, in one line: NAME=value NAME NAME ..., fields that are 0 left out. `high`: of
 * an entry of 128 bits. */
struct text explain_words(const char *name, uint64_t low, uint64_t high);
/* The same in full: a line for each field. */
void explain_say(const struct explain_register *r, const uint64_t *words);
