/* SPDX-License-Identifier: MIT */
/*
 * Runs every TEST that was linked in.
 * From: lab/bochs/plugin/tests/harness.h      To: -
 */
#include "harness.h"

int main()
{
    for (const Case &c : cases()) {
        int before = failures;
        c.run();
        printf("%s %s\n", failures == before ? "PASS" : "FAIL", c.name);
    }
    printf("%zu tests, %d failed checks\n", cases().size(), failures);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
