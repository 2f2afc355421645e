/* SPDX-License-Identifier: MIT */
/*
 * The terminal of a person: a serial port, and the PC's own screen and keyboard, as far as they are
 * there. All that is printed is kept in memory, too; a part of the terminal that is found late
 * shows what was printed before. Without any part text is kept only, and no call hangs.
 * From: arch/log.c (output), boot/ (what to open), monitor/ (input).   To: arch/terminal.c.
 */
#pragma once
#include "arch/boot_info.h"
#include "arch/uart.h"

/* The console goes to that UART, and to no other from now on. False: none answers, and nothing
 * changes. */
bool terminal_open_serial(struct uart_place at, uint32_t baud);
/* Draw on this screen, and read the PS/2 keyboard. False: this form of screen is not known. */
bool terminal_open_screen(const struct boot_screen *screen);
bool terminal_screen_is_in(hpa_t base, uint64_t size); /* its memory lies in that range */
void terminal_close_screen(void);                      /* its device is a guest's from now on */
/* boot/ has read console=, and opens what it names. A panic before that takes COM1, if that is
 * there. */
void terminal_chosen(void);
void terminal_for_panic(void);
bool terminal_has_serial(void);
bool terminal_has_screen(void);
struct uart_place terminal_serial(void); /* base 0: none */

void terminal_write(const char *text, size_t size); /* a serial port gets \r before \n */
void terminal_drain(void);                          /* wait until the last byte is on the wire */

int terminal_read(void);  /* a byte, or -1 if none waits */
void terminal_poll(void); /* keep what has arrived, for terminal_read() */
/* The key behind the first waiting `escape`, as typed_read_escaped(). */
int terminal_read_escaped(uint8_t escape);
unsigned terminal_lost(void); /* bytes of input lost since the last call, or more */
