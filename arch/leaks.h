/* SPDX-License-Identifier: MIT */
/*
 * Ways in which a CPU leaks data of one program to another by its caches and buffers.
 * From: monitor/cmd/machine.c.   To: arch/leaks.c.
 */
#pragma once
#include "lib/types.h"

/* The n-th known leak, from 0 on, and whether this CPU has it, as far as it can be known: a CPU
 * that does not report that it is safe counts as leaking. False: no more. */
bool leaks_known(unsigned n, const char **name, bool *here);
