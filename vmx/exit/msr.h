/* SPDX-License-Identifier: MIT */
/*
 * The MSRs that a guest reaches without an exit.
 * From: guest/life/create.c (a VM's bitmaps are made).   To: vmx/exit/msr.c.
 */
#pragma once
#include "vmx/bitmaps.h"

/* Let every MSR pass whose row says so. */
void msr_open_bitmap(struct bitmaps *b);
