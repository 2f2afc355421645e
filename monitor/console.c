/* SPDX-License-Identifier: MIT */
/*
 * One line, many voices. What is typed goes to the guest in focus, or to the monitor; Ctrl-A changes
 * that, as in QEMU. While the monitor has the focus, what guests print is kept and shown later, so
 * that no guest talks somebody down who wants to find out what it does.
 * From: guest/life/run.c (poll), guest/pc/vuart.c (keep).   To: monitor/edit.c, command.c; guest/pc/vuart.c (vuart_type).
 *
 * INVARIANT: a byte is taken from the line only when there is room for it where it goes.
 */
#include "arch/acpi.h"
#include "arch/options.h"
#include "lib/string.h"
#include "arch/uart.h"
#include "guest/assign/assign.h"
#include "monitor/command.h"
#include "monitor/edit.h"
#include "monitor/explain.h"
#include "monitor/gdb.h"
#include "monitor/monitor.h"
#include "guest/pc/pc.h"

#define CTRL_A     0x01
#define KEPT_SIZE  2048
#define POLL_BYTES 64 /* at most at a time: guests want to run, too */
#define PROMPT     "(hamlet) "

static struct {
    bool monitor;        /* has the focus */
    struct vm *chosen;   /* by Ctrl-A n; NULL: the first that runs */
    bool escaped;        /* Ctrl-A was the last key */
    bool power_off_said; /* Ctrl-A x the second time does not wait any more */
    struct edit edit;
    char line[EDIT_LINE_MAX + 1]; /* a copy that a command may cut up */
} console;

/* What guests said meanwhile: whole texts, each with the letter of its kind and its VM's index in front. */
static struct {
    struct spinlock lock;
    char text[VM_MAX][KEPT_SIZE];
    size_t used[VM_MAX];
    unsigned left_out[VM_MAX];
} kept;

static bool is_up(const struct vm *vm) { return vm->state == VM_RUNNING || vm->state == VM_PAUSED; }

struct vm *console_vm(void)
{
    if (console.chosen && is_up(console.chosen))
        return console.chosen;
    for (size_t i = 0; i < vm_count(); i++)
        if (is_up(vm_get(i)))
            return vm_get(i);
    return NULL;
}

/* --- What guests print ---------------------------------------------------------------------------- */

static bool keep(struct vm *vm, const char *text, bool line_ends)
{
    size_t size = strlen(text), n = vm->index;
    if (!console.monitor)
        return false;
    spin_lock(&kept.lock);
    if (kept.used[n] + size + 1 <= KEPT_SIZE && !kept.left_out[n]) {
        memcpy(kept.text[n] + kept.used[n], text, size);
        kept.used[n] += size;
        if (line_ends)
            kept.text[n][kept.used[n]++] = '\n';
    } else {
        kept.left_out[n] += line_ends;
    }
    spin_unlock(&kept.lock);
    return true;
}

static void show_kept_of(struct vm *vm)
{
    size_t n = vm->index;
    for (size_t from = 0, at = 0; at < kept.used[n]; at++) {
        bool last = at + 1 == kept.used[n];
        if (kept.text[n][at] != '\n' && !last)
            continue;
        size_t end = kept.text[n][at] == '\n' ? at : at + 1;
        say("%s| %.*s", vm->name, (int)(end - from), kept.text[n] + from);
        from = at + 1;
    }
    if (kept.left_out[n])
        say("(%u more lines of %s are left out)", kept.left_out[n], vm->name);
    kept.used[n] = 0;
    kept.left_out[n] = 0;
}

static void show_kept(void)
{
    spin_lock(&kept.lock);
    for (size_t i = 0; i < vm_count(); i++)
        show_kept_of(vm_get(i));
    spin_unlock(&kept.lock);
}

/* --- The monitor's own line ------------------------------------------------------------------------ */

static void draw(void)
{
    char text[sizeof(PROMPT) + EDIT_LINE_MAX + 2 + EDIT_LINE_MAX];
    size_t size = sizeof(PROMPT) - 1, back = console.edit.length - console.edit.cursor;
    memcpy(text, PROMPT, size);
    memcpy(text + size, console.edit.line, console.edit.length);
    size += console.edit.length;
    memset(text + size, '\b', back);
    console_prompt(text, size + back);
}

/* Print the typed line as one of those above, then answer. */
static void answer(void)
{
    memcpy(console.line, console.edit.line, console.edit.length + 1);
    console_prompt("", 0);
    say(PROMPT "%s", console.line);
    edit_keep(&console.edit);
    edit_clear(&console.edit);
    command_run(console.line);
    if (console.monitor)
        draw();
}

/* The n-th word that could stand where `typed` letters of one stand now, at the end of the line. */
static const char *candidate(const char *word, size_t typed, unsigned n)
{
    const char *line = console.edit.line;
    if (word == line || strncmp(line, "help ", 5) == 0)
        return command_match(word, typed, n);
    if (strncmp(line, "explain ", 8) == 0)
        return explain_match(word, typed, n);
    for (size_t i = 0; i < vm_count(); i++)
        if (strncmp(vm_get(i)->name, word, typed) == 0 && n-- == 0)
            return vm_get(i)->name;
    return NULL;
}

/* One name: put in the rest of it. Several: as much as they share, or all of them to choose from. */
static void complete(void)
{
    const char *word = console.edit.line + console.edit.length, *other;
    while (word > console.edit.line && word[-1] != ' ')
        word--;
    size_t typed = strlen(word), shared;
    const char *first = candidate(word, typed, 0);
    if (!first || console.edit.cursor != console.edit.length)
        return;
    shared = strlen(first);
    bool one = !candidate(word, typed, 1);
    for (unsigned n = 1; (other = candidate(word, typed, n)); n++)
        while (strncmp(first, other, shared) != 0)
            shared--;
    if (!one && shared == typed)
        for (unsigned n = 0; (other = candidate(word, typed, n)); n++)
            say("  %s", other);
    edit_insert(&console.edit, first + typed, shared - typed);
    if (one)
        edit_insert(&console.edit, " ", 1);
    draw();
}

/* True: a command has run. */
static bool to_monitor(uint8_t byte)
{
    switch (edit_key(&console.edit, byte)) {
    case EDIT_NOTHING:
        break;
    case EDIT_APPENDED:
        console_echo((char)byte);
        break;
    case EDIT_CHANGED:
        draw();
        break;
    case EDIT_TAB:
        complete();
        break;
    case EDIT_ABANDONED:
        edit_clear(&console.edit);
        draw();
        break;
    case EDIT_DONE:
        answer();
        return true;
    }
    return false;
}

/* --- Who has the focus ------------------------------------------------------------------------------ */

static void switch_focus(void)
{
    console.monitor = !console.monitor;
    if (console.monitor) {
        say("The monitor has the console; guests' lines are kept. help lists commands, Ctrl-A c "
            "goes back.");
        draw();
        return;
    }
    console_prompt("", 0);
    say("vm=%s has the console.", console_vm() ? console_vm()->name : "-");
    show_kept();
}

static void next_guest(void)
{
    struct vm *now = console_vm();
    size_t count = vm_count(), start = now ? now->index : 0;
    for (size_t i = 1; i <= count; i++) {
        struct vm *vm = vm_get((start + i) % count);
        if (is_up(vm)) {
            console.chosen = vm;
            break;
        }
    }
    if (console.monitor)
        switch_focus();
    else
        say("vm=%s has the console.", console_vm() ? console_vm()->name : "-");
}

static void say_keys(void)
{
    say("Ctrl-A c  between guest and monitor");
    say("Ctrl-A n  the next guest");
    say("Ctrl-A x  end every VM and power off; once more: at once");
    say("Ctrl-A h  this");
    say("Ctrl-A Ctrl-A  sends Ctrl-A to the guest");
}

void console_power_off(void)
{
    if (console.power_off_said) {
        assign_silence();
        uart_drain();
        acpi_power_off();
    }
    console.power_off_said = true;
    if (console.monitor)
        switch_focus();
    for (size_t i = 0; i < vm_count(); i++) {
        vm_get(i)->dumped = true; /* nobody wants the registers of what he ends himself */
        vm_fail(vm_get(i), "ended at the console");
    }
}

static bool key_of_escape(uint8_t byte)
{
    switch (byte) {
    case 'c':
        switch_focus();
        return true;
    case 'n':
        next_guest();
        return true;
    case 'h':
        say_keys();
        return true;
    case 'x':
        console_power_off();
        return true;
    default:
        return byte != CTRL_A; /* no key of ours: forgotten, as QEMU does */
    }
}

/* --- The line --------------------------------------------------------------------------------------- */

/* True: that is enough for now, the guests have their turn. */
static bool typed(uint8_t byte)
{
    bool escaped = console.escaped;
    console.escaped = byte == CTRL_A && !escaped;
    if (console.escaped || (escaped && key_of_escape(byte)))
        return !console.escaped;
    struct vm *vm = console_vm();
    if (console.monitor)
        return to_monitor(byte);
    if (vm)
        vuart_type(vm, byte);
    return false;
}

/* When the guest in focus has ended, another one has it: typing into the wrong one is no fun. */
static void tell_focus(void)
{
    static const struct vm *told;
    const struct vm *vm = console_vm();
    if (!console.monitor && vm && told && told != vm && !is_up(told))
        say("vm=%s has the console.", vm->name);
    told = vm;
}

/* Where the guest in focus has no room, bytes wait on the line. Ctrl-A and its key do not: who leaves a guest
 * that does not read, leaves behind what it has not taken; never is that the next one's, nor a command. */
static void poll(void)
{
    gdb_poll();
    for (unsigned i = 0; i < POLL_BYTES; i++) {
        struct vm *vm = console_vm();
        bool full = vm && !console.monitor && !console.escaped && !vuart_has_room(vm);
        int byte = full ? uart_read_escaped(CTRL_A) : uart_read();
        console.escaped = console.escaped || (full && byte >= 0);
        if (byte < 0 || typed((uint8_t)byte))
            break;
    }
    tell_focus();
    unsigned lost = uart_lost();
    if (lost)
        say("hamlet: typed=lost bytes=%u: they were not read in time", lost);
}

void monitor_init(void)
{
    if (options.trace && trace_start())
        say("hamlet: no memory for a trace");
    gdb_init();
    vm_hooks.poll = poll;
    vm_hooks.keep = keep;
}
