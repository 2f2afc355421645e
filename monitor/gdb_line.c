/* SPDX-License-Identifier: MIT */
/*
 * Packets on the line to a debugger: $, text, #, a sum of two digits. Whatever else comes is noise: it is
 * passed over, or its packet asked for again.
 * From: monitor/gdb.c.   To: back, with a packet whose sum is right.
 * Spec: Debugging with GDB, "Overview" of the remote serial protocol.
 */
#include "lib/printf.h"
#include "lib/string.h"
#include "monitor/gdb.h"

#define CTRL_C 0x03

static void acknowledge(struct gdb_line *l, char how)
{
    l->out[0] = how;
    l->out_length = l->answer = 1;
    l->out_sent = 0;
}

static enum gdb_event outside(struct gdb_line *l, uint8_t byte)
{
    if (byte == CTRL_C)
        return GDB_INTERRUPT;
    if (byte == '-' && l->out_sent == l->out_length)
        l->out_sent = MIN(l->answer, l->out_length); /* our answer once more */
    return GDB_NOTHING;
}

static void begin(struct gdb_line *l)
{
    l->state = GDB_INSIDE;
    l->in_length = 0;
    l->sum = 0;
    l->too_long = false;
}

static void inside(struct gdb_line *l, uint8_t byte)
{
    if (byte == '#') {
        l->state = GDB_SUM_HIGH;
        return;
    }
    l->sum = (uint8_t)(l->sum + byte);
    l->too_long |= l->in_length == GDB_PACKET_MAX;
    if (!l->too_long)
        l->in[l->in_length++] = (char)byte;
}

static enum gdb_event finish(struct gdb_line *l, bool sum_is_hex)
{
    bool good = sum_is_hex && l->sum == l->sent_sum && !l->too_long;
    l->state = GDB_OUTSIDE;
    acknowledge(l, good ? '+' : '-');
    l->in[l->in_length] = '\0';
    return good ? GDB_PACKET : GDB_NOTHING;
}

enum gdb_event gdb_line_take(struct gdb_line *l, uint8_t byte)
{
    unsigned digit = digit_value((char)byte);
    if (byte == '$') { /* never inside: an end was lost */
        begin(l);
        return GDB_NOTHING;
    }
    switch (l->state) {
    case GDB_OUTSIDE:
        return outside(l, byte);
    case GDB_INSIDE:
        inside(l, byte);
        return GDB_NOTHING;
    case GDB_SUM_HIGH:
        if (digit > 15)
            return finish(l, false);
        l->sent_sum = (uint8_t)(digit * 16);
        l->state = GDB_SUM_LOW;
        return GDB_NOTHING;
    case GDB_SUM_LOW:
        l->sent_sum = (uint8_t)(l->sent_sum + digit);
        return finish(l, digit < 16);
    }
    return GDB_NOTHING;
}

/* --- Answers ---------------------------------------------------------------------------------------- */

/* INVARIANT: no answer holds $, # or }, so that nothing has to be escaped. */

#define SUM_SIZE 3 /* #, two digits */

static size_t room(const struct gdb_line *l) { return sizeof(l->out) - SUM_SIZE - l->out_length; }

void gdb_answer_begin(struct gdb_line *l)
{
    l->answer = l->out_length;
    l->out[l->out_length++] = '$';
}

void gdb_answer_text(struct gdb_line *l, const char *fmt, ...)
{
    va_list args;
    size_t size = room(l); /* vsnprintf() wants one more, for a NUL */
    va_start(args, fmt);
    size_t length = (size_t)vsnprintf(l->out + l->out_length, size + 1, fmt, args);
    va_end(args);
    l->out_length += MIN(length, size);
}

void gdb_answer_hex(struct gdb_line *l, const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < size && room(l) >= 2; i++)
        gdb_answer_text(l, "%02x", b[i]);
}

void gdb_answer_end(struct gdb_line *l)
{
    uint8_t sum = 0;
    for (size_t i = l->answer + 1; i < l->out_length; i++)
        sum = (uint8_t)(sum + l->out[i]);
    char text[SUM_SIZE + 1];
    snprintf(text, sizeof(text), "#%02x", sum);
    memcpy(l->out + l->out_length, text, SUM_SIZE);
    l->out_length += SUM_SIZE;
}

/* --- Questions -------------------------------------------------------------------------------------- */

bool gdb_number(const char **at, uint64_t *value)
{
    size_t digits = parse_hex(at, 17, value);
    return digits > 0 && digits <= 16;
}

bool gdb_char(const char **at, char c)
{
    bool is = **at == c;
    *at += is;
    return is;
}

bool gdb_word(const char **at, const char *word)
{
    size_t length = strlen(word);
    bool is = strncmp(*at, word, length) == 0;
    *at += is ? length : 0;
    return is;
}

bool gdb_bytes(const char **at, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t byte;
        if (parse_hex(at, 2, &byte) != 2)
            return false;
        bytes[i] = (uint8_t)byte;
    }
    return true;
}
