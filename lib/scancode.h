/* SPDX-License-Identifier: MIT */
/*
 * Keys of a PC's keyboard by their scan codes of set 1, with the letters of a US keyboard. Hamlet
 * is on both sides: arch/keyboard.c reads the PC's keyboard, guest/pc/legacy/keyboard.c plays one.
 * Spec: IBM PS/2 Hardware Interface Technical Reference "Keyboard and Auxiliary Device Controller".
 */
#pragma once
#include "lib/bits.h"

#define SCANCODE_CTRL        0x1d
#define SCANCODE_SHIFT       0x2a
#define SCANCODE_SHIFT_RIGHT 0x36
#define SCANCODE_RELEASED    BIT(7)
#define SCANCODE_EXTENDED    0xe0 /* in front of a key that the first keyboards did not have */

/* By scan code; 0: no letter. */
static const char scancode_plain[] =
    "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char scancode_shifted[] =
    "\0\0!@#$%^&*()_+\0\0QWERTYUIOP{}\0\0ASDFGHJKL:\"~\0|ZXCVBNM<>?";
