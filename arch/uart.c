/* SPDX-License-Identifier: MIT */
/*
 * The host's 16550s, polled, without interrupts. Output of the console waits in no buffer, so that
 * a panic can print. Output to a program never makes a CPU wait.
 * From: arch/log.c, boot/main.c (uart_init), monitor/ (uart_read, uart_line_read), pci/bar.c.
 * To: arch/io.h.
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
#define TYPED_SIZE  16384
#define WAIT_READS  1000000 /* some 1 us each: longer than 16 bytes take at 300 baud */

/* `bytes` is a ring of the input that has not been read. uart_poll() fills it also while put()
 * waits to send, and while a device is reset: more than the 16 bytes of the FIFO may arrive then.
 */
static struct uart {
    uint16_t port; /* 0: none */
    unsigned fifo; /* bytes; 1: an 8250, or a 16550 whose FIFO is broken */
    uint8_t bytes[TYPED_SIZE];
    unsigned head, count, lost;
    uint32_t busy; /* 1: a CPU works on the ring; another CPU then returns at once */
} console, line;

/* The scratch register keeps what is written. A port without a device reads as all-ones. */
static bool scratch_keeps(uint16_t port, uint8_t v)
{
    out8(port + UART_SCR, v);
    return in8(port + UART_SCR) == v;
}

static bool open(struct uart *u, uint16_t port, uint32_t baud)
{
    u->port = 0;
    if (port == 0 || baud == 0 || !scratch_keeps(port, 0x5a) || !scratch_keeps(port, 0xa5))
        return false;
    uint16_t divisor = (uint16_t)MAX(UART_CLOCK / baud, 1u);
    out8(port + UART_IER, 0);
    out8(port + UART_LCR, UART_LCR_DLAB);
    out8(port + UART_DATA, (uint8_t)divisor);
    out8(port + UART_IER, (uint8_t)(divisor >> 8));
    out8(port + UART_LCR, UART_LCR_8N1);
    out8(port + UART_IIR, FCR_ENABLE);
    u->fifo = (in8(port + UART_IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_SIZE : 1;
    out8(port + UART_MCR, MCR_DTR_RTS);
    (void)in8(port + UART_LSR); /* clears an overrun from the time before Hamlet */
    u->port = port;
    return true;
}

bool uart_init(uint16_t port, uint32_t baud) { return open(&console, port, baud); }

/* Reading it clears the overrun bit: at least one byte found the FIFO full. */
static uint8_t status_of(struct uart *u)
{
    uint8_t status = in8(u->port + UART_LSR);
    if (status & UART_LSR_OVERRUN)
        atomic_fetch_add(&u->lost, 1);
    return status;
}

static uint8_t *byte_at(struct uart *u, unsigned n)
{
    return &u->bytes[(u->head + n) % TYPED_SIZE];
}

/* Fetch at most a FIFO's worth, so that a port that is gone, and reads as ones, does not hold the
 * CPU. In a full ring a new byte replaces the last but one. The last two are thus the newest: an
 * escape and its key, typed to leave a guest that does not read, still arrive. */
static void fetch(struct uart *u)
{
    if (u->port == 0 || !(status_of(u) & UART_LSR_DATA_READY) || atomic_exchange(&u->busy, 1))
        return;
    for (unsigned n = 0; n < FIFO_SIZE && (status_of(u) & UART_LSR_DATA_READY); n++) {
        if (u->count == TYPED_SIZE) {
            *byte_at(u, TYPED_SIZE - 2) = *byte_at(u, TYPED_SIZE - 1);
            u->count--;
            atomic_fetch_add(&u->lost, 1);
        }
        *byte_at(u, u->count++) = in8(u->port + UART_DATA);
    }
    atomic_store(&u->busy, 0);
}

static int next(struct uart *u)
{
    int byte = -1;
    fetch(u);
    if (atomic_exchange(&u->busy, 1))
        return -1;
    if (u->count > 0) {
        byte = *byte_at(u, 0);
        u->head = (u->head + 1) % TYPED_SIZE;
        u->count--;
    }
    atomic_store(&u->busy, 0);
    return byte;
}

void uart_poll(void)
{
    fetch(&console);
    fetch(&line);
}

/* A transmitter that never gets empty is broken: Hamlet then stops printing, rather than hang. */
static bool wait_for_room(void)
{
    for (int i = 0; i < WAIT_READS; i++) {
        uart_poll();
        if (status_of(&console) & UART_LSR_THR_EMPTY)
            return true;
    }
    console.port = 0;
    return false;
}

static void put(char c)
{
    static unsigned room; /* so many bytes fit into the FIFO without another look at LSR */
    if (room == 0) {
        if (!wait_for_room())
            return;
        room = console.fifo;
    }
    room--;
    out8(console.port + UART_DATA, (uint8_t)c);
}

void uart_write(const char *text, size_t size)
{
    for (size_t i = 0; i < size && console.port != 0; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

void uart_drain(void)
{
    for (int i = 0; i < WAIT_READS && console.port != 0; i++)
        if (in8(console.port + UART_LSR) & UART_LSR_IDLE)
            return;
}

int uart_read(void) { return next(&console); }

int uart_read_escaped(uint8_t escape)
{
    struct uart *u = &console;
    int key = -1;
    fetch(u);
    if (atomic_exchange(&u->busy, 1))
        return -1;
    for (unsigned i = 0; i + 1 < u->count && key < 0; i++) {
        if (*byte_at(u, i) != escape || *byte_at(u, ++i) == escape)
            continue;
        key = *byte_at(u, i);
        atomic_fetch_add(&u->lost, i - 1); /* no guest reads those before the escape */
        u->head = (u->head + i + 1) % TYPED_SIZE;
        u->count -= i + 1;
    }
    atomic_store(&u->busy, 0);
    return key;
}

unsigned uart_lost(void) { return atomic_exchange(&console.lost, 0); }

uint16_t uart_port(void) { return console.port; }

/* --- A line to a program ---------------------------------------------------------------------- */

bool uart_line_open(uint16_t port, uint32_t baud) { return open(&line, port, baud); }

uint16_t uart_line_port(void) { return line.port; }

int uart_line_read(void) { return next(&line); }

size_t uart_line_write(const uint8_t *bytes, size_t size)
{
    size_t n = 0;
    if (status_of(&line) & UART_LSR_THR_EMPTY)
        for (; n < MIN(size, (size_t)line.fifo); n++)
            out8(line.port + UART_DATA, bytes[n]);
    return n;
}
