/* SPDX-License-Identifier: MIT */
/*
 * Packets on the line to a debugger: $, text, #, a sum of two digits. Other bytes are noise: they
 * are passed over, or the packet with them is asked for again.
 * From: monitor/gdb/gdb.c.   To: back, with a packet whose sum is right.
 * Spec: Debugging with GDB, "Overview" of the remote serial protocol.
 */
#include "lib/printf.h"
#include "lib/string.h"
#include "monitor/gdb/gdb.h"
#include "lib/parse.h"

#define CTRL_C 0x03

static uint8_t sum_of(const char *text, size_t length)
{
    uint8_t sum = 0;
    while (length--)
        sum = (uint8_t)(sum + *text++);
    return sum;
}

/* The sum is complete: acknowledge the packet, or ask for it again. */
static enum gdb_event finish(struct gdb_line *l)
{
    size_t length = l->in_length - GDB_SUM_SIZE;
    const char *digits = l->in + length + 1;
    uint64_t sum;
    bool good = parse_hex(&digits, 2, &sum) == 2 && sum == sum_of(l->in, length) && !l->too_long;
    l->inside = false;
    l->in[length] = '\0';
    l->at = l->in;
    l->out[0] = good ? '+' : '-';
    l->out_length = l->answer = 1;
    l->out_sent = 0;
    return good ? GDB_PACKET : GDB_NOTHING;
}

enum gdb_event gdb_line_take(struct gdb_line *l, uint8_t byte)
{
    if (byte == '$') { /* not part of any packet: if one was open, its end was lost */
        l->inside = true;
        l->too_long = false;
        l->in_length = 0;
        return GDB_NOTHING;
    }
    if (!l->inside) {
        if (byte == '-' && l->out_sent == l->out_length)
            l->out_sent = MIN(l->answer, l->out_length); /* our answer once more */
        return byte == CTRL_C ? GDB_INTERRUPT : GDB_NOTHING;
    }
    if (l->in_length == sizeof(l->in)) { /* too long to be kept: wait for its end */
        l->too_long = true;
        memmove(l->in, l->in + 1, --l->in_length);
    }
    l->in[l->in_length++] = (char)byte;
    bool ends = l->in_length >= GDB_SUM_SIZE && l->in[l->in_length - GDB_SUM_SIZE] == '#';
    return ends ? finish(l) : GDB_NOTHING;
}

/* --- Answers ---------------------------------------------------------------------------------- */

/* INVARIANT: no answer holds $, # or }, so that nothing has to be escaped. */

/* Behind the answer stand its sum and a NUL. */
static size_t room(const struct gdb_line *l)
{
    return sizeof(l->out) - GDB_SUM_SIZE - 1 - l->out_length;
}

void gdb_answer_begin(struct gdb_line *l)
{
    l->answer = l->out_length;
    l->out[l->out_length++] = '$';
}

void gdb_answer_text(struct gdb_line *l, const char *fmt, ...)
{
    va_list args;
    size_t size = room(l);
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
    uint8_t sum = sum_of(l->out + l->answer + 1, l->out_length - l->answer - 1);
    snprintf(l->out + l->out_length, GDB_SUM_SIZE + 1, "#%02x", sum);
    l->out_length += GDB_SUM_SIZE;
}

/* --- Questions -------------------------------------------------------------------------------- */

bool gdb_number(struct gdb_line *l, uint64_t *value)
{
    size_t digits = parse_hex(&l->at, 17, value);
    return digits > 0 && digits <= 16;
}

bool gdb_char(struct gdb_line *l, char c)
{
    bool is = *l->at == c;
    l->at += is;
    return is;
}

bool gdb_word(struct gdb_line *l, const char *word)
{
    size_t length = strlen(word);
    bool is = strncmp(l->at, word, length) == 0;
    l->at += is ? length : 0;
    return is;
}

bool gdb_bytes(struct gdb_line *l, void *bytes, size_t size)
{
    uint8_t *to = bytes;
    for (size_t i = 0; i < size; i++) {
        uint64_t byte;
        if (parse_hex(&l->at, 2, &byte) != 2)
            return false;
        to[i] = (uint8_t)byte;
    }
    return true;
}
