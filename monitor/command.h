/* SPDX-License-Identifier: MIT */
/*
 * Inside monitor/: what a command is, how it takes its words apart, and how it answers.
 * A command never changes a VM unless changing is its purpose; whatever it is given, it answers with a
 * line. Lines of the monitor have no name in front; those of the guests and of the log do.
 * From: the files of monitor/ only.   To: monitor/command.c (the table), cmd_*.c.
 */
#pragma once
#include "lib/bits.h"
#include "arch/log.h"
#include "guest/core/vm.h"

#define ARGS_MAX 16

/* The words behind the command; next: the first that was not taken yet. */
struct args {
    const char *command;
    char *words[ARGS_MAX];
    unsigned count, next;
};

struct command {
    const char *name;
    void (*run)(struct args *a);
    const char *usage, *help, *example;
};

/* A line of an answer. */
#define say(...) console_line(__VA_ARGS__)
/* What is wrong with the words: one line that begins with the command. */
void complain(const struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Split the line in place and run what it says. */
void command_run(char *line);
/* Names that begin with [text, text + size): from the n-th on; NULL: no more. */
const char *command_match(const char *text, size_t size, unsigned n);

/* The next word, NULL: there is none. */
char *args_word(struct args *a);
/* True, and the word is taken: the next one is `word`. */
bool args_is(struct args *a, const char *word);
/* The next word as a number, in hex with 0x, K M G behind; symbols are not numbers. False: complained. */
bool args_number(struct args *a, const char *what, uint64_t *out);
bool args_end(struct args *a); /* no word is left; false: complained */
/* A VM by name, or else that whose console is in focus; false: complained. With its tables still there. */
bool args_vm(struct args *a, struct vm **out);
/* VM, and a vCPU as NAME.N; without a number the first. */
bool args_vcpu(struct args *a, struct vcpu **out);
/* bb:dd.f; false: complained. */
bool args_bdf(struct args *a, bdf_t *out);
bool text_number(const char *text, uint64_t *out);

/* console.c: whose console is in focus; NULL: no VM runs. */
struct vm *console_vm(void);
void console_power_off(void);

/* The commands. */
#define COMMANDS(F)                                                                                \
    F(help)                                                                                        \
    F(vm)                                                                                          \
    F(vcpu)                                                                                        \
    F(exits)                                                                                       \
    F(x)                                                                                           \
    F(walk)                                                                                        \
    F(tlb)                                                                                         \
    F(map)                                                                                         \
    F(mem)                                                                                         \
    F(pci)                                                                                         \
    F(assign)                                                                                      \
    F(unassign)                                                                                    \
    F(audit)                                                                                       \
    F(vtd)                                                                                         \
    F(irq)                                                                                         \
    F(pid)                                                                                         \
    F(check)                                                                                       \
    F(inject)                                                                                      \
    F(gdb)                                                                                         \
    F(explain) F(trace) F(log) F(cpu) F(reboot)
#define COMMAND_DECLARE(name) extern const struct command command_##name;
COMMANDS(COMMAND_DECLARE)
