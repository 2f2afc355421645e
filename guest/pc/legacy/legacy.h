/* SPDX-License-Identifier: MIT */
/*
 * The legacy PC: the chips that a kernel of the classic kind programs. A VM has them if the user or
 * the format of its kernel wants them (legacy=). A guest that leaves them alone pays no exit for
 * them: what it writes to the screen is plain memory.
 * From: guest/life/ (made, reset, visited once a tick, destroyed), monitor/cmd/screen.c,
 * monitor/term/console.c (legacy_draw).
 * To: guest/pc/legacy/legacy.c (ports and lines), screen.c, draw.c, mptable.c.
 */
#pragma once
#include "guest/core/vm.h"

#define SCREEN_ROWS    25
#define SCREEN_COLUMNS 80

/* Has this VM a legacy PC? By legacy=, or by what its loader has found. */
bool legacy_wanted(const struct vm *vm);
/* What firmware leaves for it in the VM's memory: an MP table and a blank screen. */
void legacy_tables(const struct vm *vm, uint8_t *ram);
/* The chips; or, without them, what tells of a guest that waits for one. After the local APICs, the
 * I/O APIC and the clock. -ENOMEM, -ENOSPC. */
MUST_CHECK int legacy_create(struct vm *vm);
void legacy_destroy(struct vm *vm);
void legacy_reset(struct vm *vm); /* as at power-on, while the VM is still */
/* Once a tick, on the bootstrap processor: what has changed on the screen goes to the console.
 * `last`: at the VM's end. */
void legacy_poll(struct vm *vm, bool last);

/* A row of the screen, without the blanks at its end; letters beyond ASCII become similar ones.
 * Returns its length, 0 for a VM without a screen. */
size_t legacy_row(const struct vm *vm, unsigned row, char text[SCREEN_COLUMNS + 1]);
/* Whose screen the console draws at its top, as it changes, instead of lines; NULL, or a VM without
 * one: no screen. Bootstrap processor. */
void legacy_draw(const struct vm *vm);
