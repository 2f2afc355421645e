/* SPDX-License-Identifier: MIT */
/*
 * The host's serial console, a 16550 at an I/O port, polled; and a second 16550, to a program. On a
 * machine without them writes are dropped, and no call hangs.
 * To: arch/uart.c.
 * Spec: PC16550D data sheet.
 */
#pragma once
#include "lib/types.h"

enum uart_reg {
    UART_DATA = 0, /* RBR / THR; DLL while LCR.DLAB */
    UART_IER = 1,  /* DLM while LCR.DLAB */
    UART_IIR = 2,  /* read; write: FCR */
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
};
#define UART_LSR_DATA_READY BIT(0)
#define UART_LSR_OVERRUN    BIT(1)
#define UART_LSR_THR_EMPTY  BIT(5)
#define UART_LSR_IDLE       BIT(6)
#define UART_LCR_8N1        0x03
#define UART_LCR_DLAB       BIT(7)

/* Probe and set up the 16550 at `port` (0: none) at `baud`. False: nothing answers there. */
bool uart_init(uint16_t port, uint32_t baud);
void uart_write(const char *text, size_t size); /* \n becomes \r\n */
void uart_drain(void);                          /* wait until the last byte is on the wire */
int uart_read(void);                            /* a byte, or -1 if none waits */
void uart_poll(void); /* keep what has arrived, for uart_read() and uart_line_read() */
/* Take the key behind the first waiting `escape`; two escapes are one byte of input, and no escape.
 * The input before it is lost, and counted. -1: there is none, and all input stays. */
int uart_read_escaped(uint8_t escape);
unsigned uart_lost(void); /* bytes of input lost since the last call, or more */
uint16_t uart_port(void); /* 0: none */

/* A line to a program, such as a debugger. No call waits for the program. */
bool uart_line_open(uint16_t port, uint32_t baud); /* false: nothing answers there */
uint16_t uart_line_port(void);                     /* 0: none */
int uart_line_read(void);                          /* a byte, or -1 if none waits */
/* Write as many bytes as the FIFO takes at once, none while it is not empty. Returns how many. */
size_t uart_line_write(const uint8_t *bytes, size_t size);
