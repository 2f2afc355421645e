/* SPDX-License-Identifier: MIT */
/*
 * The PC's screen, as GRUB leaves it, drawn as a terminal: text mode, or a frame of pixels.
 * From: arch/terminal.c.   To: arch/screen.c.
 * Spec: Multiboot2 "Boot information format"; ECMA-48 "Control functions".
 */
#pragma once
#include "arch/boot_info.h"

/* Clear the screen and draw on it. Its memory must be mapped. False: there is none, or its form is
 * not known; nothing changes. */
bool screen_open(const struct boot_screen *s);
void screen_close(void);
bool screen_is_open(void);
bool screen_is_in(hpa_t base, uint64_t size); /* the screen's memory lies in that range */
/* Text with \n, \r, \b and some sequences of a VT100: erase to the end of the line; erase to the
 * end of the screen, or all of it; go to a row and a column; keep that place, and return to it; the
 * row from which on lines scroll. Others are ignored. */
void screen_write(const char *text, size_t size);
