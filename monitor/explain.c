/* SPDX-License-Identifier: MIT */
/*
 * explain: any register or entry, field by field.
 * From: monitor/command.c, cmd_walk.c, cmd_vtd.c, cmd_vcpu.c.   To: the tables, monitor/explain_*.c.
 */
#include "monitor/explain.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "monitor/command.h"
#include "vmx/show/show.h"

static const struct explain_register *const tables[] = {explain_vtd, explain_vmx, explain_pc};

const struct explain_register *explain_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++)
        for (const struct explain_register *r = tables[i]; r->name; r++)
            if (strcmp(r->name, name) == 0)
                return r;
    return NULL;
}

const char *explain_match(const char *text, size_t size, unsigned n)
{
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++)
        for (const struct explain_register *r = tables[i]; r->name; r++)
            if (strncmp(r->name, text, size) == 0 && n-- == 0)
                return r->name;
    return NULL;
}

/* The word for `value` in "0:word|1:word"; its length, 0: it has none. */
static size_t value_word(const char *values, uint64_t value, const char **out)
{
    while (values && strchr(values, ':')) {
        size_t digits = (size_t)(strchr(values, ':') - values), length = 0;
        uint64_t n;
        *out = values + digits + 1;
        while ((*out)[length] && (*out)[length] != '|')
            length++;
        if (parse_u64(values, digits, &n) == 0 && n == value)
            return length;
        values = *out + length + ((*out)[length] == '|');
    }
    return 0;
}

static uint64_t value_of(const struct explain_field *f, uint64_t word)
{
    return f->values && strcmp(f->values, EXPLAIN_ADDRESS) == 0 ? word & f->mask
                                                                : FIELD_GET(f->mask, word);
}

static void say_field(const struct explain_field *f, uint64_t word)
{
    unsigned lo = (unsigned)__builtin_ctzll(f->mask), hi = 63 - (unsigned)__builtin_clzll(f->mask);
    uint64_t value = value_of(f, word);
    const char *meaning = "";
    size_t length = value_word(f->values, value, &meaning);
    char bits[12];
    lo += 64u * f->word;
    hi += 64u * f->word;
    if (lo == hi)
        snprintf(bits, sizeof(bits), "%u", lo);
    else
        snprintf(bits, sizeof(bits), "%u:%u", hi, lo);
    say("  %7s %-8s 0x%-10lx %s%s%.*s", bits, f->name, value, f->text, length ? ": " : "",
        (int)length, meaning);
}

/* One line per field, and one for bits of no field. */
static void say_register(const struct explain_register *r, const uint64_t *words)
{
    say("%s: %s", r->name, r->title);
    uint64_t known[2] = {0};
    for (const struct explain_field *f = r->fields; f->mask; f++) {
        known[f->word] |= f->mask;
        say_field(f, words[f->word]);
    }
    for (unsigned i = 0; i < r->words; i++)
        if (words[i] & ~known[i])
            say("  no field  of bits %u:%u has 0x%lx: reserved, or nothing that Hamlet uses",
                64 * i + 63, 64 * i, words[i] & ~known[i]);
}

void explain_line(const char *name, const uint64_t *words, char *out, size_t size)
{
    const struct explain_register *r = explain_find(name);
    size_t used = 0;
    out[0] = '\0';
    for (const struct explain_field *f = r->fields; f->mask && used < size; f++) {
        uint64_t value = value_of(f, words[f->word]);
        const char *meaning;
        size_t length = value_word(f->values, value, &meaning);
        if (!value && !length)
            continue;
        const char *space = used ? " " : "";
        int n;
        if (length)
            n = snprintf(out + used, size - used, "%s%s=%.*s", space, f->name, (int)length,
                         meaning);
        else if ((f->mask & (f->mask - 1)) == 0)
            n = snprintf(out + used, size - used, "%s%s", space, f->name);
        else
            n = snprintf(out + used, size - used, "%s%s=0x%lx", space, f->name, value);
        used += (size_t)n;
    }
}

static void list(void)
{
    char line[100];
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++)
        for (const struct explain_register *r = tables[i]; r->name; r++) {
            if (used > 70) {
                say("%s", line);
                used = 0;
            }
            used += (size_t)snprintf(line + used, sizeof(line) - used, "  %s", r->name);
        }
    if (used)
        say("%s", line);
    say("  vmcs.exit_qualification REASON");
}

/* What the qualification means depends on the reason: each has a table of its own. */
static const struct explain_register *qualification(struct args *a)
{
    uint64_t reason;
    char name[32];
    if (!args_number(a, "exit reason", &reason))
        return NULL;
    snprintf(name, sizeof(name), "vmcs.qualification.%lu", reason);
    const struct explain_register *r = explain_find(name);
    if (!r)
        complain(a, "the qualification says nothing for reason %lu (%s)", reason,
                 reason < EXIT_REASON_COUNT ? exit_reason_name((uint32_t)reason) : "unknown");
    return r;
}

static void run_explain(struct args *a)
{
    const char *name = args_word(a);
    if (!name) {
        list();
        return;
    }
    bool by_reason = strcmp(name, "vmcs.exit_qualification") == 0;
    const struct explain_register *r = by_reason ? qualification(a) : explain_find(name);
    uint64_t words[2] = {0};
    if (!r && !by_reason)
        complain(a, "no register has the name %s; explain lists them", name);
    if (!r)
        return;
    for (unsigned i = 0; i < r->words; i++)
        if (!args_number(a, i ? "high value" : "value", &words[i]))
            return;
    if (!args_end(a))
        return;
    say_register(r, words);
}

const struct command command_explain = {"explain", run_explain, "[REGISTER VALUE [HIGH]]",
                                        "each field of a register or table entry, in words",
                                        "explain vtd.context 0x2ff7001 0x102"};
