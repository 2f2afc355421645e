/* SPDX-License-Identifier: MIT */
/*
 * The promises of Hamlet, checked in the live tables as the hardware walks them.
 * From: guest/life/create.c (a VM was made), guest/life/run.c (before and after its memory is given
 * back), monitor/cmd/vtd.c.   To: guest/life/check.c.
 */
#pragma once
#include "lib/types.h"

/* Check all VMs. Logs a line for each of the first 8 breaches, and returns how many there are; 0:
 * all promises hold. No VM starts or ends meanwhile. */
unsigned check_all(void);
struct vm;
/* The same for these VMs only: tests/kernel/check.c plants its breaches in VMs of its own. */
unsigned check_vms(struct vm *const *vms, size_t count);
/* A broken promise is a bug of Hamlet: panic with the name of the VM and with `when`. */
void check_or_panic(const struct vm *vm, const char *when);
