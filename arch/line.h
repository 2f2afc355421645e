/* SPDX-License-Identifier: MIT */
/*
 * A serial line to a program, such as a debugger. No call waits for the program.
 * From: monitor/gdb/gdb.c, arch/task.c (line_poll).   To: arch/line.c.
 */
#pragma once
#include "lib/types.h"

bool line_open(uint16_t port, uint32_t baud); /* false: no UART answers there */
uint16_t line_port(void);                     /* 0: none */
int line_read(void);                          /* a byte, or -1 if none waits */
/* Write as many bytes as the FIFO takes at once. Returns how many. */
size_t line_write(const uint8_t *bytes, size_t size);
void line_poll(void); /* keep what has arrived, for line_read() */
