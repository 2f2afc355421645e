/* SPDX-License-Identifier: MIT */
/*
 * The guest's serial port, a 16550 at 0x3F8 that is always ready. Its output appears line by line,
 * each line with the name of the VM in front. Input for the VM waits here until the guest polls the
 * port or takes the interrupt.
 * From: guest/core/bus.c (through read and write), monitor/term/console.c (vuart_type),
 * guest/life/run.c (vuart_poll).
 * To: arch/log.c (console_line, console_piece), guest/pc/vioapic.c (vioapic_line).
 * Hot: guests print with one exit per character.
 * Spec: PC16550D data sheet.   Not handled: modem lines, real speed, errors.
 */
#include "guest/pc/pc.h"
#include "arch/page.h"
#include "arch/uart.h"
#include "guest/core/bus.h"
#include "guest/load/vacpi.h"
#include "guest/pc/vioapic.h"
#include "lib/string.h"
#define LOG "vm"
#include "arch/log.h"

#define VUART_PORT     0x3f8
#define VUART_SIZE     8
#define VUART_IER_RX   BIT(0)
#define VUART_IER_TX   BIT(1)
#define VUART_IER_ALL  BITS(3, 0)
#define VUART_IIR      BIT(0) /* no interrupt is pending */
#define VUART_IIR_TX   BIT(1)
#define VUART_IIR_RX   BIT(2)
#define VUART_IIR_64   BITS(7, 6) /* FIFOs are on */
#define VUART_FCR_ON   BIT(0)
#define VUART_FCR_RX   BIT(1) /* empty the receiver's */
#define VUART_MCR_ALL  BITS(4, 0)
#define VUART_MCR_LOOP BIT(4)
#define VUART_MSR      0xb0 /* carrier, ready and clear to send */
#define VUART_IDLE     16   /* polls for input after which an unfinished line is shown */
#define VUART_REST     100  /* ticks, likewise, if the guest waits by an interrupt */
#define VUART_LINE     200
#define VUART_INPUT    2048
#define VUART_FIFO     16 /* bytes; one without FCR_ON */

struct vuart {
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    bool tx_empty; /* "transmitter empty" is pending, an interrupt if IER enables it */
    bool asserted; /* state of the line at the I/O APIC */
    enum { PLAIN, ESCAPE, SEQUENCE } escape;
    unsigned idle, rest;
    /* The monitor writes and moves `typed`, the guest reads and moves `taken`: no lock. */
    unsigned typed, taken;
    uint8_t input[VUART_INPUT];
    uint8_t looped[VUART_FIFO], loop_put, loop_taken; /* sent in loop mode, not read yet */
    bool shown;    /* the beginning of the line is on the console already, as a prompt */
    uint32_t turn; /* of that beginning: console_piece() */
    size_t used;
    char line[VUART_LINE];
};

/* Show the line so far, without an end: the guest waits for an answer. */
static void show_prompt(struct vm *vm, struct vuart *u)
{
    if (u->used == 0)
        return;
    u->line[u->used] = '\0';
    u->used = 0;
    if (vm_hooks.keep && vm_hooks.keep(vm, u->line, false))
        return;
    console_piece(&u->turn, vm->name, u->line, false);
    u->shown = true;
}

static void end_line(struct vm *vm, struct vuart *u)
{
    u->line[u->used] = '\0';
    bool kept = vm_hooks.keep && vm_hooks.keep(vm, u->line, true);
    if (!kept && u->shown)
        console_piece(&u->turn, vm->name, u->line, true);
    else if (!kept)
        console_line("%s| %s", vm->name, u->line);
    u->shown = false;
    u->used = 0;
}

/* ESC, or ESC [ and parameters up to a letter (ECMA-48 "Control sequences"). */
static bool in_escape_sequence(struct vuart *u, uint8_t byte)
{
    if (byte == 0x1b)
        u->escape = ESCAPE;
    else if (u->escape == ESCAPE && byte == '[')
        u->escape = SEQUENCE;
    else if (u->escape == ESCAPE || (u->escape == SEQUENCE && byte >= '@'))
        u->escape = PLAIN;
    else
        return u->escape != PLAIN;
    return true;
}

/* Bytes that move the cursor are dropped: no guest overwrites the lines of another, or Hamlet's. */
static void send(struct vm *vm, struct vuart *u, uint8_t byte)
{
    if (in_escape_sequence(u, byte))
        return;
    if (byte == '\n') {
        end_line(vm, u);
        return;
    }
    if ((byte < ' ' && byte != '\t') || byte == 0x7f)
        return;
    u->rest = 0;
    u->line[u->used++] = (char)byte;
    if (u->used == VUART_LINE - 1)
        end_line(vm, u);
}

/* What came back in loop mode is read first. In that mode nothing comes from outside. */
static bool has_looped(const struct vuart *u) { return u->loop_put != u->loop_taken; }
static bool has_input(const struct vuart *u)
{
    return has_looped(u) || (!(u->mcr & VUART_MCR_LOOP) && atomic_load(&u->typed) != u->taken);
}

/* A byte that finds no room is lost, as by an overrun. */
static void loop_back(struct vuart *u, uint8_t byte)
{
    if ((uint8_t)(u->loop_put - u->loop_taken) < ((u->fcr & VUART_FCR_ON) ? VUART_FIFO : 1))
        u->looped[u->loop_put++ % VUART_FIFO] = byte;
}

/* A guest that polls for input VUART_IDLE times has written a prompt: show its unfinished line. */
static bool input_waits(struct vm *vm, struct vuart *u)
{
    bool waits = has_input(u);
    if (waits)
        u->idle = 0;
    else if (u->idle < VUART_IDLE && ++u->idle == VUART_IDLE)
        show_prompt(vm, u);
    return waits;
}

/* The cause of the interrupt, the more urgent one first; 0: none is pending. */
static uint8_t interrupt_id(const struct vuart *u)
{
    if ((u->ier & VUART_IER_RX) && has_input(u))
        return VUART_IIR_RX;
    return (u->ier & VUART_IER_TX) && u->tx_empty ? VUART_IIR_TX : 0;
}

/* Tell the I/O APIC of a change only: nearly every access leaves the line unchanged. A PC connects
 * the line by OUT2 of MCR; here it always is, as in QEMU, on which many a kernel was tested. */
static void update_line(struct vm *vm, struct vuart *u)
{
    bool asserted = interrupt_id(u);
    if (asserted == u->asserted || !vm->ioapic)
        return;
    u->asserted = asserted;
    vioapic_line(vm->ioapic, VACPI_UART_PIN, asserted);
}

/* A read of IIR acknowledges "transmitter empty". */
static uint8_t identify(struct vm *vm, struct vuart *u)
{
    uint8_t id = interrupt_id(u);
    if (id == VUART_IIR_TX)
        u->tx_empty = false;
    update_line(vm, u);
    return (id ? id : VUART_IIR) | ((u->fcr & VUART_FCR_ON) ? VUART_IIR_64 : 0);
}

/* In loop mode the four modem inputs are the port's own outputs: RTS, DTR, OUT1, OUT2. */
static uint8_t modem_status(const struct vuart *u)
{
    if (!(u->mcr & VUART_MCR_LOOP))
        return VUART_MSR;
    return (uint8_t)(FIELD_SET(BIT(4), FIELD_GET(BIT(1), u->mcr)) |
                     FIELD_SET(BIT(5), FIELD_GET(BIT(0), u->mcr)) |
                     FIELD_SET(BITS(7, 6), FIELD_GET(BITS(3, 2), u->mcr)));
}

/* A driver that disables the transmitter's interrupt, but waits for input, has sent its prompt. */
static void write_ier(struct vm *vm, struct vuart *u, uint8_t value)
{
    bool had_tx = u->ier & VUART_IER_TX;
    u->ier = value & VUART_IER_ALL;
    if (u->ier & VUART_IER_TX)
        u->tx_empty = u->tx_empty || !had_tx;
    else if (had_tx && (u->ier & VUART_IER_RX))
        show_prompt(vm, u);
}

static uint8_t receive(struct vm *vm, struct vuart *u)
{
    if (!input_waits(vm, u))
        return 0;
    bool looped = has_looped(u);
    uint8_t byte =
        looped ? u->looped[u->loop_taken % VUART_FIFO] : u->input[u->taken % VUART_INPUT];
    if (looped)
        u->loop_taken++;
    else
        atomic_store(&u->taken, u->taken + 1);
    update_line(vm, u);
    return byte;
}

/* A guest that waits for input at this port gets it here; else a keyboard may take it. */
static enum vm_keys keys(struct vm *vm, const struct vuart *u, int byte)
{
    bool ours = !u || (u->ier & VUART_IER_RX) || u->idle == VUART_IDLE || !vm->wires.keys;
    return ours ? VM_KEYS_NONE : vm->wires.keys(vm, byte);
}

bool vuart_has_room(struct vm *vm)
{
    const struct vuart *u = vm->uart;
    enum vm_keys taken = keys(vm, u, -1);
    if (taken != VM_KEYS_NONE)
        return taken == VM_KEYS_TAKEN;
    return u && u->typed - atomic_load(&u->taken) < VUART_INPUT;
}

COLD void vuart_type(struct vm *vm, uint8_t byte)
{
    struct vuart *u = vm->uart;
    if (keys(vm, u, byte) != VM_KEYS_NONE)
        return;
    u->input[u->typed % VUART_INPUT] = byte;
    atomic_store(&u->typed, u->typed + 1);
    spin_lock(&vm->lock);
    update_line(vm, u);
    spin_unlock(&vm->lock);
}

void vuart_poll(struct vm *vm)
{
    struct vuart *u = vm->uart;
    if (!(u->ier & VUART_IER_RX) || u->used == 0)
        return;
    spin_lock(&vm->lock);
    if (++u->rest == VUART_REST)
        show_prompt(vm, u);
    spin_unlock(&vm->lock);
}

static uint8_t port_read(struct vm *vm, struct vuart *u, unsigned reg)
{
    bool divisor = u->lcr & UART_LCR_DLAB;
    switch (reg) {
    case UART_DATA:
        return divisor ? u->dll : receive(vm, u);
    case UART_IER:
        return divisor ? u->dlm : u->ier;
    case UART_IIR:
        return identify(vm, u);
    case UART_LCR:
        return u->lcr;
    case UART_MCR:
        return u->mcr;
    case UART_LSR:
        return UART_LSR_THR_EMPTY | UART_LSR_IDLE | (input_waits(vm, u) ? UART_LSR_DATA_READY : 0);
    case UART_MSR:
        return modem_status(u);
    default:
        return u->scr;
    }
}

/* The status registers are read-only. */
static void port_write(struct vm *vm, struct vuart *u, unsigned reg, uint8_t value)
{
    bool divisor = u->lcr & UART_LCR_DLAB;
    if (reg == UART_DATA && !divisor) {
        if (u->mcr & VUART_MCR_LOOP)
            loop_back(u, value);
        else
            send(vm, u, value);
        u->tx_empty = true;
    } else if (reg == UART_DATA) {
        u->dll = value;
    } else if (reg == UART_IER && !divisor) {
        write_ier(vm, u, value);
    } else if (reg == UART_IER) {
        u->dlm = value;
    } else if (reg == UART_IIR) {
        u->fcr = value;
        if (value & VUART_FCR_RX)
            u->loop_taken = u->loop_put;
    } else if (reg == UART_LCR) {
        u->lcr = value;
    } else if (reg == UART_MCR) {
        u->mcr = value & VUART_MCR_ALL;
    } else if (reg == UART_SCR) {
        u->scr = value;
    }
    if (reg == UART_DATA)
        u->idle = 0;
}

/* A wider access reads or writes adjacent registers. */
static COLD __attribute__((noinline)) uint64_t read_several(struct vcpu *v, struct vuart *u,
                                                            unsigned reg, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)port_read(v->vm, u, reg + i) << (8 * i);
    return value;
}

static uint64_t vuart_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    return width == 1 ? port_read(v->vm, owner, (unsigned)offset)
                      : read_several(v, owner, (unsigned)offset, width);
}

static void vuart_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                        uint64_t value)
{
    struct vuart *u = owner;
    /* the transmitter is not empty for a moment: the I/O APIC must see an edge */
    if (offset == UART_DATA && u->tx_empty) {
        u->tx_empty = false;
        update_line(v->vm, u);
    }
    for (unsigned i = 0; i < width; i++)
        port_write(v->vm, owner, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
    update_line(v->vm, owner);
}

COLD int vuart_create(struct vm *vm)
{
    static_assert(sizeof(struct vuart) <= PAGE_SIZE, "one page");
    vm->uart = page_alloc();
    if (!vm->uart)
        return FAIL(ENOMEM, "vm=%s: no memory for its serial port", vm->name);
    return vm_bus_add(
        &vm->pio, VM_TRAPPED(VUART_PORT, VUART_SIZE, "uart", vuart_read, vuart_write, vm->uart));
}

/* IER first: the line falls at the I/O APIC, which sees the next interrupt as an edge. */
COLD void vuart_reset(struct vm *vm)
{
    struct vuart *u = vm->uart;
    if (u->used || u->shown)
        end_line(vm, u);
    u->ier = 0;
    update_line(vm, u);
    memset(u, 0, sizeof(*u));
}

COLD void vuart_destroy(struct vm *vm)
{
    if (!vm->uart)
        return;
    if (vm->uart->used || vm->uart->shown)
        end_line(vm, vm->uart); /* its last words */
    vm_bus_remove(&vm->pio, VUART_PORT);
    page_free(vm->uart);
    vm->uart = NULL;
}
