/* SPDX-License-Identifier: MIT */
/*
 * The terminal of a person, with a UART, a keyboard and a screen that are models: what is printed
 * is on each of them, whenever it was found; what is typed comes from both.
 * Spec: PC16550D data sheet "Registers"; ECMA-48 "Control functions".
 */
#define _GNU_SOURCE
// sources: arch/terminal.c arch/uart.c arch/typed.c arch/screen.c arch/keyboard.c
#include "arch/keyboard.h"
#include "arch/screen.h"
#include "arch/terminal.h"
#include "arch/typed.h"
#include "lib/bits.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>

#define PORT   0x3f8
#define WIDTH  643 /* 80 letters, and pixels that no letter uses */
#define HEIGHT 400
#define PITCH  (WIDTH * 4 + 20)

static struct {
    bool there, stuck, gone; /* a UART; its transmitter never gets empty; all registers read ones */
    uint8_t registers[UART_REGISTERS];
    char sent[65536];
    size_t sent_size, room;
    const char *typed;
    unsigned overrun;
} u;
static const uint8_t *codes; /* scan codes that wait, up to a 0; NULL: no controller */
static bool from_the_mouse;

static uint8_t uart_register(unsigned reg)
{
    if (!u.there || u.gone)
        return 0xff;
    if (reg == UART_DATA && *u.typed)
        return (uint8_t)*u.typed++;
    if (reg == UART_IIR)
        return 0xc1;
    if (reg != UART_LSR)
        return u.registers[reg];
    uint8_t status = (*u.typed ? UART_LSR_DATA_READY : 0) | (u.overrun ? UART_LSR_OVERRUN : 0) |
                     (u.stuck ? 0 : UART_LSR_THR_EMPTY | UART_LSR_IDLE);
    u.overrun = 0;
    u.room = 16;
    return status;
}

uint8_t in8(uint16_t port)
{
    if (port >= PORT && port < PORT + UART_REGISTERS)
        return uart_register(port - PORT);
    if (port == 0x64)
        return !codes ? 0xff : (*codes ? 1 : 0) | (from_the_mouse ? 0x20 : 0);
    assert_int_equal(port, 0x60);
    return *codes++;
}

static void uart_set(unsigned reg, uint8_t v)
{
    if (reg == UART_DATA && !(u.registers[UART_LCR] & UART_LCR_DLAB)) {
        assert_true(u.room-- > 0); /* into the FIFO, never beyond */
        u.sent[u.sent_size++] = (char)v;
    }
    u.registers[reg] = v;
}

void out8(uint16_t port, uint8_t v) { uart_set(port - PORT, v); }

/* The same UART in memory, at the address of `registers`, with a register every 4 bytes. */
static uint32_t memory[UART_REGISTERS];
static unsigned in_memory(const void *p) { return (unsigned)((const uint32_t *)p - memory); }
uint32_t mmio_read32(const void *p) { return uart_register(in_memory(p)); }
void mmio_write32(void *p, uint32_t v) { uart_set(in_memory(p), (uint8_t)v); }
#define NOT_USED(width)                                                                            \
    uint##width##_t mmio_read##width(const void *p) { return *(const uint##width##_t *)p; }
NOT_USED(8)
NOT_USED(16)
NOT_USED(64)
void mmio_write8(void *p, uint8_t v) { memcpy(p, &v, sizeof(v)); }
void mmio_write64(void *p, uint64_t v) { memcpy(p, &v, sizeof(v)); }
void mmio_write16(void *p, uint16_t v) { memcpy(p, &v, sizeof(v)); }

/* The letters are of one pixel each, at a place that is theirs alone. */
uint8_t screen_font['~' - ' ' + 1][16];
static uint8_t first_frame[PITCH * HEIGHT], *pixels = first_frame;
static uint16_t cells[25][80];

static const struct uart_place port = {.base = PORT};

static struct boot_screen text(void)
{
    return (struct boot_screen){ptr_hpa(cells), 160, 80, 25, 16, true};
}

static struct boot_screen frame(void)
{
    return (struct boot_screen){ptr_hpa(pixels), PITCH, WIDTH, HEIGHT, 32, false};
}

FIXTURE(fresh)
{
    memset(&u, 0, sizeof(u));
    u.there = true;
    u.typed = "";
    codes = NULL;
    from_the_mouse = false;
    terminal_close_screen();
    terminal_open_serial(port, 115200);
    while (terminal_read() >= 0)
        ;
    (void)terminal_lost();
    memset(&u, 0, sizeof(u));
    u.there = true;
    u.room = 16;
    u.typed = "";
    memset(pixels, 0x77, sizeof(first_frame));
    for (unsigned c = 0; c < sizeof(screen_font) / 16; c++) {
        memset(screen_font[c], 0, 16);
        screen_font[c][c / 8] = c ? 0x80 >> (c % 8) : 0;
    }
    return 0;
}

static void print(const char *s) { terminal_write(s, strlen(s)); }

/* What stands in a row, without spaces at its end. */
static const char *row_of_text(unsigned r)
{
    static char line[81];
    unsigned end = 0;
    for (unsigned c = 0; c < 80; c++) {
        line[c] = (char)cells[r][c];
        end = line[c] != ' ' ? c + 1 : end;
    }
    line[end] = '\0';
    return line;
}

static char letter_at(unsigned r, unsigned c, unsigned scale)
{
    char found = ' ';
    for (unsigned y = 0; y < 16 * scale; y++)
        for (unsigned x = 0; x < 8 * scale; x++) {
            uint32_t pixel;
            memcpy(&pixel, &pixels[(r * 16 * scale + y) * PITCH + (c * 8 * scale + x) * 4], 4);
            assert_true(pixel == 0 || pixel == UINT32_MAX);
            if (pixel)
                found = (char)(' ' + y / scale * 8 + x / scale);
        }
    return found;
}

TEST(a_serial_port_gets_all)
{
    print("one\ntwo");
    assert_memory_equal(u.sent, "one\r\ntwo", 8);
    assert_int_equal(u.sent_size, 8);
    terminal_drain();
}

/* 9600 baud, and none of the divisor's bytes is sent. */
TEST(a_uart_in_memory)
{
    struct uart_place at = {ptr_hpa(memory).v, 4};
    assert_true(terminal_open_serial(at, 9600));
    assert_int_equal(u.registers[UART_LCR], UART_LCR_8N1);
    assert_int_equal(u.registers[UART_IER], 0);
    assert_int_equal(terminal_serial().spacing, 4);
    u.sent_size = 0;
    print("x");
    assert_int_equal(u.sent_size, 1);
}

/* All that was printed before is shown, from the beginning of a line if there was more than is
 * kept. No answer there: the old port goes on. */
TEST(a_port_that_is_found_late)
{
    print("\nfirst line\n");
    u.gone = true;
    assert_false(terminal_open_serial(port, 0));
    u.gone = false;
    assert_true(terminal_has_serial());
    u.sent_size = 0;
    assert_true(terminal_open_serial(port, 115200));
    assert_non_null(memmem(u.sent, u.sent_size, "first line\r\n", 12));
    for (unsigned i = 0; i < 3000; i++)
        print("0123456789\n");
    u.sent_size = 0;
    assert_true(terminal_open_serial(port, 115200));
    assert_null(memmem(u.sent, u.sent_size, "first", 5));
    assert_memory_equal(u.sent, "0123456789\r\n", 12);
    assert_true(u.sent_size > 16000);
}

TEST(a_transmitter_that_is_stuck_ends_the_port)
{
    u.stuck = true;
    print("this does not hang");
    assert_false(terminal_has_serial());
    print("nor this");
    terminal_drain();
}

TEST(typed_bytes_come_in_order)
{
    u.typed = "ab";
    u.overrun = 1;
    assert_int_equal(terminal_read(), 'a');
    assert_int_equal(terminal_read(), 'b');
    assert_int_equal(terminal_read(), -1);
    assert_int_equal(terminal_lost(), 1);
    assert_int_equal(terminal_lost(), 0);
    u.typed = "12\001\0013\001x4";
    assert_int_equal(terminal_read_escaped(1), 'x');
    assert_int_equal(terminal_read(), '4');
    assert_int_equal(terminal_lost(), 5); /* all before the escape that counts */
}

/* What is read as ones is no typing without end. */
TEST(a_port_that_vanishes)
{
    u.gone = true;
    terminal_poll();
    (void)terminal_read();
}

/* More than the ring holds: the oldest stay, the newest replaces the last but one. */
TEST(a_full_ring_keeps_its_ends)
{
    static char many[TYPED_SIZE + 9];
    memset(many, 'm', sizeof(many) - 1);
    many[0] = 'f';
    many[sizeof(many) - 2] = 'l';
    u.typed = many;
    for (unsigned i = 0; i < TYPED_SIZE; i++)
        terminal_poll();
    assert_int_equal(terminal_read(), 'f');
    for (unsigned i = 0; i < TYPED_SIZE - 2; i++)
        assert_int_equal(terminal_read(), 'm');
    assert_int_equal(terminal_read(), 'l');
    assert_int_equal(terminal_read(), -1);
    assert_int_equal(terminal_lost(), 8);
}

TEST(text_mode)
{
    struct boot_screen s = text();
    print("\nbefore\n");
    assert_true(terminal_open_screen(&s));
    print("one\rO\n\033[Ktwo\bX\tY\033[0;31mZ\n");
    unsigned r = 0;
    while (r < 25 && strcmp(row_of_text(r), "One") != 0)
        r++;
    assert_true(r < 23);
    assert_string_equal(row_of_text(r + 1), "twXYZ");
    assert_string_equal(row_of_text(r + 2), "_");
    assert_int_equal(cells[r][0] >> 8, 7);
    print("\033[2J\033[1;3Hat\033[3;1H");
    assert_string_equal(row_of_text(2), "_");
    assert_string_equal(row_of_text(0) + 2, "at");
}

/* It scrolls, wraps, and a place beyond its edges is one at them. */
TEST(edges)
{
    struct boot_screen s = text();
    char wide[100];
    assert_true(terminal_open_screen(&s));
    print("\033[2J");
    memset(wide, 'w', 90);
    wide[90] = '\0';
    for (unsigned i = 0; i < 30; i++)
        print("line\n");
    print(wide);
    assert_int_equal(strlen(row_of_text(23)), 80);
    assert_string_equal(row_of_text(24), "wwwwwwwwww_");
    assert_string_equal(row_of_text(0), "line");
    print("\033[99999999999;77777777H!");
    assert_int_equal(row_of_text(24)[79], '!');
    print("\033[;;;;;;;1;2H");
    print("\033");
    print("x\033[?25l\033[");
    print("5;5H\b\b\b\b\b\b\b\bs");
    assert_int_equal(row_of_text(4)[0], 's');
}

/* A picture stands above the lines: it does not scroll, and is drawn from a place between them. */
TEST(a_part_that_does_not_scroll)
{
    struct boot_screen s = text();
    assert_true(terminal_open_screen(&s));
    print("\033[2J\033[1;1Htitle\033[3r\033[999;1H");
    for (unsigned i = 0; i < 40; i++)
        print("line\n");
    print("ab\0337\033[2;4H\033[1;37mpicture\0338c");
    assert_string_equal(row_of_text(0), "title");
    assert_string_equal(row_of_text(1), "   picture");
    assert_string_equal(row_of_text(2), "line");
    assert_string_equal(row_of_text(24), "abc_");
    print("\033[r\n");
    assert_string_equal(row_of_text(0), "   picture");
    print("\033[25r\n\033[25;1Hlast\n");
    assert_string_equal(row_of_text(24), "_");
}

TEST(pixels_of_every_letter)
{
    struct boot_screen s = frame();
    assert_true(terminal_open_screen(&s));
    print("\033[1;1H\033[J");
    for (char c = ' '; c <= '~'; c++)
        terminal_write(&c, 1);
    for (unsigned i = 0; i < '~' - ' ' + 1; i++)
        assert_int_equal(letter_at(i / 80, i % 80, 1), ' ' + i);
    assert_int_equal(letter_at(1, 15, 1), '_');
    assert_int_equal(pixels[PITCH - 1], 0x77); /* nothing beside the letters */
    terminal_close_screen();
    print("gone");
    assert_int_equal(letter_at(1, 15, 1), '_');
}

/* A screen twice as wide as letters are useful has them twice as large; the same of 2 bytes. */
TEST(forms_of_screens)
{
    struct boot_screen s = frame();
    s.width *= 4;
    s.pitch = s.width * 4;
    pixels = malloc(s.pitch * s.height);
    s.base = ptr_hpa(pixels);
    assert_true(terminal_open_screen(&s));
    print("\033[1;1H\033[JA");
    uint32_t first;
    unsigned y = ('A' - ' ') / 8, x = ('A' - ' ') % 8;
    memcpy(&first, &pixels[(y * 2 + 1) * s.pitch + (x * 2 + 1) * 4], 4);
    assert_int_equal(first, UINT32_MAX);
    s.bits = 16;
    assert_true(terminal_open_screen(&s));
    free(pixels);
    terminal_close_screen();
    pixels = first_frame;
    s = frame();
    for (unsigned i = 0; i < 6; i++) {
        struct boot_screen wrong = s;
        wrong.base.v = i == 0 ? 0 : wrong.base.v;
        wrong.bits = i == 1 ? 0 : i == 2 ? 40 : i == 3 ? 15 : 32;
        wrong.pitch = i == 4 ? 100 : PITCH;
        wrong.height = i == 5 ? 15 : HEIGHT;
        assert_false(terminal_open_screen(&wrong));
        assert_false(terminal_has_screen());
    }
}

TEST(the_screen_is_in_a_range)
{
    struct boot_screen s = text();
    assert_false(terminal_screen_is_in(ptr_hpa(cells), 4000));
    assert_true(terminal_open_screen(&s));
    assert_true(terminal_screen_is_in(hpa(s.base.v - 0x8000), 0x8001));
    assert_false(terminal_screen_is_in(hpa(s.base.v - 0x8000), 0x8000));
    assert_false(terminal_screen_is_in(hpa(s.base.v + 1), 0x8000));
}

static void typed_is(const uint8_t *keys, const char *bytes)
{
    codes = keys;
    for (; *bytes; bytes++)
        assert_int_equal(terminal_read(), (uint8_t)*bytes);
    assert_int_equal(terminal_read(), -1);
}

/* Keys by their scan codes of set 1, each pressed and released. */
TEST(keys)
{
    struct boot_screen s = text();
    assert_true(terminal_open_screen(&s));
    typed_is((const uint8_t[]){0x1e, 0x9e, 0x2a, 0x1e, 0x9e, 0xaa, 0x1e, 0x9e, 0}, "aAa");
    typed_is((const uint8_t[]){0x36, 0x02, 0x39, 0xb6, 0x02, 0}, "! 1");
    typed_is((const uint8_t[]){0x1d, 0x1e, 0x9d, 0x1e, 0}, "\001a");
    typed_is((const uint8_t[]){0xe0, 0x1d, 0x2e, 0xe0, 0x9d, 0x1c, 0x0e, 0x01, 0}, "\003\r\b\033");
    typed_is((const uint8_t[]){0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x4b, 0}, "\033[A\033[D");
    typed_is((const uint8_t[]){0xe0, 0x2a, 0xe0, 0x53, 0x3b, 0x58, 0x7f, 0x1e, 0}, "a");
    from_the_mouse = true;
    typed_is((const uint8_t[]){0x1e, 0x2a, 0x1d, 0}, "");
    from_the_mouse = false;
    typed_is((const uint8_t[]){0x1e, 0}, "a");
    codes = NULL; /* nothing is at its ports */
    assert_int_equal(terminal_read(), -1);
}

/* Without a screen the keyboard is not looked at: it is for a person before the screen. */
TEST(no_keyboard_without_a_screen)
{
    codes = (const uint8_t[]){0x1e, 0};
    assert_int_equal(terminal_read(), -1);
    assert_int_equal(*codes, 0x1e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_serial_port_gets_all, fresh),
        cmocka_unit_test_setup(a_uart_in_memory, fresh),
        cmocka_unit_test_setup(a_port_that_is_found_late, fresh),
        cmocka_unit_test_setup(a_transmitter_that_is_stuck_ends_the_port, fresh),
        cmocka_unit_test_setup(typed_bytes_come_in_order, fresh),
        cmocka_unit_test_setup(a_port_that_vanishes, fresh),
        cmocka_unit_test_setup(a_full_ring_keeps_its_ends, fresh),
        cmocka_unit_test_setup(text_mode, fresh),
        cmocka_unit_test_setup(edges, fresh),
        cmocka_unit_test_setup(a_part_that_does_not_scroll, fresh),
        cmocka_unit_test_setup(pixels_of_every_letter, fresh),
        cmocka_unit_test_setup(forms_of_screens, fresh),
        cmocka_unit_test_setup(the_screen_is_in_a_range, fresh),
        cmocka_unit_test_setup(keys, fresh),
        cmocka_unit_test_setup(no_keyboard_without_a_screen, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
