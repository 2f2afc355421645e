/* SPDX-License-Identifier: MIT */
/*
 * Every control of VMX that Hamlet wants or does not want, with the reason.
 * Private to vmx/.
 * From: vmx/caps.c (builds the control words).   To: vmx/controls.c.
 */
#pragma once
#include "vmx/caps.h"

/* The control must be 1, must be 0, or is 1 if the CPU has it. */
enum want { WANT_1, WANT_0, IF_THERE };

struct control {
    enum control_word word;
    enum want want;
    uint32_t bit;
    const char *name; /* in the manual */
    const char *why;
};
extern const struct control controls[]; /* behind the last: name NULL */
