/* SPDX-License-Identifier: MIT */
/*
 * Text that grows piece by piece.
 * From: arch/panic.c, pci/functions.c, vmx/show/dump.c, guest/life/report.c, monitor/.
 * To: lib/printf.c.
 */
#include "lib/text.h"
#include "lib/bits.h"
#include "lib/printf.h"

struct text text_of(const char *fmt, ...)
{
    struct text t;
    va_list args;
    va_start(args, fmt);
    t.used = (size_t)vsnprintf(t.at, TEXT_MAX, fmt, args);
    t.used = MIN(t.used, (size_t)TEXT_MAX - 1);
    va_end(args);
    return t;
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    t->used += (size_t)vsnprintf(t->at + t->used, TEXT_MAX - t->used, fmt, args);
    t->used = MIN(t->used, (size_t)TEXT_MAX - 1);
    va_end(args);
}
