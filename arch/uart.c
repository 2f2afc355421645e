/* SPDX-License-Identifier: MIT */
/*
 * The host's 16550s, polled, without an interrupt. What the console has to send waits in no buffer, so that
 * even a panic can print; a line to a program never makes anybody wait.
 * From: arch/log.c, monitor/console.c; monitor/gdb.c (uart_line).
 * Spec: PC16550D data sheet "Registers".
 */
#include "arch/uart.h"
#include "arch/atomic.h"
#include "arch/bits.h"
#include "arch/io.h"

#define UART_CLOCK  115200                     /* divisor 1 */
#define FCR_ENABLE  (BIT(0) | BIT(1) | BIT(2)) /* both FIFOs on and empty */
#define MCR_DTR_RTS (BIT(0) | BIT(1))
#define IIR_FIFOS   (BIT(6) | BIT(7)) /* both read 1: enabled */
#define FIFO_SIZE   16
#define TYPED_SIZE  4096
#define WAIT_READS  1000000 /* some 1 us each: longer than 16 bytes take at 300 baud */

static uint16_t console_port;
static unsigned fifo_size; /* 1: an 8250, or a 16550 whose FIFO is broken */

/* The scratch register keeps what is written; a port where nothing is reads all-ones. */
static bool scratch_keeps(uint16_t port, uint8_t v)
{
    out8(port + UART_SCR, v);
    return in8(port + UART_SCR) == v;
}

/* 0: nothing answers there; else how many bytes its FIFO takes. */
static unsigned set_up(uint16_t port, uint32_t baud)
{
    if (port == 0 || baud == 0 || !scratch_keeps(port, 0x5a) || !scratch_keeps(port, 0xa5))
        return 0;
    uint16_t divisor = (uint16_t)MAX(UART_CLOCK / baud, 1u);
    out8(port + UART_IER, 0);
    out8(port + UART_LCR, UART_LCR_DLAB);
    out8(port + UART_DATA, (uint8_t)divisor);
    out8(port + UART_IER, (uint8_t)(divisor >> 8));
    out8(port + UART_LCR, UART_LCR_8N1);
    out8(port + UART_IIR, FCR_ENABLE);
    unsigned fifo = (in8(port + UART_IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_SIZE : 1;
    out8(port + UART_MCR, MCR_DTR_RTS);
    return fifo;
}

bool uart_init(uint16_t port, uint32_t baud)
{
    fifo_size = set_up(port, baud);
    console_port = fifo_size ? port : 0;
    return console_port != 0;
}

/* What was typed and not asked for yet. Read while we wait to send, too: sixteen bytes of a FIFO are soon
 * full, and a long report takes a while. Whoever finds it busy leaves the work to the other. */
static struct {
    uint8_t bytes[TYPED_SIZE];
    unsigned head, count;
    uint32_t busy;
} typed;

static void take_typed(void)
{
    while (typed.count < TYPED_SIZE && (in8(console_port + UART_LSR) & UART_LSR_DATA_READY))
        typed.bytes[(typed.head + typed.count++) % TYPED_SIZE] = in8(console_port + UART_DATA);
}

/* A transmitter that never gets empty is broken hardware: we fall silent rather than hang. */
static bool wait_for_room(void)
{
    for (int i = 0; i < WAIT_READS; i++) {
        uint8_t status = in8(console_port + UART_LSR);
        if ((status & UART_LSR_DATA_READY) && !atomic_exchange(&typed.busy, 1)) {
            take_typed();
            atomic_store(&typed.busy, 0);
        }
        if (status & UART_LSR_THR_EMPTY)
            return true;
    }
    console_port = 0;
    return false;
}

static void put(char c)
{
    static unsigned room; /* bytes that surely fit into the FIFO */
    if (room == 0) {
        if (!wait_for_room())
            return;
        room = fifo_size;
    }
    room--;
    out8(console_port + UART_DATA, (uint8_t)c);
}

void uart_write(const char *text, size_t size)
{
    for (size_t i = 0; i < size && console_port != 0; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

void uart_drain(void)
{
    for (int i = 0; i < WAIT_READS && console_port != 0; i++)
        if (in8(console_port + UART_LSR) & UART_LSR_IDLE)
            return;
}

int uart_read(void)
{
    int byte = -1;
    if (console_port == 0 || atomic_exchange(&typed.busy, 1))
        return -1;
    take_typed();
    if (typed.count > 0) {
        byte = typed.bytes[typed.head];
        typed.head = (typed.head + 1) % TYPED_SIZE;
        typed.count--;
    }
    atomic_store(&typed.busy, 0);
    return byte;
}

uint16_t uart_port(void) { return console_port; }

/* --- A line to a program ------------------------------------------------------------------------------ */

bool uart_line_open(struct uart_line *line, uint16_t port, uint32_t baud)
{
    line->fifo = set_up(port, baud);
    line->port = line->fifo ? port : 0;
    return line->port != 0;
}

int uart_line_read(const struct uart_line *line)
{
    bool waits = in8(line->port + UART_LSR) & UART_LSR_DATA_READY;
    return waits ? in8(line->port + UART_DATA) : -1;
}

size_t uart_line_write(const struct uart_line *line, const uint8_t *bytes, size_t size)
{
    size_t n = 0;
    if (in8(line->port + UART_LSR) & UART_LSR_THR_EMPTY)
        for (; n < MIN(size, (size_t)line->fifo); n++)
            out8(line->port + UART_DATA, bytes[n]);
    return n;
}
