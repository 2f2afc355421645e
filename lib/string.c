/* SPDX-License-Identifier: MIT */
/*
 * The C library's memory and string functions. memcpy and memset are string instructions, which a
 * real CPU executes in large steps. In Bochs each element takes a tick of the TSC, so what is large
 * goes by 8 bytes.
 * From: everywhere; the compiler, too, calls memcpy and memset.   To: nothing.
 * Hot: memory is cleared and copied here.
 * Spec: ISO C "String handling"; SDM "Fast-String Operation".
 */
#include "lib/string.h"
#include <stdint.h>

#define LARGE 256

void *memcpy(void *to, const void *from, size_t size)
{
    void *d = to;
    size_t words = size / 8;
    if (size >= LARGE) {
        asm volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words)::"memory");
        size %= 8;
    }
    asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(size)::"memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    char *d = to; /* `to` lies within the source: copy from the end on */
    const char *s = from;
    while (size-- > 0)
        d[size] = s[size];
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *d = to;
    size_t words = size / 8;
    if (size >= LARGE) {
        asm volatile("rep stosq"
                     : "+D"(d), "+c"(words)
                     : "a"((uint8_t)byte * UINT64_C(0x0101010101010101))
                     : "memory");
        size %= 8;
    }
    asm volatile("rep stosb" : "+D"(d), "+c"(size) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *p = a, *q = b;
    for (size_t i = 0; i < size; i++)
        if (p[i] != q[i])
            return p[i] < q[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n] != '\0')
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
        if (a[i] == '\0')
            return 0;
    }
    return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (*s == '\0')
            return NULL;
    }
}
