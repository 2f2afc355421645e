/* SPDX-License-Identifier: MIT */
/*
 * A register or entry, field by field, in words.
 * From: monitor/cmd/.   To: the tables, monitor/explain/.
 */
#include "monitor/explain/explain.h"
#include "lib/string.h"
#include "monitor/args.h"
#include "lib/parse.h"
#include "vtd/vtd_regs.h"

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

/* The word for `value` in "0:word|1:word". Returns its length; 0: there is none. */
static size_t value_word(const char *values, uint64_t value, const char **out)
{
    while (strchr(values, ':')) {
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

static uint64_t mask_of(const struct explain_field *f) { return BITS(f->hi % 64, f->lo % 64); }

/* An address keeps its place in the word; every other field is shifted down to bit 0. */
static uint64_t value_of(const struct explain_field *f, const uint64_t *words)
{
    uint64_t word = words[f->lo / 64], mask = mask_of(f);
    return strcmp(f->values, EXPLAIN_ADDRESS) == 0 ? word & mask : FIELD_GET(mask, word);
}

static void say_field(const struct explain_field *f, const uint64_t *words)
{
    uint64_t value = value_of(f, words);
    const char *meaning = "";
    size_t length = value_word(f->values, value, &meaning);
    struct text bits = text_of("%u", f->hi);
    if (f->lo != f->hi)
        text_add(&bits, ":%u", f->lo);
    say("  %7s %-8s 0x%-10lx %s%s%.*s", bits.at, f->name, value, f->text, length ? ": " : "",
        (int)length, meaning);
}

/* Of the two formats of an interrupt-remapping entry, the entry's own mode bit says which it has,
 * whatever the name says, and whether or not the unit posts. */
static const struct explain_register *format_of(const struct explain_register *r, uint64_t low)
{
    static const char name[] = "vtd.irte";
    if (strncmp(r->name, name, strlen(name)) != 0)
        return r;
    return explain_find(low & IRTE_IM ? "vtd.irte_posted" : name);
}

void explain_say(const struct explain_register *r, const uint64_t *words)
{
    r = format_of(r, words[0]);
    say("%s: %s", r->name, r->title);
    uint64_t known[2] = {0};
    for (const struct explain_field *f = r->fields; f->name; f++) {
        known[f->lo / 64] |= mask_of(f);
        say_field(f, words);
    }
    for (unsigned i = 0; i < r->words; i++)
        if (words[i] & ~known[i])
            say("  no field  of bits %u:%u has 0x%lx: reserved, or nothing that Hamlet uses",
                64 * i + 63, 64 * i, words[i] & ~known[i]);
}

struct text explain_words(const char *name, uint64_t low, uint64_t high)
{
    const uint64_t words[2] = {low, high};
    struct text t = {0};
    const struct explain_register *r = format_of(explain_find(name), low);
    for (const struct explain_field *f = r->fields; f->name; f++) {
        uint64_t value = value_of(f, words);
        const char *meaning;
        size_t length = value_word(f->values, value, &meaning);
        if (!value && !length)
            continue;
        text_add(&t, "%s%s", t.used ? " " : "", f->name);
        if (length)
            text_add(&t, "=%.*s", (int)length, meaning);
        else if (f->hi != f->lo)
            text_add(&t, "=0x%lx", value);
    }
    return t;
}
