/* SPDX-License-Identifier: MIT */
/*
 * The PC's own keyboard, polled: keys as the bytes that a terminal sends.
 * From: arch/terminal.c.   To: arch/keyboard.c.
 */
#pragma once

int keyboard_take(void); /* a byte; -1: no key was pressed, or there is no keyboard */
