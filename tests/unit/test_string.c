/* SPDX-License-Identifier: MIT */
/*
 * Our string functions against the C library's, and the number parser.
 */
// sources: lib/parse.c
#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define strlen  our_strlen
#define strcmp  our_strcmp
#define strncmp our_strncmp
#define strchr  our_strchr
#include "lib/string.c"
#include "lib/parse.h"
#include "tests/unit/test.h"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp
#undef strchr
#include <string.h>

static int sign(int v) { return (v > 0) - (v < 0); }

TEST(memory)
{
    char a[32] = "0123456789abcdef", b[32] = "0123456789abcdef";
    assert_ptr_equal(our_memmove(a + 3, a, 10), a + 3);
    memmove(b + 3, b, 10);
    assert_memory_equal(a, b, sizeof(a));
    our_memmove(a, a + 5, 10);
    memmove(b, b + 5, 10);
    assert_memory_equal(a, b, sizeof(a));
    our_memcpy(a, "xyz", 3);
    assert_memory_equal(a, "xyz", 3);
    assert_ptr_equal(our_memset(a, 0x1ff, 5), a);
    assert_memory_equal(a, "\xff\xff\xff\xff\xff", 5);
    our_memset(a, 0, 0);
    assert_int_equal((unsigned char)a[0], 0xff);
    assert_int_equal(our_memcmp("a\xff", "a\x01", 2), 1);
    assert_int_equal(our_memcmp("abc", "abd", 2), 0);
}

TEST(text)
{
    const char *words[] = {"", "a", "ab", "abc", "\xff", "b"};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(our_strlen(words[i]), strlen(words[i]));
        for (size_t j = 0; j < 6; j++) {
            assert_int_equal(our_strcmp(words[i], words[j]), sign(strcmp(words[i], words[j])));
            assert_int_equal(our_strncmp(words[i], words[j], 1),
                             sign(strncmp(words[i], words[j], 1)));
        }
    }
    const char *s = "key=value";
    assert_ptr_equal(our_strchr(s, '='), s + 3);
    assert_ptr_equal(our_strchr(s, '\0'), s + 9);
    assert_null(our_strchr(s, '!'));
}

static int parse(const char *s, uint64_t *out) { return parse_u64(s, strlen(s), out); }

TEST(numbers)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"42", 42},
        {"0x10", 16},
        {"0xABCdef", 0xabcdef},
        {"64M", 64 << 20},
        {"4K", 4096},
        {"0x1G", 1 << 30},
        {"18446744073709551615", UINT64_MAX},
        {"0xffffffffffffffff", UINT64_MAX},
        {"007", 7},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t v = 1;
        assert_int_equal(parse(good[i].text, &v), 0);
        assert_true(v == good[i].value);
    }
}

TEST(not_numbers)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "0x",
                                      "K",
                                      "12a",
                                      "-1",
                                      "1KK",
                                      " 1",
                                      "1 ",
                                      "0xg",
                                      "0x K",
                                      "1.5",
                                      "+1",
                                      "18446744073709551616",
                                      "0x10000000000000000",
                                      "17179869184G",
                                      "0xK"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t v = 77;
        assert_int_equal(parse(bad[i], &v), -EINVAL);
        assert_true(v == 77);
    }
    uint64_t v = 0;
    assert_int_equal(parse_u64("12345", 2, &v), 0); /* only [s, s + len) */
    assert_true(v == 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory),
        cmocka_unit_test(text),
        cmocka_unit_test(numbers),
        cmocka_unit_test(not_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
