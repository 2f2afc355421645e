/* SPDX-License-Identifier: MIT */
/*
 * The serial line to a program.
 * From: monitor/gdb/gdb.c, arch/task.c (line_poll).   To: arch/uart.c, arch/typed.c.
 */
#include "arch/line.h"
#include "arch/typed.h"
#include "arch/uart.h"

static struct uart uart;
static struct typed typed;

static int arrived(void) { return uart_take(&uart); }

bool line_open(uint16_t port, uint32_t baud)
{
    return uart_open(&uart, (struct uart_place){.base = port}, baud);
}

uint16_t line_port(void) { return (uint16_t)uart.at.base; }

void line_poll(void) { typed_fetch(&typed, arrived); }

int line_read(void)
{
    line_poll();
    return typed_read(&typed);
}

size_t line_write(const uint8_t *bytes, size_t size) { return uart_send(&uart, bytes, size); }
