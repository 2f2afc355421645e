/* SPDX-License-Identifier: MIT */
/*
 * The PS/2 controller as drivers use it: the start-up sequence, typed bytes as scan codes of both
 * sets, an edge for each byte, resets; and who gets what is typed.
 */
// sources: guest/pc/legacy/keyboard.c
#include <stdio.h>
#include <string.h>
#include "arch/ioapic.h"
#include "guest/pc/legacy/chips.h"
#include "guest/pc/vioapic.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

static struct vm vm;
static struct legacy l;
static unsigned edges, reset_count;
static bool line;
static uint64_t rte;

uint64_t time_tsc_khz(void) { return 1000; }
void vioapic_line(struct vioapic *io, unsigned pin, bool asserted)
{
    (void)io;
    assert_int_equal(pin, 1);
    edges += asserted && !line;
    line = asserted;
}
uint64_t vioapic_rte(const struct vioapic *io, unsigned pin, bool *asserted)
{
    (void)io, (void)pin;
    *asserted = line;
    return rte;
}
int vm_reset(struct vm *m)
{
    (void)m;
    reset_count++;
    return 0;
}

static void out(uint16_t port, uint8_t value) { keyboard_out(&l, port, value); }
static uint8_t in(uint16_t port) { return keyboard_in(&l, port); }

FIXTURE(fresh)
{
    memset(&l, 0, sizeof(l));
    vm = (struct vm){.legacy = &l};
    l.vm = &vm;
    rte = RTE_MASKED;
    line = false;
    keyboard_reset(&l);
    edges = reset_count = 0;
    l.pic[0].used = true; /* the guest takes its interrupt */
    return 0;
}

/* All bytes that wait, as hexadecimal digits. */
static const char *codes(void)
{
    static char text[600];
    size_t used = 0;
    text[0] = '\0';
    while ((in(0x64) & 1) && used < sizeof(text) - 4)
        used += (size_t)sprintf(text + used, "%02x ", in(0x60));
    return text;
}

static void type(const char *text)
{
    for (; *text; text++)
        assert_int_equal(keyboard_type(&vm, *text), VM_KEYS_TAKEN);
}

TEST(start_of_a_driver)
{
    assert_int_equal(in(0x64), 0x14); /* empty, and takes a command */
    out(0x64, 0xad);
    out(0x64, 0x20);
    assert_int_equal(in(0x60), 0x71); /* as left by a BIOS, and disabled now */
    out(0x64, 0x60);
    out(0x60, 0x70);
    out(0x64, 0xaa);
    assert_string_equal(codes(), "55 ");
    out(0x64, 0xab);
    assert_string_equal(codes(), "00 ");
    out(0x64, 0xae);
    out(0x60, 0xff);
    assert_string_equal(codes(), "fa aa ");
    out(0x60, 0xed);
    assert_string_equal(codes(), "fa ");
    out(0x60, 0x07);
    assert_string_equal(codes(), "fa ");
    out(0x60, 0xf2);
    assert_string_equal(codes(), "fa ab 41 ");
    out(0x60, 0xee);
    assert_string_equal(codes(), "ee ");
    assert_int_equal(edges, 1); /* of the first answer; then the command byte had them off */
}

TEST(keys_of_set_1)
{
    type("aA\r");
    assert_string_equal(codes(), "1e 9e 2a 1e 9e aa 1c 9c ");
    assert_int_equal(edges, 8);
    type("\003\033[A\177");
    assert_string_equal(codes(), "1d 2e ae 9d e0 48 e0 c8 0e 8e ");
    type("~|");
    assert_string_equal(codes(), "2a 29 a9 aa 2a 2b ab aa ");
}

TEST(keys_of_set_2)
{
    out(0x64, 0x60);
    out(0x60, 0x01);
    type("a");
    assert_string_equal(codes(), "1c f0 1c ");
    type("\033[D");
    assert_string_equal(codes(), "e0 6b e0 f0 6b ");
}

/* ESC may be a key, or begin a sequence: it waits a little. */
TEST(escape)
{
    assert_int_equal(keyboard_type(&vm, 033), VM_KEYS_TAKEN);
    assert_string_equal(codes(), "");
    for (int i = 0; i < 1000 && l.keyboard.escape; i++) {
        l.keyboard.escape_at = 0;
        keyboard_poll(&l);
    }
    assert_string_equal(codes(), "01 81 ");
    type("\033x");
    assert_string_equal(codes(), "01 81 2d ad ");
}

TEST(who_gets_a_byte)
{
    l.pic[0].used = false;
    assert_int_equal(keyboard_type(&vm, -1), VM_KEYS_NONE);
    in(0x60); /* by polling */
    assert_int_equal(keyboard_type(&vm, -1), VM_KEYS_TAKEN);
    for (int i = 0; i < 1000 && keyboard_type(&vm, -1) == VM_KEYS_TAKEN; i++)
        keyboard_type(&vm, 'A');
    assert_int_equal(keyboard_type(&vm, 'A'), VM_KEYS_FULL);
    out(0x60, 0xf5); /* the guest wants no keys */
    assert_int_equal(keyboard_type(&vm, -1), VM_KEYS_NONE);
}

/* It reads the data port only when there is data. */
TEST(a_guest_that_polls_the_status)
{
    l.pic[0].used = false;
    for (unsigned i = 0; i < 199; i++)
        assert_int_equal(in(0x64) & 1, 0);
    assert_int_equal(keyboard_type(&vm, 'a'), VM_KEYS_NONE);
    in(0x64);
    type("a");
    assert_string_equal(codes(), "1e 9e ");
}

TEST(resets)
{
    out(0x64, 0xfe);
    assert_int_equal(reset_count, 1);
    out(0x64, 0xd1);
    out(0x60, 0xfe);
    assert_int_equal(reset_count, 2);
    assert_int_equal(in(0x92), 2); /* A20 */
    out(0x92, 0x02);
    assert_int_equal(reset_count, 2);
    out(0x92, 0x03);
    assert_int_equal(reset_count, 3);
    out(0x64, 0xff); /* pulses no line */
    assert_int_equal(reset_count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(start_of_a_driver, fresh),
        cmocka_unit_test_setup(keys_of_set_1, fresh),
        cmocka_unit_test_setup(keys_of_set_2, fresh),
        cmocka_unit_test_setup(escape, fresh),
        cmocka_unit_test_setup(who_gets_a_byte, fresh),
        cmocka_unit_test_setup(a_guest_that_polls_the_status, fresh),
        cmocka_unit_test_setup(resets, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
