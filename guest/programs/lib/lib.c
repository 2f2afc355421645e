/* SPDX-License-Identifier: MIT */
/*
 * Console, command line and ending of a guest program.
 * From: guest/programs/lib/start.asm.   To: the program's main().
 */
#include "guest/programs/lib/guest.h"
#include "lib/multiboot.h"

#define COM1       0x3f8
#define DEBUG_EXIT 0xf4

static const char *cmdline = "";
static uint64_t asking; /* exits that exits() and exits_all() themselves caused */

void guest_start(const uint8_t *info);

static void put(char c)
{
    if (c == '\n')
        out8(COM1, '\r');
    out8(COM1, (uint8_t)c);
}

static void put_text(const char *s)
{
    while (*s)
        put(*s++);
}

static void put_number(uint64_t v, unsigned base, unsigned width, char fill)
{
    char digits[24];
    unsigned n = 0;
    do
        digits[n++] = "0123456789abcdef"[v % base];
    while ((v /= base));
    while (width > n && width--)
        put(fill);
    while (n)
        put(digits[--n]);
}

/* %s %c %d %u %x with l and a width; one line per call. */
void print(const char *fmt, ...)
{
    __builtin_va_list args;
    __builtin_va_start(args, fmt);
    for (; *fmt; fmt++) {
        unsigned width = 0, wide = 0;
        char fill = ' ';

        if (*fmt != '%') {
            put(*fmt);
            continue;
        }
        fmt++;
        if (*fmt == '0')
            fill = *fmt++;
        while (*fmt >= '0' && *fmt <= '9')
            width = width * 10 + (unsigned)(*fmt++ - '0');
        while (*fmt == 'l') {
            wide = 1;
            fmt++;
        }
        if (*fmt == 's') {
            put_text(__builtin_va_arg(args, const char *));
        } else if (*fmt == 'c') {
            put((char)__builtin_va_arg(args, int));
        } else if (*fmt == '%') {
            put('%');
        } else {
            uint64_t v = wide ? __builtin_va_arg(args, uint64_t) : __builtin_va_arg(args, uint32_t);
            bool negative = *fmt == 'd' && (wide ? (int64_t)v < 0 : (int32_t)v < 0);
            if (negative)
                put('-');
            put_number(negative ? (wide ? -v : (uint32_t)-v) : v, *fmt == 'x' ? 16 : 10, width,
                       fill);
        }
    }
    __builtin_va_end(args);
    put('\n');
}

void quit(unsigned status)
{
    for (;;) {
        out8(DEBUG_EXIT, (uint8_t)status);
        asm volatile("cli; hlt");
    }
}

static bool starts_with(const char *s, const char *word)
{
    while (*word)
        if (*s++ != *word++)
            return false;
    return true;
}

static uint64_t number(const char *s)
{
    bool hex = starts_with(s, "0x");
    uint64_t v = 0;
    for (s += hex ? 2 : 0; *s && *s != ' '; s++) {
        unsigned digit = *s >= 'a' ? (unsigned)(*s - 'a' + 10) : (unsigned)(*s - '0');
        v = v * (hex ? 16 : 10) + digit;
    }
    return v;
}

uint64_t option(const char *key, uint64_t missing)
{
    for (const char *s = cmdline; *s; s++) {
        const char *value = s;

        if ((s != cmdline && s[-1] != ' ') || !starts_with(s, key))
            continue;
        for (const char *k = key; *k; k++)
            value++;
        if (*value == '=')
            return number(value + 1);
    }
    return missing;
}

#define EXIT_REASON_EXTERNAL 1
#define EXIT_REASON_VMCALL   18
#define EXIT_REASON_TIMER    52

uint64_t exits(unsigned reason)
{
    uint64_t n = hypercall(HC_EXIT_COUNT, reason) - (reason == EXIT_REASON_VMCALL ? asking : 0);
    asking++;
    return n;
}

uint64_t exits_all(void) { return hypercall(HC_EXIT_TOTAL, 0) - asking++; }

/* Such an exit may come between two of these questions. Then all are asked again. */
uint64_t exits_caused(void)
{
    uint64_t external, timer, all;
    do {
        external = exits(EXIT_REASON_EXTERNAL);
        timer = exits(EXIT_REASON_TIMER);
        all = exits_all();
    } while (exits(EXIT_REASON_EXTERNAL) != external || exits(EXIT_REASON_TIMER) != timer);
    return all - external - timer;
}

void guest_start(const uint8_t *info)
{
    const struct mb2_tag *tag = (const struct mb2_tag *)(info + sizeof(struct mb2_info));
    while (tag->type != MB2_TAG_END) {
        if (tag->type == MB2_TAG_CMDLINE)
            cmdline = (const char *)(tag + 1);
        tag = (const struct mb2_tag *)((const uint8_t *)tag + ALIGN_UP(tag->size, 8));
    }
    quit((unsigned)main());
}

/* The compiler may ask for these as well. */
void *memcpy(void *to, const void *from, size_t size)
{
    void *start = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
    return start;
}

void *memset(void *to, int byte, size_t size)
{
    void *start = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *p = a, *q = b;
    for (; size > 0; size--, p++, q++)
        if (*p != *q)
            return *p < *q ? -1 : 1;
    return 0;
}

void sort(uint64_t *values, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++)
        for (uint64_t j = i; j > 0 && values[j - 1] > values[j]; j--) {
            uint64_t larger = values[j - 1];
            values[j - 1] = values[j];
            values[j] = larger;
        }
}
