/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a buffer: one pass over the format, one struct per conversion.
 * From: arch/log.c, lib/text.c, and every file that needs a number as text.   To: lib/string.c.
 * Spec: ISO C "The fprintf function". Left out: floating point, the flags + and #.
 */
#include "lib/printf.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/types.h"

struct output {
    char *text;
    size_t size, length; /* length may pass size: it is what would have been written */
};

struct conversion {
    bool left, zero;
    int width, precision; /* precision -1: none given */
    int length;           /* -2 hh, -1 h, 0, 1 l, 2 ll or z */
};

static void put(struct output *o, char c)
{
    if (o->length + 1 < o->size)
        o->text[o->length] = c;
    o->length++;
}

static void pad(struct output *o, char c, int count)
{
    while (count-- > 0)
        put(o, c);
}

static void put_text(struct output *o, const struct conversion *c, const char *s, size_t length)
{
    int blank = c->width - (int)length;
    if (!c->left)
        pad(o, ' ', blank);
    for (size_t i = 0; i < length; i++)
        put(o, s[i]);
    if (c->left)
        pad(o, ' ', blank);
}

/* Blanks, prefix, zeros, digits; blanks come last if the conversion is left-adjusted. */
static void put_number(struct output *o, const struct conversion *c, uint64_t v, unsigned base,
                       const char *digits, const char *prefix)
{
    char text[24]; /* 64 bits are 20 decimal digits */
    size_t n = sizeof(text);
    while (v != 0) {
        text[--n] = digits[v % base];
        v /= base;
    }
    int count = (int)(sizeof(text) - n);
    int least = c->precision < 0 ? 1 : c->precision;
    int zeros = MAX(least - count, 0);
    int prefix_length = (int)strlen(prefix);
    int blank = c->width - prefix_length - zeros - count;
    if (c->zero && !c->left && c->precision < 0) {
        zeros += MAX(blank, 0);
        blank = 0;
    }
    if (!c->left)
        pad(o, ' ', blank);
    for (int i = 0; i < prefix_length; i++)
        put(o, prefix[i]);
    pad(o, '0', zeros);
    for (int i = 0; i < count; i++)
        put(o, text[n + (size_t)i]);
    if (c->left)
        pad(o, ' ', blank);
}

/* ISO C: the caller has passed as an int each argument that is narrower. */
static int64_t take_signed(va_list *args, int length)
{
    if (length > 0)
        return va_arg(*args, long);
    int v = va_arg(*args, int);
    return length == -2 ? (signed char)v : length == -1 ? (short)v : v;
}

static uint64_t take_unsigned(va_list *args, int length)
{
    if (length > 0)
        return va_arg(*args, unsigned long);
    unsigned v = va_arg(*args, unsigned);
    return length == -2 ? (unsigned char)v : length == -1 ? (unsigned short)v : v;
}

/* A precision limits the reading, too: the text need not end within it. */
static void put_string(struct output *o, const struct conversion *c, const char *s)
{
    if (s == NULL)
        s = "(null)";
    size_t length = 0;
    while ((c->precision < 0 || length < (size_t)c->precision) && s[length] != '\0')
        length++;
    put_text(o, c, s, length);
}

static void convert(struct output *o, const struct conversion *c, char kind, va_list *args)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    int64_t v;
    char one;
    switch (kind) {
    case 'd':
    case 'i':
        v = take_signed(args, c->length);
        put_number(o, c, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, lower, v < 0 ? "-" : "");
        break;
    case 'u':
    case 'x':
    case 'X':
        put_number(o, c, take_unsigned(args, c->length), kind == 'u' ? 10 : 16,
                   kind == 'X' ? upper : lower, "");
        break;
    case 'p':
        put_number(o, c, (uintptr_t)va_arg(*args, void *), 16, lower, "0x");
        break;
    case 's':
        put_string(o, c, va_arg(*args, const char *));
        break;
    case 'c':
        one = (char)va_arg(*args, int);
        put_text(o, c, &one, 1);
        break;
    case '%':
        put(o, '%');
        break;
    default: /* print it as it stands, so that the mistake shows */
        put(o, '%');
        put(o, kind);
    }
}

static int parse_count(const char **fmt, va_list *args)
{
    if (**fmt == '*') {
        (*fmt)++;
        return va_arg(*args, int);
    }
    int n = 0;
    while (**fmt >= '0' && **fmt <= '9')
        n = n * 10 + (*(*fmt)++ - '0');
    return n;
}

/* Everything between % and the conversion's letter. Returns where the letter stands. */
static const char *parse_conversion(const char *fmt, struct conversion *c, va_list *args)
{
    *c = (struct conversion){.precision = -1};
    for (; *fmt == '-' || *fmt == '0'; fmt++) {
        c->left |= *fmt == '-';
        c->zero |= *fmt == '0';
    }
    c->width = parse_count(&fmt, args);
    if (c->width < 0) { /* by * only: ISO C takes the minus for a flag */
        c->left = true;
        c->width = -c->width;
    }
    if (*fmt == '.') {
        fmt++;
        c->precision = parse_count(&fmt, args);
    }
    for (; *fmt == 'h'; fmt++)
        c->length--;
    for (; *fmt == 'l' || *fmt == 'z'; fmt++)
        c->length++;
    return fmt;
}

int vsnprintf(char *out, size_t size, const char *fmt, va_list args)
{
    struct output o = {out, size, 0};
    va_list rest;
    va_copy(rest, args); /* args decays to a pointer here: &args is no va_list * */
    while (*fmt != '\0') {
        if (*fmt != '%') {
            put(&o, *fmt++);
            continue;
        }
        struct conversion c;
        fmt = parse_conversion(fmt + 1, &c, &rest);
        if (*fmt == '\0')
            break;
        convert(&o, &c, *fmt++, &rest);
    }
    va_end(rest);
    if (size > 0)
        out[MIN(o.length, size - 1)] = '\0';
    return (int)o.length;
}

int snprintf(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(out, size, fmt, args);
    va_end(args);
    return length;
}
