/* SPDX-License-Identifier: MIT */
/*
 * Whatever comes over the line: keys into lines, lines into words, words into commands.
 */
// length: 500
// sources: monitor/edit.c monitor/args.c monitor/term/command.c monitor/cmd/explain.c
// sources: monitor/explain/explain.c monitor/explain/vtd.c monitor/explain/vmx.c
// sources: monitor/explain/pc.c lib/parse.c lib/text.c
#include "tests/fuzz/fuzz.h"
#include "tests/unit/monitor_stubs.h"
#include "tests/unit/stubs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edit e;
    memset(&e, 0, sizeof(e));
    for (size_t i = 0; i < size; i++) {
        enum edit_event event = edit_key(&e, data[i]);
        must(e.length <= EDIT_LINE_MAX && e.cursor <= e.length && strlen(e.line) == e.length);
        if (event == EDIT_DONE) {
            char line[EDIT_LINE_MAX + 1];
            memcpy(line, e.line, sizeof(line));
            edit_keep(&e);
            edit_clear(&e);
            stub_log_clear();
            command_run(line);
        }
    }
    return 0;
}
