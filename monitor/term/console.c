/* SPDX-License-Identifier: MIT */
/*
 * Typed bytes go to the guest in focus, or to the monitor's line; Ctrl-A changes that, as in QEMU.
 * From: boot/main.c (monitor_init); between turns of the scheduler by vm_hooks.poll.
 * To: monitor/edit.c, monitor/term/command.c; monitor/focus.c; guest/pc/vuart.c (vuart_type);
 * guest/pc/legacy/draw.c;
 * monitor/gdb/gdb.c.
 *
 * INVARIANT: a byte is taken from the line only when there is room for it where it goes.
 */
#include "arch/options.h"
#include "arch/trace.h"
#include "arch/terminal.h"
#include "guest/pc/legacy/legacy.h"
#include "guest/pc/pc.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "monitor/edit.h"
#include "monitor/explain/explain.h"
#include "monitor/focus.h"
#include "monitor/gdb/gdb.h"
#include "monitor/monitor.h"
#include "monitor/term/command.h"

#define CTRL_A     0x01
#define POLL_BYTES 64 /* at most at a time, so that the guests run on */
#define PROMPT     "(hamlet) "

static struct edit edit;
static bool escaped; /* Ctrl-A was the last key */
static bool draws;   /* the screen of the guest in focus */

static void draw_line(void)
{
    struct text t = text_of(PROMPT "%s", edit.line);
    for (size_t at = edit.cursor; at < edit.length; at++)
        text_add(&t, "\b");
    console_prompt(t.at, t.used);
}

/* The typed line stays on the screen, above its answer. */
static void run_line(void)
{
    char line[EDIT_LINE_MAX + 1]; /* a copy, as args_split() writes into it */
    memcpy(line, edit.line, edit.length + 1);
    console_prompt("", 0);
    say(PROMPT "%s", line);
    edit_keep(&edit);
    edit_clear(&edit);
    command_run(line);
    if (focus_on_monitor())
        draw_line();
}

/* The n-th word that begins with the `typed` letters at the end of the line. NULL: no more. */
static const char *candidate(const char *word, size_t typed, unsigned n)
{
    const char *line = edit.line;
    if (word == line || strncmp(line, "help ", 5) == 0)
        return command_match(word, typed, n);
    if (strncmp(line, "explain ", 8) == 0)
        return explain_match(word, typed, n);
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        if (strncmp(vm->name, word, typed) == 0 && n-- == 0)
            return vm->name;
    return NULL;
}

/* One candidate: insert the rest of it. Several: insert the letters that all share; if there are
 * none, list the candidates. */
static void complete(void)
{
    const char *word = edit.line + edit.length, *other;
    while (word > edit.line && word[-1] != ' ')
        word--;
    size_t typed = strlen(word), shared;
    const char *first = candidate(word, typed, 0);
    if (!first || edit.cursor != edit.length)
        return;
    shared = strlen(first);
    bool one = !candidate(word, typed, 1);
    for (unsigned n = 1; (other = candidate(word, typed, n)); n++)
        while (strncmp(first, other, shared) != 0)
            shared--;
    if (!one && shared == typed)
        for (unsigned n = 0; (other = candidate(word, typed, n)); n++)
            say("  %s", other);
    edit_insert(&edit, first + typed, shared - typed);
    if (one)
        edit_insert(&edit, " ", 1);
    draw_line();
}

/* True: a command has run. */
static bool to_monitor(uint8_t byte)
{
    enum edit_event event = edit_key(&edit, byte);
    if (event == EDIT_APPENDED)
        console_echo((char)byte);
    if (event == EDIT_TAB)
        complete();
    if (event == EDIT_ABANDONED)
        edit_clear(&edit);
    if (event == EDIT_ABANDONED || event == EDIT_CHANGED)
        draw_line();
    if (event == EDIT_DONE)
        run_line();
    return event == EDIT_DONE;
}

/* The key behind Ctrl-A. False: the byte is for the guest. */
static bool key_of_escape(uint8_t byte)
{
    switch (byte) {
    case 'c':
        if (focus_on_monitor()) {
            focus_to_guest();
        } else {
            focus_to_monitor();
            draw_line();
        }
        return true;
    case 'n':
        focus_next();
        focus_to_guest();
        return true;
    case 'h':
        say("Ctrl-A c  between guest and monitor");
        say("Ctrl-A n  the next guest");
        say("Ctrl-A s  draw the guest's text screen, or print its rows");
        say("Ctrl-A x  end every VM and power off; once more: at once");
        say("Ctrl-A h  this");
        say("Ctrl-A Ctrl-A  sends Ctrl-A to the guest");
        return true;
    case 's':
        draws = !draws;
        return true;
    case 'x':
        cmd_power_off();
        return true;
    default:
        return byte != CTRL_A; /* no key of ours: forgotten, as QEMU does */
    }
}

/* True: the bytes behind this one wait until the guests have had their turn. */
static bool take(uint8_t byte)
{
    bool after_escape = escaped;
    escaped = byte == CTRL_A && !after_escape;
    if (escaped || (after_escape && key_of_escape(byte)))
        return !escaped;
    if (focus_on_monitor())
        return to_monitor(byte);
    if (focus_vm())
        vuart_type(focus_vm(), byte);
    return false;
}

/* Where the guest in focus has no room, bytes wait on the line. Ctrl-A and its key do not wait:
 * bytes that the guest has not taken are lost with the change of focus, and reach neither the next
 * guest nor a command. */
static bool poll(bool ended)
{
    bool stay = ended && options.end == END_MONITOR && !cmd_power_is_off();
    if (stay && !focus_on_monitor()) {
        focus_to_monitor();
        draw_line();
    }
    cmd_trace_stream(ended);
    gdb_poll();
    for (unsigned i = 0; i < POLL_BYTES; i++) {
        struct vm *vm = focus_vm();
        bool full = vm && !focus_on_monitor() && !escaped && !vuart_has_room(vm);
        int byte = full ? terminal_read_escaped(CTRL_A) : terminal_read();
        escaped = escaped || (full && byte >= 0);
        if (byte < 0 || take((uint8_t)byte))
            break;
    }
    focus_follow();
    legacy_draw(draws && !focus_on_monitor() ? focus_vm() : NULL);
    unsigned lost = terminal_lost();
    if (lost)
        say("hamlet: typed=lost bytes=%u: they were not read in time", lost);
    return stay;
}

void monitor_init(void)
{
    if (options.trace && trace_start())
        say("hamlet: no memory for a trace");
    draws = options.draw;
    gdb_init(command_run);
    focus_init();
    vm_hooks.poll = poll;
}
