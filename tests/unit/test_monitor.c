/* SPDX-License-Identifier: MIT */
/*
 * The monitor's line, its words and its tables: keys that make a line, ten thousand lines of
 * nonsense of which each gets its answer, and every field of every register that explain knows.
 */
// sources: monitor/edit.c monitor/args.c monitor/term/command.c monitor/cmd/explain.c
// sources: monitor/explain/explain.c monitor/explain/vtd.c monitor/explain/vmx.c
// sources: monitor/explain/pc.c lib/parse.c lib/text.c
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/parse.h"
#include "lib/string.h"
#include "tests/unit/monitor_stubs.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

static const char *typed(const char *keys)
{
    static struct edit e;
    edit_clear(&e);
    e.escape = 0;
    e.after_return = false;
    for (; *keys; keys++)
        if (edit_key(&e, (uint8_t)*keys) == EDIT_DONE) {
            edit_keep(&e);
            static char line[EDIT_LINE_MAX + 1];
            strcpy(line, e.line);
            edit_clear(&e);
            if (!keys[1])
                return line;
        }
    return e.line;
}

TEST(keys_make_a_line)
{
    assert_string_equal(typed("vm list\r"), "vm list");
    assert_string_equal(typed("vmm\x7f list\b\b\b\bstop\x17\x15pid"), "pid");
    assert_string_equal(typed("ab\x1b[Dx"), "axb");
    assert_string_equal(typed("ab\x1b[Hx\x1b[Fy"), "xaby");
    assert_string_equal(typed("abc\x1b[D\x1b[D\x0b"), "a");
    assert_string_equal(typed("first\rsecond\r\n\x1b[A\x1b[A"), "first");
    assert_string_equal(typed("first\rsecond\r\x10\x10\x0e"), "second");
    assert_string_equal(typed("a\x1b[99;99Zb"), "ab");
    assert_string_equal(typed("\xc3\xa4\x01\x02\x1f"), "");
}

TEST(a_line_has_an_end)
{
    struct edit e = {0};
    for (int i = 0; i < 1000; i++)
        (void)edit_key(&e, 'x');
    assert_int_equal(e.length, EDIT_LINE_MAX);
    assert_int_equal(strlen(e.line), EDIT_LINE_MAX);
}

TEST(numbers_and_devices_are_read)
{
    uint64_t n;
    bdf_t bdf;
    assert_true(word_number("0x1000", &n) && n == 0x1000);
    assert_true(word_number("4K", &n) && n == 4096);
    assert_false(word_number("", &n) || word_number("0x", &n) || word_number("12z", &n) ||
                 word_number("99999999999999999999999", &n));
    assert_true(parse_bdf("00:1f.7", &bdf) == 0 && bdf == BDF(0, 0x1f, 7));
    assert_true(parse_bdf("ff:0.0", &bdf) == 0 && bdf == BDF(0xff, 0, 0));
    static const char *const bad[] = {"", "0:20.0", "0:0.8", "0:0", "0:0.0x", "000:0.0"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(parse_bdf(bad[i], &bdf), -EINVAL);
}

/* Each names no bit twice, and lies in words that the register has. */
TEST(tables_are_sound)
{
    const struct explain_register *const all[] = {explain_vtd, explain_vmx, explain_pc};
    for (unsigned t = 0; t < 3; t++)
        for (const struct explain_register *r = all[t]; r->name; r++) {
            uint64_t seen[2] = {0};
            assert_ptr_equal(explain_find(r->name), r);
            for (const struct explain_field *f = r->fields; f->name; f++) {
                uint64_t mask = BITS(f->hi % 64, f->lo % 64);
                assert_true(f->hi >= f->lo && f->hi / 64 == f->lo / 64 && f->hi / 64 < r->words);
                assert_int_equal(seen[f->lo / 64] & mask, 0);
                seen[f->lo / 64] |= mask;
            }
        }
}

/* What "n:word" stands for must fit into its field; every register explains itself, of zeros
 * and of ones. */
TEST(tables_can_be_told)
{
    const struct explain_register *const all[] = {explain_vtd, explain_vmx, explain_pc};
    for (unsigned t = 0; t < 3; t++)
        for (const struct explain_register *r = all[t]; r->name; r++) {
            char line[200];
            for (const struct explain_field *f = r->fields; f->name; f++)
                for (const char *s = f->values; s && strchr(s, ':'); s = strchr(s, '|')) {
                    s += *s == '|';
                    assert_true(strtoull(s, NULL, 0) <= BITS(f->hi - f->lo, 0));
                }
            for (int ones = 0; ones < 2; ones++) {
                const char *value = ones ? "0xffffffffffffffff" : "0";
                snprintf(line, sizeof(line), "explain %s %s %s", r->name, value,
                         r->words == 2 ? value : "");
                stub_log_clear();
                command_run(line);
                bool irte = strncmp(r->name, "vtd.irte", 8) == 0; /* of the format that it has */
                assert_non_null(strstr(stub_log, irte ? "(IRTE) for " : r->title));
                assert_non_null(strstr(stub_log, r->fields[0].name));
            }
        }
}

TEST(a_register_in_words)
{
    char line[] = "explain vtd.context 0x2ff7003 0x102";
    stub_log_clear();
    command_run(line);
    assert_non_null(strstr(stub_log, "Context Entry"));
    assert_non_null(strstr(stub_log, "48 bits, 4 levels"));
    assert_non_null(strstr(stub_log, "faults of this device are not recorded"));
    struct text t = explain_words("vtd.irte", 0x518001, 0x40010);
    assert_non_null(strstr(t.at, "IM=posted V=0x51"));
    assert_non_null(strstr(t.at, "SID=0x10"));
}

/* The format of an entry is the one that its own bit IM names. */
TEST(an_irte_is_explained_as_it_is)
{
    struct text posted = explain_words("vtd.irte", 0x0023800000518001, 0x40010);
    assert_non_null(strstr(posted.at, "IM=posted"));
    assert_non_null(strstr(posted.at, "PDAL=0x"));
    assert_null(strstr(posted.at, "DST"));
    struct text remapped = explain_words("vtd.irte_posted", 0x0000010000510001, 0x40010);
    assert_non_null(strstr(remapped.at, "IM=remapped"));
    assert_non_null(strstr(remapped.at, "DST=0x100"));
    assert_null(strstr(remapped.at, "PDAL"));
    char line[] = "explain vtd.irte 0x0023800000518001 0x40010";
    stub_log_clear();
    command_run(line);
    assert_non_null(strstr(stub_log, "Posted Interrupts"));
}

TEST(nonsense_is_answered)
{
    static const char *const words[] = {
        "help", "explain", "vcpu",     "x",       "walk",
        "pci",  "irq",     "vtd.irte", "0x1000",  "-1",
        ".",    "..",      "a.9",      "00:02.0", "vmcs.exit_qualification"};
    srand(1);
    for (int i = 0; i < 10000; i++) {
        char line[EDIT_LINE_MAX + 1];
        size_t size = (size_t)(rand() % EDIT_LINE_MAX), used = 0;
        bool empty = true;
        if (i & 1)
            used = (size_t)snprintf(line, sizeof(line), "%s ",
                                    words[rand() % (int)ARRAY_COUNT(words)]);
        for (; used < size; used++)
            line[used] = (char)(rand() % 3 ? ' ' + rand() % 95 : ' ');
        line[used] = '\0';
        for (size_t k = 0; line[k]; k++)
            empty = empty && line[k] == ' ';
        stub_log_clear();
        command_run(line);
        assert_true(empty || stub_log[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_make_a_line),
        cmocka_unit_test(a_line_has_an_end),
        cmocka_unit_test(numbers_and_devices_are_read),
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(tables_can_be_told),
        cmocka_unit_test(a_register_in_words),
        cmocka_unit_test(an_irte_is_explained_as_it_is),
        cmocka_unit_test(nonsense_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
