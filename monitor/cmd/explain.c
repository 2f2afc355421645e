/* SPDX-License-Identifier: MIT */
/*
 * explain: any register or entry, field by field.
 * From: monitor/term/command.c.   To: monitor/explain/explain.c.
 */
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "monitor/explain/explain.h"
#include "vmx/reasons.h"

static void list_names(void)
{
    struct text line = {0};
    const char *name;
    for (unsigned n = 0; (name = explain_match("", 0, n)); n++) {
        if (line.used > 70) {
            say("%s", line.at);
            line.used = 0;
        }
        text_add(&line, "  %s", name);
    }
    say("%s", line.at);
    say("  vmcs.exit_qualification REASON");
}

/* The exit qualification has a table for each exit reason. NULL: complained. */
static const struct explain_register *wanted(struct args *a, const char *name)
{
    uint64_t reason;
    if (strcmp(name, "vmcs.exit_qualification") != 0) {
        const struct explain_register *r = explain_find(name);
        if (!r)
            complain(a, "no register has the name %s; explain lists them", name);
        return r;
    }
    if (!args_number(a, "exit reason", &reason))
        return NULL;
    const struct explain_register *r = explain_find(text_of("vmcs.qualification.%lu", reason).at);
    if (!r)
        complain(a, "the qualification says nothing for reason %lu (%s)", reason,
                 reason < EXIT_REASON_COUNT ? exit_reason_name((uint32_t)reason) : "unknown");
    return r;
}

void cmd_explain(struct args *a)
{
    const char *name = args_word(a);
    if (!name) {
        list_names();
        return;
    }
    const struct explain_register *r = wanted(a, name);
    uint64_t words[2] = {0};
    if (!r)
        return;
    for (unsigned i = 0; i < r->words; i++)
        if (!args_number(a, i ? "high value" : "value", &words[i]))
            return;
    if (args_end(a))
        explain_say(r, words);
}
