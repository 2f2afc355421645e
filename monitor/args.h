/* SPDX-License-Identifier: MIT */
/*
 * The words of a command, taken one by one, and the lines of its answer. Every command answers with
 * a line at least, whatever its words are. Lines of the monitor have no name in front; those of the
 * guests and of the log do.
 * From: the files of monitor/ only.   To: monitor/args.c.
 */
#pragma once
#include "lib/bits.h"
#include "arch/log.h"
#include "guest/core/vm.h"
#include "lib/text.h"

#define ARGS_MAX 16

struct args {
    const char *command;
    char *words[ARGS_MAX + 1]; /* NULL behind the last */
    unsigned next;             /* the first that was not taken yet */
};

/* A line of an answer. */
#define say(...) console_line(__VA_ARGS__)
/* A line about a mistake in the words; it begins with the command. Returns false. */
bool complain(const struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Cut the line into words, in place. False: there are more than any command takes. */
bool args_split(struct args *a, char *line);
/* The next word, only looked at or taken. NULL: there is none. */
static inline char *args_peek(const struct args *a) { return a->words[a->next]; }
char *args_word(struct args *a);
bool args_is(struct args *a, const char *word); /* the next is `word`: it is taken */

/* Each of these returns false after it has complained. */
bool args_end(struct args *a);                                     /* no word is left */
bool args_number(struct args *a, const char *what, uint64_t *out); /* decimal or 0x; K M G */
bool args_bdf(struct args *a, bdf_t *out);                         /* bb:dd.f */
/* A VM by name, or else the one in focus. It has its tables still. */
bool args_vm(struct args *a, struct vm **out);
/* A vCPU as NAME.N, or the first of the VM that args_vm() gives. */
bool args_vcpu(struct args *a, struct vcpu **out);

bool word_number(const char *word, uint64_t *out);
