/* SPDX-License-Identifier: MIT */
/*
 * Registers and table entries in words: a row per register, with its fields. Name and words of a
 * field stand where its bits are defined (lib/bits.h). Every command shows entries through these
 * rows, so a field has one name everywhere.
 * From: monitor/cmd/.   To: monitor/explain/explain.c, vtd.c vmx.c pc.c (the tables).
 */
#pragma once
#include "lib/text.h"
#include "lib/types.h"

/* The field is an address without its low bits, which are 0: it is shown whole, ready to be looked
 * at. */
#define EXPLAIN_ADDRESS "address"

struct explain_field {
    uint8_t hi, lo;          /* bits, both ends included, counted through all words of the entry */
    const char *name, *text; /* the fields end with name NULL */
    const char *values;      /* "0:word|1:word"; "": a number; EXPLAIN_ADDRESS */
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
