/* SPDX-License-Identifier: MIT */
/*
 * The focus of the console, and the output that guests print while the monitor has it.
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

/* The output of each VM since the monitor took the console. A guest prints on any CPU: the lock. */
static struct spinlock kept_lock = {.name = "kept output"};
static struct kept {
    char text[KEPT_SIZE];
    size_t used;
    unsigned left_out; /* lines before these */
} kept[VM_MAX];

bool focus_on_monitor(void) { return focus.monitor; }

struct vm *focus_vm(void)
{
    if (focus.chosen && vm_is_up(focus.chosen))
        return focus.chosen;
    struct vm *vm = vm_next(NULL);
    while (vm && !vm_is_up(vm))
        vm = vm_next(vm);
    return vm;
}

static void drop_oldest(struct kept *k)
{
    size_t end = 0;
    while (end < k->used && k->text[end] != '\n')
        end++;
    end = MIN(end + 1, k->used);
    memmove(k->text, k->text + end, k->used - end);
    k->used -= end;
    k->left_out++;
}

/* True: the text is kept. The last lines are, because they tell why a guest ended. */
static bool keep(struct vm *vm, const char *text, bool line_ends)
{
    struct kept *k = &kept[vm->index];
    size_t size = MIN(strlen(text), (size_t)KEPT_SIZE - 1);
    if (!focus.monitor)
        return false;
    spin_lock(&kept_lock);
    while (k->used + size + 1 > KEPT_SIZE)
        drop_oldest(k);
    memcpy(k->text + k->used, text, size);
    k->used += size;
    if (line_ends)
        k->text[k->used++] = '\n';
    spin_unlock(&kept_lock);
    return true;
}

static void show_kept(struct vm *vm)
{
    struct kept *k = &kept[vm->index];
    spin_lock(&kept_lock);
    if (k->left_out)
        console_line("(%u lines of %s before these are left out)", k->left_out, vm->name);
    for (size_t from = 0, at = 0; from < k->used; from = at + 1) {
        for (at = from; at < k->used && k->text[at] != '\n';)
            at++;
        console_line("%s| %.*s", vm->name, (int)(at - from), k->text + from);
    }
    k->used = k->left_out = 0;
    spin_unlock(&kept_lock);
}

void focus_to_monitor(void)
{
    focus.monitor = true;
    if (focus_vm())
        console_line("The monitor has the console; guests' lines are kept. help lists commands, "
                     "Ctrl-A c goes back.");
    else
        console_line("No VM runs; the monitor has the console. help lists commands, "
                     "reboot off ends.");
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
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        show_kept(vm);
}

void focus_next(void)
{
    struct vm *now = focus_vm();
    size_t count = vm_count(), start = now ? now->index : 0;
    for (size_t i = count; i > 0; i--) /* backwards: the last to be chosen is the nearest */
        if (vm_is_up(vm_get((start + i) % count)))
            focus.chosen = vm_get((start + i) % count);
}

/* Without this line a person would type on, into the wrong guest. */
void focus_follow(void)
{
    static const struct vm *told;
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        if (vm->state == VM_ENDED)
            show_kept(vm); /* its last words tell why */
    const struct vm *vm = focus_vm();
    if (!focus.monitor && vm && told && told != vm && !vm_is_up(told))
        say_focus(vm);
    told = vm;
}

void focus_init(void) { vm_hooks.keep = keep; }
