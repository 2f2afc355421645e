/* SPDX-License-Identifier: MIT */
/*
 * A line while a person types: editing and history. Pure: keys in, a line out.
 * From: monitor/term/console.c, tests/unit/test_monitor.c.   To: monitor/edit.c.
 */
#pragma once
#include "lib/types.h"

#define EDIT_LINE_MAX    120
#define EDIT_HISTORY_MAX 16

struct edit {
    char line[EDIT_LINE_MAX + 1];
    size_t length, cursor;
    unsigned escape; /* how much of an escape sequence has come: ESC, then [ */
    char history[EDIT_HISTORY_MAX][EDIT_LINE_MAX + 1];
    unsigned kept, looking_at; /* lines ever kept; how many back we look, 0: at none */
    bool after_return;         /* a line feed now belongs to the return before it */
};

enum edit_event {
    EDIT_NOTHING,
    EDIT_APPENDED, /* the byte stands at the end of the line now */
    EDIT_CHANGED,  /* draw the whole line */
    EDIT_DONE,     /* edit.line is complete; call edit_clear() before the next key */
    EDIT_TAB,
    EDIT_ABANDONED, /* Ctrl-C */
};

enum edit_event edit_key(struct edit *e, uint8_t byte);
void edit_clear(struct edit *e);
/* Add the line to the history, unless it is empty or the same as the last. */
void edit_keep(struct edit *e);
/* Insert `text` at the cursor; the part that does not fit is left out. */
void edit_insert(struct edit *e, const char *text, size_t size);
