/* SPDX-License-Identifier: MIT */
/*
 * Registers and table entries in words: a row per register, with its fields. Name and words of a
 * field stand where its bits are defined (lib/bits.h). Every command shows entries through these
 * rows, so a field has the same name in all of them.
 * From: monitor/cmd/.   To: monitor/explain/explain.c, vtd.c vmx.c pc.c (the tables).
 */
#pragma once
#include "lib/text.h"
#include "lib/types.h"

/* Values of a field that is an address without its low bits, which are 0. It is shown with them,
 * ready for the commands that take an address. */
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

/* A row with name NULL ends each table. */
extern const struct explain_register explain_vtd[], explain_vmx[], explain_pc[];

const struct explain_register *explain_find(const char *name); /* NULL: there is none */
/* The n-th name, from 0 on, that begins with [text, text + size); NULL: no more. */
const char *explain_match(const char *text, size_t size, unsigned n);
/* A value in one line: NAME=value NAME NAME ...; a field that is 0 is left out, unless 0 has a
 * word. `high`: the upper half of an entry of 128 bits. Some table has the name. */
struct text explain_words(const char *name, uint64_t low, uint64_t high);
/* A value in full: a line for each field, and one for set bits of no field. r->words values. */
void explain_say(const struct explain_register *r, const uint64_t *words);
