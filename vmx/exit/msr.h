/* SPDX-License-Identifier: MIT */
/*
 * The MSRs that a guest reaches without an exit.
 * From: guest/life/create.c (a VM's bitmaps are made).   To: vmx/exit/msr.c.
 */
#pragma once
#include "vmx/bitmaps.h"

/* Let the MSRs pass whose row in vmx/exit/msr.c is PASSES or READ_PASSES. */
void msr_open_bitmap(struct bitmaps *b);
