/* SPDX-License-Identifier: MIT */
/*
 * The searches of tests/explore/posting.c: how many CPUs and vCPUs, and what may happen to them.
 * From: tests/explore/posting.c.
 */
#pragma once
#include <stdbool.h>

/* What a search is about; each number is how often it may happen. */
struct shape {
    const char *name;
    unsigned cpus, vcpus, posts, slices, halts, ipis, wakes, requests;
    unsigned icrs;      /* IPIs that the sender's CPU posts, in the guest */
    unsigned deadlines; /* of vCPU 0, set by another CPU, each sooner than the one before */
    unsigned startups;  /* INIT, and a STARTUP behind it, for vCPU 0; if stopped, INIT last */
    bool migrate, stop; /* vCPU 0 may go to another CPU; is stopped at some time */
    bool dead;          /* each on a CPU of its own, halts with interrupts off; an IPI is an NMI */
};
static const struct shape quick[] = {
    {"one vCPU", .cpus = 1, .vcpus = 1, .posts = 2, .slices = 1, .halts = 1, .wakes = 1},
    {"an IPI to itself", .cpus = 1, .vcpus = 1, .posts = 1, .slices = 1, .halts = 1, .ipis = 1},
    {"two vCPUs on a CPU", .cpus = 1, .vcpus = 2, .posts = 2, .slices = 1, .halts = 1},
    {"migration", .cpus = 2, .vcpus = 2, .posts = 1, .slices = 1, .halts = 2, .migrate = true},
    {"stopped", .cpus = 1, .vcpus = 1, .posts = 2, .slices = 1, .halts = 1, .stop = true},
    {"requests", .cpus = 1, .vcpus = 1, .posts = 1, .halts = 1, .requests = 1},
    {"stopped, and requests", .cpus = 1, .vcpus = 1, .requests = 1, .stop = true},
    {"requests to another one", .cpus = 1, .vcpus = 2, .slices = 1, .halts = 1, .requests = 1,
     .stop = true},
    {"IPIs without an exit", .cpus = 1, .vcpus = 2, .slices = 1, .halts = 1, .icrs = 2},
    {"to itself, and by a device", .cpus = 1, .vcpus = 1, .posts = 1, .halts = 1, .icrs = 1},
    {"deadlines", .cpus = 1, .vcpus = 2, .halts = 2, .deadlines = 2},
    {"started again", .cpus = 1, .vcpus = 2, .slices = 1, .startups = 2},
    {"started again, and stopped", .cpus = 1, .vcpus = 1, .startups = 2, .stop = true},
    {"halted with interrupts off", .cpus = 2, .vcpus = 2, .halts = 2, .ipis = 1, .dead = true},
};
/* Only the CPUs of guests post. */
static const struct shape icr[] = {
    {"IPIs without an exit", .cpus = 1, .vcpus = 2, .slices = 1, .halts = 1, .icrs = 2},
    {"to itself", .cpus = 1, .vcpus = 1, .slices = 1, .halts = 1, .icrs = 2},
    {"from another CPU", .cpus = 2, .vcpus = 2, .slices = 1, .halts = 1, .icrs = 2,
     .migrate = true},
    {"to one that is stopped", .cpus = 1, .vcpus = 2, .slices = 1, .halts = 1, .icrs = 1,
     .stop = true},
};
static const struct shape deep[] = {
    {"one vCPU", .cpus = 1, .vcpus = 1, .posts = 4, .slices = 2, .halts = 3, .wakes = 1},
    {"two vCPUs on a CPU", .cpus = 1, .vcpus = 2, .posts = 3, .slices = 2, .halts = 2},
    {"IPIs", .cpus = 1, .vcpus = 2, .posts = 1, .slices = 1, .halts = 2, .ipis = 2},
    {"IPIs without an exit", .cpus = 2, .vcpus = 2, .posts = 1, .slices = 1, .halts = 1, .icrs = 2,
     .migrate = true},
    {"migration", .cpus = 2, .vcpus = 2, .posts = 2, .slices = 1, .halts = 2, .migrate = true},
    {"stopped", .cpus = 1, .vcpus = 2, .posts = 2, .slices = 1, .halts = 2, .stop = true},
    {"started again, and stopped", .cpus = 1, .vcpus = 1, .slices = 1, .halts = 1, .startups = 2,
     .stop = true},
};
