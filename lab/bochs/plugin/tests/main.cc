/* SPDX-License-Identifier: MIT */
/*
 * Runs every TEST that was linked in.
 * From: lab/bochs/plugin/tests/harness.h      To: -
 */
#include "harness.h"

int main()
{
    unsigned passed = 0;
    for (const Case &c : cases()) {
        int before = failures;
        c.run();
        passed += failures == before;
        printf("%s %s\n", failures == before ? "PASS" : "FAIL", c.name);
    }
    printf("[  PASSED  ] %u test(s).\n", passed); /* as cmocka says it: tests/run.py counts both */
    if (passed < cases().size())
        printf("[  FAILED  ] %u test(s)\n", unsigned(cases().size()) - passed);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
