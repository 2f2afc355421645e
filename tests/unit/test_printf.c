/* SPDX-License-Identifier: MIT */
/*
 * Our printf against the C library's: the same text and the same length for every
 * conversion we have.
 */
#define vsnprintf hamlet_vsnprintf
#define snprintf  hamlet_snprintf
#include "lib/printf.c"
#include "lib/text.c"
#include "tests/unit/test.h"
#undef vsnprintf
#undef snprintf
int snprintf(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#include <limits.h>
#include <string.h>

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[128], theirs[128];                                                               \
        int n = hamlet_snprintf(ours, sizeof(ours), __VA_ARGS__);                                  \
        int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                     \
        assert_string_equal(ours, theirs);                                                         \
        assert_int_equal(n, m);                                                                    \
    } while (0)

TEST(integers)
{
    SAME("%d %i %u", 0, -1, 1u);
    SAME("%d %d", INT_MIN, INT_MAX);
    SAME("%ld %ld %lu", LONG_MIN, LONG_MAX, ULONG_MAX);
    SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
    SAME("%zu %zx", (size_t)-1, (size_t)0xabc);
    SAME("%hx %hhx %hd %hhd", (unsigned short)0xffff, (unsigned char)0xff, (short)-2, (char)-3);
    SAME("%x %X %lx", 0xdeadbeefu, 0xdeadbeefu, 0x123456789abcdefUL);
}

TEST(width_precision_flags)
{
    SAME("[%5d][%-5d][%05d]", 42, 42, 42);
    SAME("[%5d][%-5d][%05d]", -42, -42, -42);
    SAME("[%.3d][%8.3d][%-8.3d]", 7, -7, 7);
    SAME("[%2d][%02x][%016lx]", 12345, 0xabcu, 1UL);
    SAME("[%*d][%*d][%.*d]", 6, 1, -6, 2, 4, 3);
    SAME("[%.0d][%.0d]", 0, 1);
    SAME("[%s][%8s][%-8s][%.2s][%8.2s]", "abc", "abc", "abc", "abc", "abc");
    SAME("[%.*s]", 3, "abcdef");
    SAME("[%c][%3c][%-3c]", 'x', 'y', 'z');
    SAME("100%% %p", (void *)0x1234);
}

/* ISO C: "if a precision is specified, the 0 flag is ignored". The compiler warns of a literal. */
TEST(precision_beats_zero)
{
    const char *fmt = "[%08.3d]";
    SAME(fmt, 7);
}

TEST(unterminated_text_with_precision)
{
    const char two[2] = {'h', 'i'};
    char out[8];
    assert_int_equal(hamlet_snprintf(out, sizeof(out), "%.2s", two), 2);
    assert_string_equal(out, "hi");
}

TEST(cut_off_and_terminated)
{
    char out[8] = "#######";
    assert_int_equal(hamlet_snprintf(out, 4, "%s", "abcdef"), 6);
    assert_string_equal(out, "abc");
    assert_int_equal(out[4], '#');
    assert_int_equal(hamlet_snprintf(out, 0, "%d", 12345), 5);
    assert_string_equal(out, "abc");
}

TEST(text_grows_up_to_its_end)
{
    struct {
        struct text t;
        char behind;
    } world = {.behind = '#'};
    text_add(&world.t, "%s=%u", "one", 1);
    text_add(&world.t, ",%s=%u", "two", 2);
    assert_string_equal(world.t.at, "one=1,two=2");
    assert_int_equal(world.t.used, 11);
    for (unsigned i = 0; i < TEXT_MAX / 8; i++)
        text_add(&world.t, "%08x", i);
    assert_int_equal(world.t.used, TEXT_MAX - 1);
    assert_int_equal(strlen(world.t.at), TEXT_MAX - 1);
    text_add(&world.t, "no room");
    assert_int_equal(strlen(world.t.at), TEXT_MAX - 1);
    assert_int_equal(world.behind, '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(width_precision_flags),
        cmocka_unit_test(precision_beats_zero),
        cmocka_unit_test(unterminated_text_with_precision),
        cmocka_unit_test(cut_off_and_terminated),
        cmocka_unit_test(text_grows_up_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
