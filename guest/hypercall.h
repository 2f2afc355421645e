/* SPDX-License-Identifier: MIT */
/*
 * What a guest may ask Hamlet for, by VMCALL in ring 0: number in RAX, arguments in RBX, RCX, RDX, the
 * answer in RAX. Everything else is as it was. Shared with guest programs.
 * From: guest/programs/.   To: guest/hypercall.c.
 */
#pragma once
#include <stdint.h>

enum hypercall {
    HC_NOTHING = 0,    /* comes back with 0: what a VMCALL costs */
    HC_EXIT_COUNT = 1, /* RBX: basic exit reason; exits of this vCPU so far, this one not yet in */
    HC_EXIT_TOTAL = 2, /* of all reasons */
    HC_POSTED = 3,     /* interrupts of assigned devices that came through Hamlet for this VM */
};
#define HC_UNKNOWN UINT64_MAX /* answer to every other number */
