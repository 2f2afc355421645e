/* SPDX-License-Identifier: MIT */
/*
 * Options: words such as mem=64M, read into the members of a structure. A table has a row per key.
 * An error is a reason, such as "not a multiple of 2M"; NULL is success. The owner of the table
 * prints the one line that names key, value and reason.
 * From: arch/options.c, guest/life/config.c.
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

#define OPTION_WORD_MAX 768 /* a word of a line, and its end */

struct option;
/* Read `value` into `field`; a setter may cut `value`. NULL, or the error: the owner then drops
 * the whole structure. */
typedef const char *option_set_fn(const struct option *row, void *field, char *value);

struct option {
    const char *key; /* NULL: behind the last row */
    option_set_fn *set;
    size_t offset, size; /* of the field: OPTION_FIELD. Without it the field is the structure */
    uint64_t min, max;   /* bounds of a number or a size; `min` of a text's length, too */
    const char *const *words; /* OPTION_WORDS */
    const char *why;          /* the reason for a value out of its bounds; has a default */
    bool several;             /* the key may stand more than once in a VM's line */
};

#define OPTION_FIELD(type, member)                                                                 \
    .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define OPTION_WORDS(...)                                                                          \
    .words = (const char *const[]) { __VA_ARGS__, NULL }

/* The kinds of values. A table adds a setter of its own for what is none of these. */
option_set_fn option_number; /* decimal or 0x..., min to max */
option_set_fn option_size;   /* 64M, min to max; a multiple of 2M, as large pages are */
option_set_fn option_word;   /* one of the words: its index */
option_set_fn option_bit;    /* one of the words: sets the bit of its index in an unsigned */
option_set_fn option_flag;   /* a key alone: true */
option_set_fn option_text;   /* characters: `min`, and fewer than the field has */
option_set_fn option_name;   /* the same, of letters, digits, - and _ */

/* NULL: no row has the key. */
const struct option *option_find(const struct option *rows, const char *key);

/* Read the value of a row's key into its structure; value NULL: the key stands alone. */
const char *option_set(const struct option *row, void *structure, const char *value);

/* Take the next word of *at, as a shell would: blanks divide words, "..." keeps them, and a
 * backslash takes the next character as it is. (GRUB writes "cmdline=a b".) NULL, or what is wrong.
 * At the end of the line the word is empty. */
const char *option_next(const char **at, char word[OPTION_WORD_MAX]);

/* Cut a text at the first `c`: what follows it, or NULL. NULL is cut to NULL. */
char *option_cut(char *text, char c);
