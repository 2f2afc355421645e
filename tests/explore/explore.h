/* SPDX-License-Identifier: MIT */
/*
 * Every interleaving of a few actors, whose code is the real one: each atomic operation, each
 * taking of a lock and each interrupt is a place where another actor may go first. All that an
 * actor is lies in memory (the world, and its stack), so it can be put back and the other way
 * tried; a state that was seen before is not gone into again.
 * From: tests/explore/posting.c (the actors).   To: tests/explore/explore.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACTORS_MAX    5
#define EXPLORE_STACK 4096

/* Memory that belongs to the state besides the stacks. */
void explore_keep(void *start, size_t size);
/* Memory at which it matters who is first; atomic operations elsewhere are no place to stop at. */
void explore_watch(const void *start, size_t size);
void explore_actor(const char *name, void (*run)(void));

/* From an actor: wait until one of the bits of *mask is set (NULL: of ~0) and among `allowed`, and
 * take that way; every such bit is tried. Returns the number of the bit. */
unsigned explore_choose(const uint32_t *mask, uint32_t allowed, const char *what);
/* Ways that an actor may take, but need not: where there are no others, it may just as well
 * stay without end. */
void explore_optional(uint32_t bits);
unsigned explore_current(void);    /* which actor runs; ACTORS_MAX: none */
extern const char *explore_search; /* what this search is about; NULL: there is one only */
void __attribute__((noreturn, format(printf, 1, 2))) explore_failed(const char *fmt, ...);

struct explore_result {
    unsigned long states, steps, ends;
    unsigned longest;
};
/* Go through all of it; at_end() is called in each state in which no actor has to go on. */
struct explore_result explore_all(void (*at_end)(void));
bool explore_has_ended(unsigned actor);
const char *explore_waits_for(unsigned actor);
