/* SPDX-License-Identifier: MIT */
/*
 * Tests that run in the booted hypervisor. build/hamlet-test.elf is build/hamlet.elf with
 * tests/kernel/.
 *
 *   KTEST(page_alloc_gives_zeroes) { KEXPECT(...); }
 *
 * Each test registers itself by a linker section. A failed KEXPECT and a KSKIP end the test.
 * From: tests/kernel/.   To: arch/ktest.c.
 */
#pragma once
#include "lib/types.h"

struct ktest {
    const char *name;
    void (*run)(void);
    bool only_by_name;
} __attribute__((aligned(32)));

#define KTEST_DEFINE(test, by_name)                                                                \
    static void test(void);                                                                        \
    static const struct ktest ktest_##test                                                         \
        __attribute__((used, section(".ktests"))) = {#test, test, by_name};                        \
    static void test(void)

#define KTEST(test)       KTEST_DEFINE(test, false)
/* Ends in a panic, so it runs only with ktest=NAME. The boot case checks the console. */
#define KTEST_FATAL(test) KTEST_DEFINE(test, true)
/* Takes long: runs only with ktest=NAME, too. */
#define KTEST_LONG(test)  KTEST_DEFINE(test, true)

#define KEXPECT(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            ktest_fail(__FILE__, __LINE__, #cond);                                                 \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* The machine lacks what the test needs. */
#define KSKIP(...)                                                                                 \
    do {                                                                                           \
        ktest_skip(__VA_ARGS__);                                                                   \
        return;                                                                                    \
    } while (0)

void ktest_fail(const char *file, int line, const char *text);
void ktest_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Run the tests that are linked and that options.ktest chooses. Without any, print nothing. Returns
 * how many failed. */
unsigned ktest_run_all(void);
