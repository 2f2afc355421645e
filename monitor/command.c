/* SPDX-License-Identifier: MIT */
/*
 * From a line to a command: words, numbers, names. Whatever stands in the line, it is at worst one line
 * of complaint.
 * From: monitor/console.c.   To: the commands, monitor/cmd_*.c.
 */
#include "monitor/command.h"
#include "lib/printf.h"
#include "lib/string.h"

#define COMMAND_ENTRY(name) &command_##name,
static const struct command *const commands[] = {COMMANDS(COMMAND_ENTRY)};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

const char *command_match(const char *text, size_t size, unsigned n)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (strncmp(commands[i]->name, text, size) == 0 && n-- == 0)
            return commands[i]->name;
    return NULL;
}

void complain(const struct args *a, const char *fmt, ...)
{
    char text[160];
    va_list list;
    va_start(list, fmt);
    vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    say("%s: %s", a->command, text);
}

/* False: there are more words than any command takes. */
static bool split(struct args *a, char *line)
{
    while (*line) {
        while (*line == ' ')
            *line++ = '\0';
        if (!*line)
            break;
        if (a->count == ARGS_MAX)
            return false;
        a->words[a->count++] = line;
        while (*line && *line != ' ')
            line++;
    }
    return true;
}

void command_run(char *line)
{
    struct args a = {.command = "monitor"};
    if (!split(&a, line)) {
        complain(&a, "too many words");
        return;
    }
    const char *name = args_word(&a);
    if (!name)
        return;
    const struct command *c = find(name);
    if (!c) {
        say("%s: no such command; help lists them", name);
        return;
    }
    a.command = c->name;
    c->run(&a);
}

char *args_word(struct args *a) { return a->next < a->count ? a->words[a->next++] : NULL; }

bool args_is(struct args *a, const char *word)
{
    if (a->next == a->count || strcmp(a->words[a->next], word) != 0)
        return false;
    a->next++;
    return true;
}

bool text_number(const char *text, uint64_t *out)
{
    return parse_u64(text, strlen(text), out) == 0;
}

bool args_number(struct args *a, const char *what, uint64_t *out)
{
    const char *word = args_word(a);
    if (word && text_number(word, out))
        return true;
    if (word)
        complain(a, "%s: no number: %s", what, word);
    else
        complain(a, "%s is missing; help %s", what, a->command);
    return false;
}

bool args_end(struct args *a)
{
    if (a->next == a->count)
        return true;
    complain(a, "what is %s? help %s", a->words[a->next], a->command);
    return false;
}

static bool is_alive(const struct vm *vm) { return vm->state != VM_NEW && vm->state < VM_ENDED; }

bool args_vm(struct args *a, struct vm **out)
{
    struct vm *named = a->next < a->count ? vm_find(a->words[a->next]) : NULL;
    *out = named ? named : console_vm();
    if (named)
        a->next++;
    if (*out && is_alive(*out))
        return true;
    if (*out)
        complain(a, "vm=%s has ended", (*out)->name);
    else
        complain(a, "no VM runs");
    return false;
}

/* NAME.N: the dot is taken out while the VM is looked for. */
bool args_vcpu(struct args *a, struct vcpu **out)
{
    uint64_t index = 0;
    struct vm *vm;
    char *dot = a->next < a->count ? strchr(a->words[a->next], '.') : NULL;
    if (dot && !text_number(dot + 1, &index))
        dot = NULL;
    if (dot)
        *dot = '\0';
    if (dot && !vm_find(a->words[a->next])) {
        complain(a, "no VM has the name %s", a->words[a->next]);
        return false;
    }
    if (!args_vm(a, &vm))
        return false;
    if (index >= vm->vcpu_count) {
        complain(a, "vm=%s has %u vCPUs", vm->name, vm->vcpu_count);
        return false;
    }
    *out = vm->vcpus[index];
    return true;
}

bool args_bdf(struct args *a, bdf_t *out)
{
    const char *word = args_word(a);
    if (word && parse_bdf(word, out) == 0)
        return true;
    complain(a, word ? "no device: %s (bb:dd.f)" : "a device is missing (bb:dd.f)", word);
    return false;
}

static void run_help(struct args *a)
{
    const char *name = args_word(a);
    const struct command *c = name ? find(name) : NULL;
    if (!args_end(a))
        return;
    if (name && !c) {
        complain(a, "no such command: %s", name);
        return;
    }
    if (c) {
        say("%s %s", c->name, c->usage);
        say("  %s", c->help);
        say("  for example: %s", c->example);
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        say("  %-9s%s", commands[i]->name, commands[i]->help);
    say("help COMMAND says more; Tab completes; Ctrl-A h: the keys of the console");
}

const struct command command_help = {"help", run_help, "[COMMAND]", "what there is to ask",
                                     "help walk"};
