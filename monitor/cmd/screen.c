/* SPDX-License-Identifier: MIT */
/*
 * screen: what a guest shows on its text screen, as it is now.
 * From: monitor/term/command.c.   To: guest/pc/legacy/screen.c (legacy_row).
 */
#include "guest/pc/legacy/legacy.h"
#include "monitor/cmd/commands.h"

void cmd_screen(struct args *a)
{
    struct vm *vm;
    char text[SCREEN_COLUMNS + 1];
    unsigned last = 0;
    if (!args_vm(a, &vm) || !args_end(a))
        return;
    for (unsigned row = 0; row < SCREEN_ROWS; row++)
        if (legacy_row(vm, row, text))
            last = row + 1;
    for (unsigned row = 0; row < last; row++) {
        legacy_row(vm, row, text);
        say("|%s", text);
    }
    if (!last)
        say("vm=%s shows nothing: its screen is blank, or it has none (legacy=off)", vm->name);
}
