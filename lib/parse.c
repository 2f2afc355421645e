/* SPDX-License-Identifier: MIT */
/*
 * Numbers and addresses as a person writes them, on a command line or at the monitor.
 * From: lib/option.c, arch/options.c, guest/life/config.c, monitor/.   To: nothing.
 * Contract: lib/parse.h.
 */
#include "lib/parse.h"
#include "lib/bits.h"

unsigned parse_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

int parse_u64(const char *s, size_t len, uint64_t *out)
{
    unsigned base = 10;
    if (len > 2 && s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
        len -= 2;
    }
    char last = len > 0 ? s[len - 1] : '\0'; /* another character than K, M or G is no suffix */
    uint64_t factor = last == 'K' ? BIT(10) : last == 'M' ? BIT(20) : last == 'G' ? BIT(30) : 1;
    if (factor > 1)
        len--;
    if (len == 0)
        return -EINVAL;
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = parse_digit(s[i]);
        if (digit >= base || __builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, digit, &v))
            return -EINVAL;
    }
    if (__builtin_mul_overflow(v, factor, &v))
        return -EINVAL;
    *out = v;
    return 0;
}

size_t parse_hex(const char **at, size_t max, uint64_t *out)
{
    size_t n = 0;
    unsigned digit;
    for (*out = 0; n < max && (digit = parse_digit(**at)) < 16; n++, ++*at)
        *out = *out << 4 | digit;
    return n;
}

int parse_bdf(const char *s, bdf_t *out)
{
    uint64_t bus, dev, fn;
    if (!parse_hex(&s, 2, &bus) || *s++ != ':' || !parse_hex(&s, 2, &dev) || *s++ != '.' ||
        !parse_hex(&s, 1, &fn) || *s || dev > 0x1f || fn > 7)
        return -EINVAL;
    *out = BDF(bus, dev, fn);
    return 0;
}
