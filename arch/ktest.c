/* SPDX-License-Identifier: MIT */
/*
 * Runs the in-kernel tests and prints one line for each: "ktest: PASS name".
 * From: boot/main.c, tests/kernel/ (KEXPECT, KSKIP).   To: tests/kernel/.
 */
#include "arch/ktest.h"
#include "arch/log.h"
#include "arch/options.h"
#include "lib/printf.h"
#include "lib/string.h"

extern const struct ktest ktests_start[], ktests_end[]; /* linker.ld */

static struct {
    enum { PASSED, FAILED, SKIPPED } result;
    char why[200];
} current;

void ktest_fail(const char *file, int line, const char *text)
{
    current.result = FAILED;
    snprintf(current.why, sizeof(current.why), " %s:%d %s", file, line, text);
}

void ktest_skip(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    current.result = SKIPPED;
    current.why[0] = ' ';
    vsnprintf(current.why + 1, sizeof(current.why) - 1, fmt, args);
    va_end(args);
}

unsigned ktest_run_all(void)
{
    static const char *const words[] = {"PASS", "FAIL", "SKIP"};
    unsigned counts[3] = {0, 0, 0};
    if (&ktests_start[0] == &ktests_end[0])
        return 0;
    for (const struct ktest *t = ktests_start; t < ktests_end; t++) {
        /* A name of `options` chooses every test that begins so, or the one of that name. */
        size_t length = t->only_by_name ? SIZE_MAX : strlen(options.ktest);
        if (strncmp(options.ktest, t->name, length) != 0)
            continue;
        current.result = PASSED;
        current.why[0] = '\0';
        t->run();
        counts[current.result]++;
        console_line("ktest: %s %s%s", words[current.result], t->name, current.why);
    }
    console_line("ktest: %u passed, %u failed, %u skipped", counts[PASSED], counts[FAILED],
                 counts[SKIPPED]);
    return counts[FAILED];
}
