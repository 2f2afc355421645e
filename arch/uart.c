/* SPDX-License-Identifier: MIT */
/*
 * The driver of a 16550.
 * From: arch/terminal.c (the console), arch/line.c (a program).   To: arch/io.h.
 * Spec: PC16550D data sheet "Registers".
 */
#include "arch/uart.h"
#include "arch/io.h"
#include "lib/atomic.h"
#include "lib/bits.h"

#define UART_CLOCK  115200                     /* divisor 1 */
#define FCR_ENABLE  (BIT(0) | BIT(1) | BIT(2)) /* both FIFOs on and empty */
#define MCR_DTR_RTS (BIT(0) | BIT(1))
#define IIR_FIFOS   (BIT(6) | BIT(7)) /* both read 1: enabled */
#define FIFO_SIZE   16

/* Registers that are 4 bytes apart have 32 bits: such a chip may ignore an access of a byte. */
static unsigned width(const struct uart *u) { return u->at.spacing == 4 ? 4 : 1; }

static void *in_memory(const struct uart *u, enum uart_reg reg)
{
    return hpa_ptr(hpa(u->at.base + (uint64_t)reg * u->at.spacing));
}

static uint8_t get(const struct uart *u, enum uart_reg reg)
{
    if (u->at.spacing)
        return (uint8_t)mmio_read(in_memory(u, reg), width(u));
    return in8((uint16_t)(u->at.base + reg));
}

static void set(const struct uart *u, enum uart_reg reg, uint8_t v)
{
    if (u->at.spacing)
        mmio_write(in_memory(u, reg), width(u), v);
    else
        out8((uint16_t)(u->at.base + reg), v);
}

/* The scratch register keeps what is written. A place without a device reads as all-ones. */
static bool scratch_keeps(const struct uart *u, uint8_t v)
{
    set(u, UART_SCR, v);
    return get(u, UART_SCR) == v;
}

static void set_speed(const struct uart *u, uint32_t baud)
{
    uint16_t divisor = (uint16_t)MAX(UART_CLOCK / baud, 1u);
    set(u, UART_LCR, UART_LCR_DLAB);
    set(u, UART_DATA, (uint8_t)divisor);
    set(u, UART_IER, (uint8_t)(divisor >> 8));
}

bool uart_open(struct uart *u, struct uart_place at, uint32_t baud)
{
    *u = (struct uart){.at = at};
    if (at.base == 0 || !scratch_keeps(u, 0x5a) || !scratch_keeps(u, 0xa5)) {
        u->at.base = 0;
        return false;
    }
    set(u, UART_LCR, UART_LCR_8N1);
    set(u, UART_IER, 0);
    if (baud)
        set_speed(u, baud);
    set(u, UART_LCR, UART_LCR_8N1);
    set(u, UART_IIR, FCR_ENABLE);
    u->fifo = (get(u, UART_IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_SIZE : 1;
    set(u, UART_MCR, MCR_DTR_RTS);
    (void)get(u, UART_LSR); /* clears an overrun from the time before Hamlet */
    return true;
}

/* Reading it clears the overrun bit: at least one byte found the FIFO full. */
static uint8_t status_of(struct uart *u)
{
    uint8_t status = get(u, UART_LSR);
    if (status & UART_LSR_OVERRUN)
        atomic_fetch_add(&u->lost, 1);
    return status;
}

bool uart_has_room(struct uart *u)
{
    if (u->room == 0 && u->at.base && (status_of(u) & UART_LSR_THR_EMPTY))
        u->room = u->fifo;
    return u->room;
}

size_t uart_send(struct uart *u, const uint8_t *bytes, size_t size)
{
    size_t n = 0;
    for (; n < size && uart_has_room(u); u->room--)
        set(u, UART_DATA, bytes[n++]);
    return n;
}

int uart_take(struct uart *u)
{
    if (u->at.base == 0 || !(status_of(u) & UART_LSR_DATA_READY))
        return -1;
    return get(u, UART_DATA);
}

bool uart_is_idle(const struct uart *u)
{
    return u->at.base == 0 || (get(u, UART_LSR) & UART_LSR_IDLE);
}
