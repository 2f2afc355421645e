/* SPDX-License-Identifier: MIT */
/*
 * Output to all parts of the terminal at once, without a buffer, so that a panic can print; input
 * from all of them into one ring.
 * From: arch/log.c (terminal_write), boot/main.c, monitor/ (terminal_read), arch/task.c.
 * To: arch/uart.c, arch/screen.c, arch/keyboard.c, arch/typed.c.
 */
#include "arch/terminal.h"
#include "arch/keyboard.h"
#include "arch/screen.h"
#include "arch/time.h"
#include "arch/typed.h"
#include "arch/watch.h"
#include "lib/atomic.h"
#include "lib/bits.h"

#define KEPT_MAX   16384 /* bytes: the boot, and more */
#define COM1       0x3f8
#define COM1_BAUD  115200
#define WAIT_READS 1000000 /* some 1 us each: longer than 16 bytes take at 300 baud */

static struct uart serial;
static struct typed typed;

/* The newest text, a ring. */
static struct {
    char text[KEPT_MAX];
    size_t count; /* of all bytes ever */
} kept;

static int pressed_or_arrived(void)
{
    int byte = uart_take(&serial);
    return byte < 0 && screen_is_open() ? keyboard_take() : byte;
}

void terminal_poll(void) { typed_fetch(&typed, pressed_or_arrived); }

/* What is typed meanwhile is kept: more than the FIFO holds may arrive. A transmitter that never
 * gets empty is broken: the terminal goes on without it, rather than hang. */
static void wait_for_room(void)
{
    uint64_t since = rdtsc();
    for (int i = 0; serial.at.base && !uart_has_room(&serial); i++) {
        terminal_poll();
        if (i == WAIT_READS)
            serial.at.base = 0;
    }
    (void)time_spent(TIME_SERIAL, since);
}

static void send(const char *text, size_t size)
{
    for (size_t sent; size && serial.at.base; text += sent, size -= sent) {
        watch_alive();
        wait_for_room();
        sent = uart_send(&serial, (const uint8_t *)text, size);
    }
}

/* A terminal wants a carriage return before each line feed. */
static void send_all(const char *text, size_t size)
{
    for (size_t n; size; text += n, size -= n) {
        for (n = 0; n < size && text[n] != '\n'; n++)
            ;
        send(text, n);
        if (n < size) {
            send("\r\n", 2);
            n++;
        }
    }
}

void terminal_write(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        kept.text[kept.count++ % KEPT_MAX] = text[i];
    send_all(text, size);
    screen_write(text, size);
    watch_alive();
}

/* Show what was printed before, from the beginning of a line. */
static void catch_up(void (*write)(const char *text, size_t size))
{
    size_t at = kept.count > KEPT_MAX ? kept.count - KEPT_MAX : 0;
    while (at && at < kept.count && kept.text[at++ % KEPT_MAX] != '\n')
        ;
    for (size_t piece; at < kept.count; at += piece) {
        piece = MIN(kept.count - at, KEPT_MAX - at % KEPT_MAX);
        write(&kept.text[at % KEPT_MAX], piece);
    }
}

bool terminal_open_serial(struct uart_place at, uint32_t baud)
{
    struct uart found;
    if (!uart_open(&found, at, baud))
        return false;
    terminal_drain();
    serial = found;
    catch_up(send_all);
    return true;
}

bool terminal_open_screen(const struct boot_screen *screen)
{
    if (!screen_open(screen))
        return false;
    catch_up(screen_write);
    return true;
}

static bool is_chosen;

void terminal_chosen(void) { is_chosen = true; }

void terminal_for_panic(void)
{
    if (!is_chosen)
        (void)terminal_open_serial((struct uart_place){.base = COM1}, COM1_BAUD);
}

bool terminal_screen_is_in(hpa_t base, uint64_t size) { return screen_is_in(base, size); }

void terminal_close_screen(void) { screen_close(); }

bool terminal_has_serial(void) { return serial.at.base; }

bool terminal_has_screen(void) { return screen_is_open(); }

struct uart_place terminal_serial(void) { return serial.at; }

void terminal_drain(void)
{
    for (int i = 0; i < WAIT_READS && !uart_is_idle(&serial); i++)
        ;
}

int terminal_read(void)
{
    terminal_poll();
    return typed_read(&typed);
}

int terminal_read_escaped(uint8_t escape)
{
    terminal_poll();
    return typed_read_escaped(&typed, escape);
}

unsigned terminal_lost(void)
{
    return atomic_exchange(&serial.lost, 0) + atomic_exchange(&typed.lost, 0);
}
