/* SPDX-License-Identifier: MIT */
/*
 * For unit tests: what was logged, and panics that are expected. See tests/unit/stubs.c.
 */
#pragma once
#include <setjmp.h>
#include <stdbool.h>

extern char stub_log[]; /* every line since stub_log_clear(), "subsystem: text\n" */
void stub_log_clear(void);

extern jmp_buf stub_panic_jump;
extern bool stub_panic_expected;

/* assert_panics(f(x)): the expression has to end in panic(). */
#define assert_panics(expression)                                                                  \
    do {                                                                                           \
        stub_panic_expected = true;                                                                \
        if (setjmp(stub_panic_jump) == 0) {                                                        \
            (void)(expression);                                                                    \
            fail_msg("%s does not panic", #expression);                                            \
        }                                                                                          \
        stub_panic_expected = false;                                                               \
    } while (0)
