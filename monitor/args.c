/* SPDX-License-Identifier: MIT */
/*
 * From a line to words, numbers, devices, VMs.
 * From: monitor/cmd/, monitor/term/command.c.   To: lib/parse.c, monitor/focus.c (focus_vm).
 */
#include "monitor/args.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "monitor/focus.h"
#include "lib/parse.h"

bool complain(const struct args *a, const char *fmt, ...)
{
    char text[160];
    va_list list;
    va_start(list, fmt);
    vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    say("%s: %s", a->command, text);
    return false;
}

bool args_split(struct args *a, char *line)
{
    for (unsigned count = 0;; count++) {
        while (*line == ' ')
            *line++ = '\0';
        if (!*line)
            return true;
        if (count == ARGS_MAX)
            return false;
        a->words[count] = line;
        while (*line && *line != ' ')
            line++;
    }
}

char *args_word(struct args *a)
{
    char *word = args_peek(a);
    a->next += word != NULL;
    return word;
}

bool args_is(struct args *a, const char *word)
{
    bool is = args_peek(a) && strcmp(args_peek(a), word) == 0;
    a->next += is;
    return is;
}

bool args_end(struct args *a)
{
    return !args_peek(a) || complain(a, "what is %s? help %s", args_peek(a), a->command);
}

bool word_number(const char *word, uint64_t *out)
{
    return parse_u64(word, strlen(word), out) == 0;
}

bool args_number(struct args *a, const char *what, uint64_t *out)
{
    const char *word = args_word(a);
    if (!word)
        return complain(a, "%s is missing; help %s", what, a->command);
    return word_number(word, out) || complain(a, "%s: no number: %s", what, word);
}

bool args_bdf(struct args *a, bdf_t *out)
{
    const char *word = args_word(a);
    if (!word)
        return complain(a, "a device is missing (bb:dd.f)");
    return parse_bdf(word, out) == 0 || complain(a, "no device: %s (bb:dd.f)", word);
}

/* A word that names no VM is not taken: the address of `x 0x1000`, for example. */
bool args_vm(struct args *a, struct vm **out)
{
    struct vm *named = args_peek(a) ? vm_find(args_peek(a)) : NULL;
    a->next += named != NULL;
    *out = named ? named : focus_vm();
    if (!*out)
        return complain(a, "no VM runs");
    bool has_tables = (*out)->state != VM_NEW && (*out)->state < VM_ENDED;
    return has_tables || complain(a, "vm=%s has ended", (*out)->name);
}

bool args_vcpu(struct args *a, struct vcpu **out)
{
    uint64_t index = 0;
    struct vm *vm;
    char *name = args_peek(a), *dot = name ? strchr(name, '.') : NULL;
    if (dot && word_number(dot + 1, &index)) {
        *dot = '\0'; /* args_vm() takes the name of the VM in front of the dot */
        if (!vm_find(name))
            return complain(a, "no VM has the name %s", name);
    }
    if (!args_vm(a, &vm))
        return false;
    if (index >= vm->vcpu_count)
        return complain(a, "vm=%s has %u vCPUs", vm->name, vm->vcpu_count);
    *out = vm->vcpus[index];
    return true;
}
