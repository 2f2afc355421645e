/* SPDX-License-Identifier: MIT */
/*
 * A depth-first search over states of actors that run on stacks of their own.
 * From: tests/explore/posting.c.   Contract: tests/explore/explore.h.
 */
#include "tests/explore/explore.h"
#include "arch/spinlock.h"
#include "arch/watch.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEEP_MAX   8
#define WATCH_MAX  32
#define DEPTH_MAX  4096
#define SEEN_COUNT (UINT64_C(1) << 25)

struct span {
    char *start;
    size_t size;
};

/* Part of the state. */
static struct actor {
    uint64_t *sp;
    const uint32_t *mask; /* what it waits for: a bit of `allowed` in here; NULL: nothing */
    uint32_t allowed;
    const uint32_t *lock; /* or this to be 0 */
    const char *at;
    int line;
    bool ended;
} actors[ACTORS_MAX];
static char stacks[ACTORS_MAX][EXPLORE_STACK] __attribute__((aligned(64)));

static void (*programs[ACTORS_MAX])(void);
static const char *names[ACTORS_MAX];
static unsigned actor_count, current = ACTORS_MAX, picked;
static uint64_t *explorer_sp;
static struct span kept[KEEP_MAX], watched[WATCH_MAX];
static unsigned kept_count, watched_count;

static struct {
    unsigned actor, bit;
    const char *at;
    int line;
} path[DEPTH_MAX];
static unsigned depth;
static uint64_t *seen;
static uint32_t optional;
static struct explore_result result;

/* --- Actors ----------------------------------------------------------------------------------- */

void switch_stack(uint64_t **from, uint64_t *to);
asm("switch_stack: push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15;"
    "mov %rsp, (%rdi); mov %rsi, %rsp;"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret");

unsigned explore_current(void) { return current; }
bool explore_has_ended(unsigned actor) { return actors[actor].ended; }
const char *explore_waits_for(unsigned actor) { return actors[actor].at; }

static void stop_at(const uint32_t *mask, uint32_t allowed, const uint32_t *lock, const char *at,
                    int line)
{
    struct actor *a = &actors[current];
    a->mask = mask;
    a->allowed = allowed;
    a->lock = lock;
    a->at = at;
    a->line = line;
    switch_stack(&a->sp, explorer_sp);
}

static void actor_main(void)
{
    programs[current]();
    actors[current].ended = true;
    stop_at(NULL, 0, NULL, "its end", 0);
    abort();
}

void explore_actor(const char *name, void (*run)(void))
{
    unsigned n = actor_count++;
    uint64_t *top = (uint64_t *)(stacks[n] + EXPLORE_STACK) - 1;
    *--top = (uint64_t)actor_main;
    top -= 6;
    actors[n] = (struct actor){.sp = top, .at = "its beginning"};
    names[n] = name;
    programs[n] = run;
}

void explore_optional(uint32_t bits) { optional = bits; }

void explore_keep(void *start, size_t size) { kept[kept_count++] = (struct span){start, size}; }
void explore_watch(const void *start, size_t size)
{
    watched[watched_count++] = (struct span){(char *)start, size};
}

void explore_step(const void *p, const char *function, int line)
{
    if (current == ACTORS_MAX)
        return;
    for (unsigned i = 0; i < watched_count; i++)
        if ((const char *)p - watched[i].start >= 0 &&
            (size_t)((const char *)p - watched[i].start) < watched[i].size) {
            stop_at(NULL, 0, NULL, function, line);
            return;
        }
}

unsigned explore_choose(const uint32_t *mask, uint32_t allowed, const char *what)
{
    static const uint32_t all = UINT32_MAX;
    stop_at(mask ? mask : &all, allowed, NULL, what, 0);
    return picked;
}

void spin_lock(struct spinlock *l)
{
    if (current != ACTORS_MAX)
        stop_at(NULL, 0, &l->next, "spin_lock", 0);
    l->next = 1;
}
void spin_unlock(struct spinlock *l) { l->next = 0; }

void watch_wait(struct watch *w, unsigned cpu, uint64_t sign, const char *whom, const char *what)
{
    (void)w, (void)cpu, (void)sign, (void)whom, (void)what;
}

/* --- States ----------------------------------------------------------------------------------- */

static size_t live(unsigned n)
{
    return (size_t)(stacks[n] + EXPLORE_STACK - (char *)actors[n].sp);
}

static void each_span(void (*visit)(void *ctx, char *start, size_t size), void *ctx)
{
    visit(ctx, (char *)actors, sizeof(actors));
    for (unsigned i = 0; i < actor_count; i++)
        visit(ctx, (char *)actors[i].sp, live(i));
    for (unsigned i = 0; i < kept_count; i++)
        visit(ctx, kept[i].start, kept[i].size);
}

static void add_size(void *ctx, char *start, size_t size)
{
    (void)start;
    *(size_t *)ctx += size;
}
static void copy_out(void *ctx, char *start, size_t size)
{
    memcpy(*(char **)ctx, start, size);
    *(char **)ctx += size;
}
static void copy_in(void *ctx, char *start, size_t size)
{
    memcpy(start, *(char **)ctx, size);
    *(char **)ctx += size;
}
static void add_hash(void *ctx, char *start, size_t size)
{
    uint64_t *h = ctx;
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word;
        memcpy(&word, start + 8 * i, 8);
        *h = (*h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        *h ^= *h >> 29;
    }
}

static bool is_new(void)
{
    uint64_t h = 1;
    each_span(add_hash, &h);
    h += h == 0;
    for (uint64_t i = h % SEEN_COUNT;; i = (i + 1) % SEEN_COUNT) {
        if (seen[i] == h)
            return false;
        if (!seen[i]) {
            seen[i] = h;
            if (++result.states > SEEN_COUNT / 4 * 3)
                explore_failed("more states than there is room for");
            return true;
        }
    }
}

/* --- The search ------------------------------------------------------------------------------- */

const char *explore_search;

void explore_failed(const char *fmt, ...)
{
    va_list args;
    current = ACTORS_MAX;
    printf("explore: FAILED: ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    if (explore_search)
        printf(", in the search \"%s\"", explore_search);
    printf(", after\n");
    for (unsigned i = 0; i < depth; i++)
        printf("  %-8s %s%s%.*d way %u\n", names[path[i].actor], path[i].at,
               path[i].line ? ":" : "", path[i].line != 0, path[i].line, path[i].bit);
    fflush(stdout);
    _exit(1);
}

/* The ways that an actor can go on now, a bit each. */
static uint32_t ways(const struct actor *a)
{
    if (a->ended)
        return 0;
    if (a->lock)
        return *a->lock == 0;
    return a->mask ? *a->mask & a->allowed : 1;
}

static void step(unsigned n, unsigned bit)
{
    if (depth >= DEPTH_MAX)
        explore_failed("longer than %u steps", DEPTH_MAX);
    path[depth].actor = n;
    path[depth].bit = bit;
    path[depth].at = actors[n].at;
    path[depth].line = actors[n].line;
    depth++;
    picked = bit;
    current = n;
    switch_stack(&explorer_sp, actors[n].sp);
    current = ACTORS_MAX;
    result.steps++;
}

static bool every_actor_may_stop(void)
{
    for (unsigned n = 0; n < actor_count; n++)
        if (ways(&actors[n]) & ~(actors[n].mask ? optional : 0))
            return false;
    return true;
}

static void go_on(void (*at_end)(void))
{
    size_t size = 0;
    each_span(add_size, &size);
    char *state = malloc(size), *at = state;
    struct actor here[ACTORS_MAX];
    each_span(copy_out, &at);
    memcpy(here, actors, sizeof(here));
    if (every_actor_may_stop()) {
        result.ends++;
        if (depth > result.longest)
            result.longest = depth;
        at_end();
    }
    for (unsigned n = 0; n < actor_count; n++)
        for (uint32_t left = ways(&here[n]); left; left &= left - 1) {
            step(n, (unsigned)__builtin_ctz(left));
            if (is_new())
                go_on(at_end);
            depth--;
            memcpy(actors, here, sizeof(here)); /* first: the others' places depend on it */
            at = state;
            each_span(copy_in, &at);
        }
    free(state);
}

struct explore_result explore_all(void (*at_end)(void))
{
    seen = calloc(SEEN_COUNT, sizeof(*seen));
    if (!seen)
        abort();
    go_on(at_end);
    free(seen);
    return result;
}
