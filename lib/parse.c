/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people write them on a command line.
 * From: arch/options.c, guest/life/config.c, monitor/.   Contract: lib/string.h.
 */
#include "lib/bits.h"
#include "lib/string.h"

unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

static uint64_t suffix_factor(char c)
{
    switch (c) {
    case 'K':
        return BIT(10);
    case 'M':
        return BIT(20);
    case 'G':
        return BIT(30);
    default:
        return 1;
    }
}

int parse_u64(const char *s, size_t len, uint64_t *out)
{
    unsigned base = 10;
    if (len > 2 && s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
        len -= 2;
    }
    uint64_t factor = len > 0 ? suffix_factor(s[len - 1]) : 1;
    if (factor > 1)
        len--;
    if (len == 0)
        return -EINVAL;

    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = digit_value(s[i]);
        if (digit >= base || __builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, digit, &v))
            return -EINVAL;
    }
    if (__builtin_mul_overflow(v, factor, &v))
        return -EINVAL;
    *out = v;
    return 0;
}

size_t parse_hex(const char *s, size_t len, size_t max, unsigned *out)
{
    size_t n = 0;
    for (*out = 0; n < len && n < max && digit_value(s[n]) < 16; n++)
        *out = *out << 4 | digit_value(s[n]);
    return n;
}

int parse_bdf(const char *s, size_t len, bdf_t *out)
{
    static const struct {
        size_t digits;
        unsigned max;
        char end;
    } parts[] = {{2, 0xff, ':'}, {2, 0x1f, '.'}, {1, 7, '\0'}};
    unsigned v[ARRAY_COUNT(parts)];
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        size_t n = parse_hex(s + at, len - at, parts[i].digits, &v[i]);
        at += n;
        if (n == 0 || v[i] > parts[i].max ||
            (parts[i].end ? at == len || s[at] != parts[i].end : at != len))
            return -EINVAL;
        at += parts[i].end != '\0';
    }
    *out = BDF(v[0], v[1], v[2]);
    return 0;
}
