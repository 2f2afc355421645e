/* SPDX-License-Identifier: MIT */
/*
 * Which functions may be given to a VM.
 * From: guest/life/create.c (the table at boot), guest/assign/assign.c (each time one is given).
 */
#pragma once
#include "guest/core/config.h"
#include "pci/pci.h"

/* One line per function: assignable, or the first reason why not. */
void audit_print(void);
/* May fn be given to its owner (fn->owner is set)? `unsafe`: objections waived, bits by enum unsafe, each
 * said in a line. -EPERM: refused, the reason is logged. */
MUST_CHECK int audit_allows(const char *vm, const struct pci_function *fn, unsigned unsafe);
