/* SPDX-License-Identifier: MIT */
/*
 * From a line to the members of a structure: words, keys, and a setter for each kind of value.
 * From: arch/options.c, guest/life/config.c.   To: lib/parse.c (numbers).   Contract: lib/option.h.
 */
#include "lib/option.h"
#include "lib/parse.h"
#include "lib/string.h"

/* --- Words ------------------------------------------------------------------------------------ */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

const char *option_next(const char **at, char word[OPTION_WORD_MAX])
{
    const char *s = *at;
    size_t n = 0;
    bool quoted = false;
    for (; *s && (quoted || n == 0 || !is_blank(*s)); s++) {
        if (*s == '"') {
            quoted = !quoted;
            continue;
        }
        if (!quoted && is_blank(*s))
            continue;
        if (*s == '\\' && s[1])
            s++;
        if (n == OPTION_WORD_MAX - 1)
            return "a word is too long";
        word[n++] = *s;
    }
    word[n] = '\0';
    *at = s;
    return quoted ? "a quotation mark is not closed" : NULL;
}

char *option_cut(char *text, char c)
{
    char *rest = text ? strchr(text, c) : NULL;
    if (rest)
        *rest++ = '\0';
    return rest;
}

/* --- Rows ------------------------------------------------------------------------------------- */

const struct option *option_find(const struct option *rows, const char *key)
{
    while (rows->key && strcmp(rows->key, key))
        rows++;
    return rows->key ? rows : NULL;
}

const char *option_set(const struct option *row, void *structure, const char *value)
{
    char copy[OPTION_WORD_MAX]; /* a setter may cut its value; the owner prints it whole */
    void *field = (char *)structure + row->offset;
    if (!value != (row->set == option_flag))
        return value ? "takes no value" : "has no value";
    if (!value)
        value = "";
    if (strlen(value) >= sizeof(copy))
        return "too long";
    return row->set(row, field, memcpy(copy, value, strlen(value) + 1));
}

/* --- Setters ---------------------------------------------------------------------------------- */

/* A bool, an enum, a number of any width: the machine is little-endian. */
static void store(const struct option *row, void *field, uint64_t value)
{
    memcpy(field, &value, row->size);
}

/* `otherwise`: the reason why `value` is not even a number. */
static const char *number(const struct option *row, void *field, const char *value,
                          uint64_t multiple, const char *otherwise)
{
    uint64_t v;
    if (parse_u64(value, strlen(value), &v) < 0)
        return otherwise;
    if (v < row->min || v > row->max)
        return row->why ? row->why : "out of range";
    if (!IS_ALIGNED(v, multiple))
        return "not a multiple of 2M";
    store(row, field, v);
    return NULL;
}

const char *option_number(const struct option *row, void *field, char *value)
{
    return number(row, field, value, 1, "not a number");
}

const char *option_size(const struct option *row, void *field, char *value)
{
    return number(row, field, value, SIZE_2M, "not a size such as 64M");
}

/* The index of the value among the words; -EINVAL: it is none of them. */
static int index_of(const struct option *row, const char *value)
{
    for (int i = 0; row->words[i]; i++)
        if (!strcmp(row->words[i], value))
            return i;
    return -EINVAL;
}

const char *option_word(const struct option *row, void *field, char *value)
{
    int i = index_of(row, value);
    if (i < 0)
        return "bad value";
    store(row, field, (uint64_t)i);
    return NULL;
}

const char *option_bit(const struct option *row, void *field, char *value)
{
    int i = index_of(row, value);
    if (i < 0)
        return "bad value";
    *(unsigned *)field |= 1u << i;
    return NULL;
}

const char *option_flag(const struct option *row, void *field, char *value)
{
    (void)value;
    store(row, field, true);
    return NULL;
}

const char *option_text(const struct option *row, void *field, char *value)
{
    size_t n = strlen(value);
    if (n < row->min || n >= row->size)
        return row->why ? row->why : "too short or too long";
    memcpy(field, value, n + 1);
    return NULL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

const char *option_name(const struct option *row, void *field, char *value)
{
    for (const char *c = value; *c; c++)
        if (!is_name_char(*c))
            return "a name is made of letters, digits, - and _";
    return option_text(row, field, value);
}
