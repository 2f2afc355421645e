/* SPDX-License-Identifier: MIT */
/*
 * A 16550 of the host, polled, without interrupts: at an I/O port, or in memory with its registers
 * some bytes apart. No call waits.
 * From: arch/terminal.c (the console), arch/line.c (a program).   To: arch/uart.c.
 * Spec: PC16550D data sheet "Registers".
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
#define UART_REGISTERS      8
#define UART_LSR_DATA_READY BIT(0)
#define UART_LSR_OVERRUN    BIT(1)
#define UART_LSR_THR_EMPTY  BIT(5)
#define UART_LSR_IDLE       BIT(6)
#define UART_LCR_8N1        0x03
#define UART_LCR_DLAB       BIT(7)

/* Where the registers are. */
struct uart_place {
    uint64_t base;   /* I/O port, or host-physical address that is mapped; 0: no UART */
    uint8_t spacing; /* 0: I/O ports; 1, 2, 4: memory, bytes from a register to the next */
};

struct uart {
    struct uart_place at;
    unsigned fifo; /* bytes; 1: an 8250, or a 16550 whose FIFO is broken */
    unsigned room; /* so many bytes fit into the FIFO without another look at LSR */
    unsigned lost; /* bytes of input that found the FIFO full, at least */
};

/* Probe and set up the UART there, at `baud`; 0: at the speed that the firmware set. False: nothing
 * answers, and *u is no UART, for which all functions do nothing. */
bool uart_open(struct uart *u, struct uart_place at, uint32_t baud);
bool uart_has_room(struct uart *u); /* for a byte at least */
/* Give it as many bytes as it takes at once. Returns how many. */
size_t uart_send(struct uart *u, const uint8_t *bytes, size_t size);
int uart_take(struct uart *u);           /* a byte that has arrived; -1: none */
bool uart_is_idle(const struct uart *u); /* the last byte is on the wire */
