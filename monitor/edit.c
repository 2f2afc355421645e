/* SPDX-License-Identifier: MIT */
/*
 * From keys to a line: the bytes of a terminal for arrows and control keys, and their effects.
 * From: monitor/term/console.c.   To: lib/string.c.
 * Spec: ECMA-48 control sequences, as xterm sends them.
 */
#include "monitor/edit.h"
#include "lib/bits.h"
#include "lib/string.h"

#define CTRL(c) ((c)&0x1f)
#define ESCAPE  0x1b
#define DELETE  0x7f

void edit_clear(struct edit *e)
{
    e->length = e->cursor = 0;
    e->line[0] = '\0';
    e->looking_at = 0;
}

void edit_keep(struct edit *e)
{
    const char *last = e->history[(e->kept + EDIT_HISTORY_MAX - 1) % EDIT_HISTORY_MAX];
    if (e->length == 0 || strcmp(last, e->line) == 0)
        return;
    memcpy(e->history[e->kept++ % EDIT_HISTORY_MAX], e->line, e->length + 1);
}

void edit_insert(struct edit *e, const char *text, size_t size)
{
    size = MIN(size, EDIT_LINE_MAX - e->length);
    memmove(e->line + e->cursor + size, e->line + e->cursor, e->length - e->cursor);
    memcpy(e->line + e->cursor, text, size);
    e->length += size;
    e->cursor += size;
    e->line[e->length] = '\0';
}

/* Take out [from, to); the cursor stands at `from` then. An empty stretch only moves the cursor. */
static enum edit_event cut(struct edit *e, size_t from, size_t to)
{
    if (from == to && from == e->cursor)
        return EDIT_NOTHING;
    memmove(e->line + from, e->line + to, e->length - to);
    e->length -= to - from;
    e->cursor = from;
    e->line[e->length] = '\0';
    return EDIT_CHANGED;
}

static size_t word_before(const struct edit *e)
{
    size_t at = e->cursor;
    while (at > 0 && e->line[at - 1] == ' ')
        at--;
    while (at > 0 && e->line[at - 1] != ' ')
        at--;
    return at;
}

/* Show the line before in the history (+1), or the next (-1); behind the last is an empty line. */
static enum edit_event look_back(struct edit *e, int by)
{
    unsigned most = MIN(e->kept, (unsigned)EDIT_HISTORY_MAX);
    unsigned at = e->looking_at + (unsigned)by;
    if (at > most) /* also -1, which wraps around */
        return EDIT_NOTHING;
    edit_clear(e);
    e->looking_at = at;
    if (at > 0) {
        const char *line = e->history[(e->kept - at) % EDIT_HISTORY_MAX];
        edit_insert(e, line, strlen(line));
    }
    return EDIT_CHANGED;
}

static enum edit_event control(struct edit *e, uint8_t byte)
{
    static const enum edit_event events[] = {
        [CTRL('C')] = EDIT_ABANDONED, ['\t'] = EDIT_TAB, [CTRL('L')] = EDIT_CHANGED};
    size_t at = e->cursor, end = e->length, before = at - (at > 0), after = MIN(at + 1, end);
    const struct {
        uint8_t key;
        size_t from, to;
    } cuts[] = {{CTRL('A'), 0, 0},         {CTRL('B'), before, before},
                {CTRL('D'), at, after},    {CTRL('E'), end, end},
                {CTRL('F'), after, after}, {CTRL('H'), before, at},
                {DELETE, before, at},      {CTRL('K'), at, end},
                {CTRL('U'), 0, at},        {CTRL('W'), word_before(e), at}};
    for (size_t i = 0; i < ARRAY_COUNT(cuts); i++)
        if (cuts[i].key == byte)
            return cut(e, cuts[i].from, cuts[i].to);
    if (byte == CTRL('P') || byte == CTRL('N'))
        return look_back(e, byte == CTRL('P') ? 1 : -1);
    return byte < ARRAY_COUNT(events) ? events[byte] : EDIT_NOTHING;
}

/* Behind ESC [ come parameters, which are skipped, and the letter of an arrow, which stands for a
 * control key. */
static enum edit_event sequence(struct edit *e, uint8_t byte)
{
    static const uint8_t keys[] = {['A'] = CTRL('P'), ['B'] = CTRL('N'), ['C'] = CTRL('F'),
                                   ['D'] = CTRL('B'), ['F'] = CTRL('E'), ['H'] = CTRL('A')};
    if ((byte >= '0' && byte <= '9') || byte == ';')
        return EDIT_NOTHING;
    e->escape = 0;
    return byte < sizeof(keys) ? control(e, keys[byte]) : EDIT_NOTHING;
}

enum edit_event edit_key(struct edit *e, uint8_t byte)
{
    bool after_return = e->after_return;
    e->after_return = byte == '\r';
    if (e->escape == 2)
        return sequence(e, byte);
    if (e->escape == 1 || byte == ESCAPE) {
        e->escape = byte == ESCAPE ? 1 : byte == '[' || byte == 'O' ? 2 : 0;
        return EDIT_NOTHING;
    }
    if (byte == '\r' || byte == '\n')
        return byte == '\n' && after_return ? EDIT_NOTHING : EDIT_DONE;
    if (byte < ' ' || byte == DELETE)
        return control(e, byte);
    if (byte > '~' || e->length == EDIT_LINE_MAX)
        return EDIT_NOTHING;
    bool at_end = e->cursor == e->length;
    edit_insert(e, (const char *)&byte, 1);
    return at_end ? EDIT_APPENDED : EDIT_CHANGED;
}
