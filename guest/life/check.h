/* SPDX-License-Identifier: MIT */
/*
 * The promises of Hamlet, looked up in the live tables and not in what we believe that we wrote.
 * From: guest/assign/assign.c (after each assign and unassign), monitor/.   To: vmx/ept.c, vtd/sspt.c, vtd/intremap.c.
 */
#pragma once
#include "lib/types.h"

/* Walk everything; one line per breach, at most 8. Returns how many there are, 0: all promises hold. */
unsigned check_all(void);
/* The same with these VMs instead of all that there are: the test plants its breaches there. */
struct vm;
unsigned check_vms(struct vm *const *vms, size_t count);
/* A broken promise is a bug of Hamlet: panic, naming the VM and the moment. */
void check_or_panic(const struct vm *vm, const char *when);
