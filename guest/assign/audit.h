/* SPDX-License-Identifier: MIT */
/*
 * Which functions may be given to a VM.
 * From: guest/life/create.c (the table at boot), guest/assign/assign.c (each time one is given).
 */
#pragma once
#include "guest/core/config.h"
#include "pci/pci.h"

/* Log one line per function: assignable, or the first objection. What may be assigned is prepared,
 * so that giving it later takes no memory that does not come back. */
void audit_print(void);
/* May fn be given to the VM of this name (fn->owner is set)? `unsafe`: which objections the user
 * waives, a bit for each of enum unsafe; each waived objection is logged. -EPERM: refused, the
 * reason is logged. */
MUST_CHECK int audit_allows(const char *vm, const struct pci_function *fn, unsigned unsafe);
