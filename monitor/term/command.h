/* SPDX-License-Identifier: MIT */
/*
 * A typed line becomes a command.
 * From: monitor/term/console.c.   To: monitor/term/command.c (the table).
 */
#pragma once
#include <stddef.h>

/* Split the line in place, and run the command that it begins with. */
void command_run(char *line);
/* Names that begin with [text, text + size): from the n-th on; NULL: no more. */
const char *command_match(const char *text, size_t size, unsigned n);
