/* SPDX-License-Identifier: MIT */
/*
 * The guest's serial port as a driver uses it: interrupts as edges of its line, both causes, the
 * loop of the modem lines, and what is kept of a terminal's escape sequences.
 */
// sources: guest/core/bus.c
#include <stdlib.h>
#include <string.h>
#include "guest/pc/vuart.c"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

static struct vm vm;
static struct vcpu vcpu;
static unsigned edges;
static bool line;
struct vm_hooks vm_hooks;

void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }
void vioapic_line(struct vioapic *io, unsigned pin, bool asserted)
{
    (void)io;
    assert_int_equal(pin, VACPI_UART_PIN);
    edges += asserted && !line;
    line = asserted;
}

static void out(unsigned reg, uint8_t value) { vuart_write(&vcpu, vm.uart, reg, 1, value); }
static uint8_t in(unsigned reg) { return (uint8_t)vuart_read(&vcpu, vm.uart, reg, 1); }

FIXTURE(fresh)
{
    memset(&vm, 0, sizeof(vm));
    strcpy(vm.name, "a");
    vcpu.vm = &vm;
    vm.ioapic = (struct vioapic *)&vm; /* only there or not */
    edges = 0;
    line = false;
    stub_log_clear();
    return vuart_create(&vm);
}

FIXTURE(done)
{
    vuart_destroy(&vm);
    return 0;
}

TEST(transmitter)
{
    out(UART_IER, VUART_IER_TX); /* to enable it is to be told: Linux tests that */
    assert_int_equal(edges, 1);
    assert_int_equal(in(UART_IIR), VUART_IIR_TX);
    assert_false(line); /* reading IIR was the answer */
    assert_int_equal(in(UART_IIR), VUART_IIR);
    out(UART_DATA, 'x');
    assert_int_equal(edges, 2);
    out(UART_DATA, 'y'); /* not read in between: an edge all the same */
    assert_int_equal(edges, 3);
    out(UART_IER, 0);
    assert_false(line);
    out(UART_IER, VUART_IER_TX);
    assert_int_equal(edges, 4);
}

static unsigned keys_taken;
static enum vm_keys keys_answer;
static enum vm_keys on_key(struct vm *m, int byte)
{
    assert_ptr_equal(m, &vm);
    keys_taken += byte >= 0;
    return keys_answer;
}

/* A keyboard gets what is typed, until the guest waits for input at this port. */
TEST(a_keyboard_beside_it)
{
    vm.wires.keys = on_key;
    keys_answer = VM_KEYS_TAKEN;
    keys_taken = 0;
    assert_true(vuart_has_room(&vm));
    vuart_type(&vm, 'a');
    assert_int_equal(keys_taken, 1);
    assert_int_equal(in(UART_LSR)&UART_LSR_DATA_READY, 0);
    keys_answer = VM_KEYS_FULL;
    assert_false(vuart_has_room(&vm));
    keys_answer = VM_KEYS_NONE; /* nothing reads the keyboard */
    vuart_type(&vm, 'b');
    assert_int_equal(in(UART_DATA), 'b');
    keys_answer = VM_KEYS_TAKEN;
    keys_taken = 0;
    out(UART_IER, VUART_IER_RX);
    vuart_type(&vm, 'c');
    assert_int_equal(in(UART_DATA), 'c');
    out(UART_IER, 0);
    for (unsigned i = 0; i < VUART_IDLE; i++)
        in(UART_LSR); /* by polling */
    vuart_type(&vm, 'd');
    assert_int_equal(in(UART_DATA), 'd');
    assert_int_equal(keys_taken, 0);
}

TEST(receiver)
{
    vuart_type(&vm, 'a');
    assert_int_equal(edges, 0); /* the guest has not asked for it */
    out(UART_IER, VUART_IER_RX | VUART_IER_TX);
    assert_int_equal(in(UART_IIR), VUART_IIR_RX); /* before the transmitter */
    assert_int_equal(in(UART_DATA), 'a');
    assert_int_equal(in(UART_IIR), VUART_IIR_TX);
    assert_false(line);
    vuart_type(&vm, 'b');
    assert_true(line);
    out(UART_MCR, 0); /* without OUT2 too */
    assert_true(line);
    out(UART_IER, 0);
    assert_false(line);
}

TEST(what_a_driver_probes)
{
    out(UART_IER, 0xff);
    assert_int_equal(in(UART_IER), 0x0f);
    out(UART_MCR, VUART_MCR_LOOP | 0x0a);
    assert_int_equal(in(UART_MSR)&0xf0, 0x90);
    out(UART_MCR, VUART_MCR_LOOP | 0x05);
    assert_int_equal(in(UART_MSR)&0xf0, 0x60);
    out(UART_IIR, VUART_FCR_ON);
    assert_int_equal(in(UART_IIR)&0xc0, 0xc0);
}

TEST(escape_sequences)
{
    for (const char *s = "\x1b[1;31mred\x1b[0m \x1b[6n\x1b"
                         "Mup\x1b[2J.\n";
         *s; s++)
        out(UART_DATA, (uint8_t)*s);
    assert_string_equal(stub_log, "a| red up.\n");
}

static char kept[100];
static bool keep(struct vm *of, const char *text, bool line_ends)
{
    (void)of;
    strcat(strcat(kept, text), line_ends ? "\n" : "");
    return true;
}

static void poll_for_input(void)
{
    for (unsigned i = 0; i < VUART_IDLE; i++)
        (void)in(UART_LSR);
}

/* The monitor has the console: it gets each byte once, the prompt and the rest. */
TEST(a_prompt_is_kept_once)
{
    vm_hooks.keep = keep;
    for (const char *s = "login: "; *s; s++)
        out(UART_DATA, (uint8_t)*s);
    poll_for_input();
    out(UART_DATA, 'x');
    out(UART_DATA, '\n');
    vm_hooks.keep = NULL;
    assert_string_equal(kept, "login: x\n");
}

static void send_text(const char *text)
{
    while (*text)
        out(UART_DATA, (uint8_t)*text++);
}

/* A guest that does not poll, but waits for an interrupt in HLT. */
TEST(a_prompt_at_rest_is_shown)
{
    send_text("$ ");
    for (unsigned tick = 0; tick < 200; tick++)
        vuart_poll(&vm);
    assert_string_equal(stub_log, ""); /* it does not wait */
    out(UART_IER, VUART_IER_RX);
    for (unsigned tick = 0; tick < VUART_REST - 1; tick++)
        vuart_poll(&vm);
    send_text("> ");
    for (unsigned tick = 0; tick < VUART_REST - 1; tick++)
        vuart_poll(&vm);
    assert_string_equal(stub_log, "");
    vuart_poll(&vm);
    assert_string_equal(stub_log, "a| $ > ");
    stub_log_clear();
    for (unsigned tick = 0; tick < 200; tick++)
        vuart_poll(&vm);
    assert_string_equal(stub_log, "");
    send_text("ls\n");
    assert_string_equal(stub_log, "ls\n");
}

TEST(a_prompt_is_shown_once)
{
    for (const char *s = "login: "; *s; s++)
        out(UART_DATA, (uint8_t)*s);
    poll_for_input();
    assert_string_equal(stub_log, "a| login: ");
    out(UART_DATA, 'x');
    out(UART_DATA, '\n');
    assert_string_equal(stub_log, "a| login: x\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
/* PC16550D "Modem Control Register": what is sent arrives, and nothing goes out or comes in. */
TEST(loop)
{
    out(UART_MCR, VUART_MCR_LOOP | 0x0e);
    vuart_type(&vm, 't');
    assert_false(in(UART_LSR)&UART_LSR_DATA_READY);
    out(UART_DATA, 0xae);
    out(UART_DATA, 0xaf); /* no FIFO: lost */
    assert_true(in(UART_LSR)&UART_LSR_DATA_READY);
    assert_int_equal(in(UART_DATA), 0xae);
    assert_false(in(UART_LSR)&UART_LSR_DATA_READY);
    assert_int_equal(in(UART_DATA), 0);
    out(UART_IIR, VUART_FCR_ON);
    for (uint8_t i = 0; i < 2 * VUART_FIFO; i++)
        out(UART_DATA, i);
    for (uint8_t i = 0; i < VUART_FIFO; i++)
        assert_int_equal(in(UART_DATA), i);
    assert_false(in(UART_LSR)&UART_LSR_DATA_READY);
    out(UART_IER, VUART_IER_RX);
    out(UART_DATA, 'x');
    assert_true(line);
    assert_int_equal(in(UART_IIR), VUART_IIR_64 | VUART_IIR_RX);
    out(UART_IIR, VUART_FCR_ON | VUART_FCR_RX);
    assert_false(line);
    out(UART_MCR, 0x0b);
    assert_int_equal(in(UART_DATA), 't'); /* what was typed is still there */
    out(UART_DATA, '\n');
    assert_string_equal(stub_log, "a| \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(transmitter),
                                       T(receiver),
                                       T(a_keyboard_beside_it),
                                       T(what_a_driver_probes),
                                       T(escape_sequences),
                                       T(a_prompt_is_kept_once),
                                       T(a_prompt_at_rest_is_shown),
                                       T(a_prompt_is_shown_once),
                                       T(loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
