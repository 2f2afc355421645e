/* SPDX-License-Identifier: MIT */
/*
 * The option engine: words of a line, keys of a table, and each kind of value with its reasons.
 */
// sources: lib/option.c lib/parse.c
#include <string.h>
#include "lib/option.h"
#include "tests/unit/test.h"

struct all {
    uint8_t guard;
    uint16_t small;
    uint8_t byte_behind;
    int wide;
    uint64_t size;
    bool on, alone;
    enum { RED, GREEN, BLUE } color;
    unsigned bits;
    char text[8], name[8];
    unsigned sum;
};

/* NUMBER[+NUMBER]...: takes its value apart. */
static const char *add_up(const struct option *row, void *field, char *value)
{
    struct all *all = field;
    for (char *rest; value; value = rest) {
        rest = option_cut(value, '+');
        if (!*value)
            return row->why;
        all->sum += (unsigned)strlen(value);
    }
    return NULL;
}

#define FIELD(member) OPTION_FIELD(struct all, member)
static const char *const color_names[] = {[RED] = "red", [GREEN] = "green", [BLUE] = "blue", NULL};
static const struct option rows[] = {
    {"small", option_number, FIELD(small), .min = 1, .max = 0xffff},
    {"wide", option_number, FIELD(wide), .max = 63, .why = "no such CPU"},
    {"size", option_size, FIELD(size), .min = SIZE_2M, .max = SIZE_1G},
    {"on", option_word, FIELD(on), OPTION_WORDS("off", "on")},
    {"alone", option_flag, FIELD(alone)},
    {"color", option_word, FIELD(color), .words = color_names},
    {"bits", option_bit, FIELD(bits), .words = color_names},
    {"text", option_text, FIELD(text)},
    {"some", option_text, FIELD(text), .min = 1, .why = "has 1 to 7 characters"},
    {"name", option_name, FIELD(name), .min = 1},
    {"add", add_up, .why = "nothing to add"},
    {.key = NULL},
};

static struct all all;

FIXTURE(fresh)
{
    memset(&all, 0, sizeof(all));
    return 0;
}

static const char *set(const char *key, const char *value)
{
    const struct option *row = option_find(rows, key);
    assert_non_null(row);
    return option_set(row, &all, value);
}

TEST(keys)
{
    assert_ptr_equal(option_find(rows, "small"), &rows[0]);
    assert_ptr_equal(option_find(rows, "add"), &rows[10]);
    static const char *const none[] = {"", "smal", "smalls", "Small", "small="};
    for (size_t i = 0; i < ARRAY_COUNT(none); i++)
        assert_null(option_find(rows, none[i]));
}

TEST(values)
{
    all.wide = -1;
    assert_null(set("small", "0xffff"));
    assert_null(set("wide", "0"));
    assert_null(set("size", "1G"));
    assert_null(set("on", "on"));
    assert_null(set("alone", NULL));
    assert_null(set("color", "blue"));
    assert_null(set("bits", "red"));
    assert_null(set("bits", "blue"));
    assert_null(set("text", "a b=c.."));
    assert_null(set("name", "b-2_X"));
    assert_null(set("add", "one+three"));
    assert_int_equal(all.small, 0xffff);
    assert_true(all.guard == 0 && all.byte_behind == 0); /* a field is as wide as its member */
    assert_int_equal(all.wide, 0);
    assert_true(all.size == SIZE_1G && all.on && all.alone);
    assert_int_equal(all.color, BLUE);
    assert_int_equal(all.bits, 1u << RED | 1u << BLUE);
    assert_string_equal(all.text, "a b=c..");
    assert_string_equal(all.name, "b-2_X");
    assert_int_equal(all.sum, 8);
    assert_null(set("on", "off"));
    assert_null(set("text", ""));
    assert_false(all.on || all.text[0]);
}

/* A value that is refused changes nothing. */
TEST(reasons)
{
    static const struct {
        const char *key, *value, *why;
    } cases[] = {
        {"small", "", "not a number"},
        {"small", "x", "not a number"},
        {"small", "-1", "not a number"},
        {"small", "0", "out of range"},
        {"small", "0x10000", "out of range"},
        {"wide", "64", "no such CPU"},
        {"size", "64Q", "not a size such as 64M"},
        {"size", "0", "out of range"},
        {"size", "1", "out of range"},
        {"size", "2G", "out of range"},
        {"size", "3M", "not a multiple of 2M"},
        {"on", "yes", "bad value"},
        {"on", "", "bad value"},
        {"on", "on ", "bad value"},
        {"color", "Red", "bad value"},
        {"bits", "black", "bad value"},
        {"text", "eight888", "too short or too long"},
        {"some", "", "has 1 to 7 characters"},
        {"some", "eight888", "has 1 to 7 characters"},
        {"name", "", "too short or too long"},
        {"name", "a/b", "a name is made of letters, digits, - and _"},
        {"name", "eight888", "too short or too long"},
        {"add", "", "nothing to add"},
        {"alone", "", "takes no value"},
        {"alone", "on", "takes no value"},
        {"small", NULL, "has no value"},
        {"text", NULL, "has no value"},
        {"add", NULL, "has no value"},
    };
    struct all before = all;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *why = set(cases[i].key, cases[i].value);
        assert_non_null(why);
        assert_string_equal(why, cases[i].why);
        assert_memory_equal(&all, &before, sizeof(all));
    }
}

/* The owner can still show a value that a setter has cut. */
TEST(values_stay_whole)
{
    char value[] = "a+b+c", longer[OPTION_WORD_MAX + 1];
    assert_null(set("add", value));
    assert_string_equal(value, "a+b+c");
    memset(longer, 'a', OPTION_WORD_MAX);
    longer[OPTION_WORD_MAX] = '\0';
    assert_string_equal(set("add", longer), "too long");
    longer[OPTION_WORD_MAX - 1] = '\0';
    assert_null(set("add", longer));
}

TEST(cuts)
{
    char text[] = "key=a,b,", *value = option_cut(text, '='), *rest = option_cut(value, ',');
    assert_string_equal(text, "key");
    assert_string_equal(value, "a");
    assert_string_equal(rest, "b,");
    char *end = option_cut(rest, ',');
    assert_string_equal(end, "");
    assert_null(option_cut(end, ','));
    assert_null(option_cut(NULL, ','));
}

TEST(words)
{
    static const char *const expected[] = {"a=1", "b=x y", "c=\"\\\t.", "d=e f", ""};
    const char *at = "  a=1\tb=\"x y\" \"\" \"c=\\\"\\\\\t\". d=e\\ f \"\" ";
    char word[OPTION_WORD_MAX];
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_null(option_next(&at, word));
        assert_string_equal(word, expected[i]);
    }
    assert_null(option_next(&at, word)); /* over is over */
    assert_true(!word[0] && !*at);
    at = "\\";
    assert_null(option_next(&at, word));
    assert_string_equal(word, "\\");
}

TEST(bad_words)
{
    char word[OPTION_WORD_MAX], longer[OPTION_WORD_MAX + 1];
    const char *at = "a=\"b c";
    assert_string_equal(option_next(&at, word), "a quotation mark is not closed");
    memset(longer, 'x', OPTION_WORD_MAX);
    longer[OPTION_WORD_MAX] = '\0';
    at = longer;
    assert_string_equal(option_next(&at, word), "a word is too long");
    at = longer + 1;
    assert_null(option_next(&at, word));
    assert_string_equal(word, longer + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keys, fresh),      cmocka_unit_test_setup(values, fresh),
        cmocka_unit_test_setup(reasons, fresh),   cmocka_unit_test_setup(values_stay_whole, fresh),
        cmocka_unit_test_setup(cuts, fresh),      cmocka_unit_test_setup(words, fresh),
        cmocka_unit_test_setup(bad_words, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
