/* SPDX-License-Identifier: MIT */
/*
 * The pair of 8259s as a driver programs them: vectors, masks, priorities, ends of interrupts,
 * edges and levels, polling, requests that go away.
 */
// sources: guest/pc/legacy/pic.c
#include <string.h>
#include "guest/pc/legacy/chips.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vmx/run/post.h"

static struct vm vm;
static struct vcpu vcpu;
static struct legacy l;
static bool intr;

void vcpu_extint(struct vcpu *v, bool asserted)
{
    assert_ptr_equal(v, &vcpu);
    assert_int_not_equal(intr, asserted);
    intr = asserted;
}
void pit_restart(struct legacy *legacy) { (void)legacy; }

static void out(uint16_t port, uint8_t value) { pic_out(&l, port, value); }
static uint8_t in(uint16_t port) { return pic_in(&l, port); }

static void initialize(uint8_t icw4)
{
    out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, icw4);
    out(0xa0, 0x11), out(0xa1, 0x28), out(0xa1, 2), out(0xa1, icw4);
}

FIXTURE(fresh)
{
    memset(&l, 0, sizeof(l));
    vm.vcpus[0] = &vcpu;
    l.vm = &vm;
    intr = false;
    pic_reset(&l);
    return 0;
}

TEST(as_a_bios_leaves_them)
{
    assert_int_equal(in(0x21), 0xb8);
    assert_int_equal(in(0xa1), 0x8e);
    pic_line(&l, 0, true);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&l), 8);
    pic_line(&l, 3, true); /* masked */
    assert_false(intr);
}

TEST(vectors_and_ends)
{
    initialize(1);
    assert_int_equal(in(0x21), 0);
    pic_line(&l, 4, true);
    pic_line(&l, 12, true); /* goes before 4: by input 2 */
    assert_int_equal(pic_acknowledge(&l), 0x2c);
    assert_false(intr); /* 4 waits for the end of 12 */
    out(0xa0, 0x20);
    assert_false(intr);
    out(0x20, 0x20);
    assert_true(intr);
    assert_int_equal(pic_acknowledge(&l), 0x24);
    out(0x20, 0x0b);
    assert_int_equal(in(0x20), 0x10); /* in service */
    out(0x20, 0x64);                  /* a specific end */
    assert_int_equal(in(0x20), 0);
    out(0x20, 0x0a);
    pic_line(&l, 1, true);
    assert_int_equal(in(0x20), 2); /* requested */
}

TEST(a_higher_one_interrupts)
{
    initialize(1);
    pic_line(&l, 5, true);
    assert_int_equal(pic_acknowledge(&l), 0x25);
    pic_line(&l, 7, true);
    assert_false(intr);
    pic_line(&l, 1, true);
    assert_int_equal(pic_acknowledge(&l), 0x21);
    out(0x20, 0x20);
    assert_false(intr); /* 7 still waits for 5 */
    out(0x20, 0x20);
    assert_int_equal(pic_acknowledge(&l), 0x27);
}

TEST(an_edge_counts_once)
{
    initialize(1);
    pic_line(&l, 3, true);
    assert_int_equal(pic_acknowledge(&l), 0x23);
    out(0x20, 0x20);
    assert_false(intr);
    pic_line(&l, 3, true); /* no edge */
    assert_false(intr);
    pic_line(&l, 3, false);
    pic_line(&l, 3, true);
    assert_true(intr);
    pic_line(&l, 3, false); /* gone before the CPU asks */
    assert_false(intr);
    assert_int_equal(pic_acknowledge(&l), 0x27);
    out(0x20, 0x0b);
    assert_int_equal(in(0x20), 0); /* the spurious one is not in service */
}

TEST(a_level_comes_again)
{
    initialize(1);
    pic_elcr_out(&l, 0x4d1, 0x08);
    assert_int_equal(pic_elcr_in(&l, 0x4d1), 0x08);
    assert_int_equal(pic_elcr_in(&l, 0x4d0), 0);
    pic_line(&l, 11, true);
    assert_int_equal(pic_acknowledge(&l), 0x2b);
    out(0xa0, 0x20), out(0x20, 0x20);
    assert_true(intr);
    pic_line(&l, 11, false);
    assert_false(intr);
}

TEST(automatic_ends_and_rotation)
{
    initialize(3);
    pic_line(&l, 6, true);
    assert_int_equal(pic_acknowledge(&l), 0x26);
    pic_line(&l, 7, true);
    assert_int_equal(pic_acknowledge(&l), 0x27); /* 6 has ended by itself */
    initialize(1);
    out(0x20, 0xc3); /* 3 is the lowest, 4 the highest */
    pic_line(&l, 7, false), pic_line(&l, 7, true);
    pic_line(&l, 0, true);
    assert_int_equal(pic_acknowledge(&l), 0x27);
    out(0x20, 0xa0); /* end, and 7 becomes the lowest */
    pic_line(&l, 7, false), pic_line(&l, 7, true);
    assert_int_equal(pic_acknowledge(&l), 0x20);
}

TEST(special_mask)
{
    initialize(1);
    pic_line(&l, 1, true);
    assert_int_equal(pic_acknowledge(&l), 0x21);
    pic_line(&l, 6, true);
    assert_false(intr);
    out(0x20, 0x68);
    out(0x21, 0x02);
    assert_int_equal(pic_acknowledge(&l), 0x26);
}

TEST(polled)
{
    initialize(1);
    out(0x20, 0x0c);
    assert_int_equal(in(0x20) & 0x80, 0);
    pic_line(&l, 3, true);
    out(0x20, 0x0c);
    assert_int_equal(in(0x20), 0x83);
    out(0x20, 0x0b);
    assert_int_equal(in(0x20), 0x08);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(as_a_bios_leaves_them, fresh),
        cmocka_unit_test_setup(vectors_and_ends, fresh),
        cmocka_unit_test_setup(a_higher_one_interrupts, fresh),
        cmocka_unit_test_setup(an_edge_counts_once, fresh),
        cmocka_unit_test_setup(a_level_comes_again, fresh),
        cmocka_unit_test_setup(automatic_ends_and_rotation, fresh),
        cmocka_unit_test_setup(special_mask, fresh),
        cmocka_unit_test_setup(polled, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
