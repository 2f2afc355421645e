/* SPDX-License-Identifier: MIT */
/*
 * The focus of the console, and what guests print while they do not have it.
 * From: monitor/term/console.c, monitor/args.c; from guests that print by vm_hooks.keep.
 * To: arch/log.c.
 */
#include "monitor/focus.h"
#include "arch/log.h"
#include "lib/string.h"

#define KEPT_SIZE 2048

static struct {
    bool monitor;
    struct vm *chosen;
} focus;

/* What each VM has printed meanwhile. */
static struct {
    struct spinlock lock;
    char text[VM_MAX][KEPT_SIZE];
    size_t used[VM_MAX];
    unsigned left_out[VM_MAX];
} kept;

static bool is_up(const struct vm *vm) { return vm->state == VM_RUNNING || vm->state == VM_PAUSED; }

bool focus_on_monitor(void) { return focus.monitor; }

struct vm *focus_vm(void)
{
    if (focus.chosen && is_up(focus.chosen))
        return focus.chosen;
    for (size_t i = 0; i < vm_count(); i++)
        if (is_up(vm_get(i)))
            return vm_get(i);
    return NULL;
}

/* --- What guests print ------------------------------------------------------------------------ */

static bool keep(struct vm *vm, const char *text, bool line_ends)
{
    size_t size = strlen(text), n = vm->index;
    if (!focus.monitor)
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
    for (size_t from = 0, at = 0; from < kept.used[n]; from = at + 1) {
        for (at = from; at < kept.used[n] && kept.text[n][at] != '\n';)
            at++;
        console_line("%s| %.*s", vm->name, (int)(at - from), kept.text[n] + from);
    }
    if (kept.left_out[n])
        console_line("(%u more lines of %s are left out)", kept.left_out[n], vm->name);
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

/* --- Changes ---------------------------------------------------------------------------------- */

void focus_to_monitor(void)
{
    focus.monitor = true;
    console_line("The monitor has the console; guests' lines are kept. help lists commands, "
                 "Ctrl-A c goes back.");
}

static void say_focus(const struct vm *vm)
{
    console_line("vm=%s has the console.", vm ? vm->name : "-");
}

void focus_to_guest(void)
{
    if (focus.monitor)
        console_prompt("", 0);
    focus.monitor = false;
    say_focus(focus_vm());
    show_kept();
}

void focus_next(void)
{
    struct vm *now = focus_vm();
    size_t count = vm_count(), start = now ? now->index : 0;
    for (size_t i = count; i > 0; i--) /* backwards: the nearest one is the last to be chosen */
        if (is_up(vm_get((start + i) % count)))
            focus.chosen = vm_get((start + i) % count);
}

/* Silence would let a person type on, into the wrong guest. */
void focus_follow(void)
{
    static const struct vm *told;
    const struct vm *vm = focus_vm();
    if (!focus.monitor && vm && told && told != vm && !is_up(told))
        say_focus(vm);
    told = vm;
}

void focus_init(void) { vm_hooks.keep = keep; }
