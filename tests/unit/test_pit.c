/* SPDX-License-Identifier: MIT */
/*
 * The 8254: counters in all modes by a clock of the test, latches, the gate of channel 2, and the
 * interrupts of channel 0. A tick of the PIT is a thousand ticks of the TSC here.
 */
#include "arch/x86.h"
#include "arch/time.h"
#include "guest/pc/vlapic.h"
#include "vmx/run/sched.h"
#include <string.h>
static uint64_t clock_now;
#include "guest/pc/legacy/pit.c"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

static struct vm vm;
static struct vcpu vcpu;
static struct legacy l;
uint64_t vm_now(const struct vm *m) { return (void)m, clock_now; }
static uint64_t alarm;
static unsigned rises;
static bool line;
struct vmx_caps vmx_caps;

uint64_t time_tsc_khz(void) { return 1193182; }
void vlapic_alarm(struct vcpu *v, uint64_t tsc, void (*ring)(struct vm *vm))
{
    assert_ptr_equal(v, &vcpu);
    assert_ptr_equal(ring, on_alarm);
    alarm = tsc;
}
void vioapic_line(struct vioapic *io, unsigned pin, bool asserted)
{
    (void)io;
    assert_true(pin == 0 || pin == 2);
    if (pin == 0) /* the same line once more, for those who go by ACPI */
        return;
    rises += asserted && !line;
    line = asserted;
    if (asserted)
        l.pic[0].irr |= 1;
}
uint64_t vioapic_rte(const struct vioapic *io, unsigned pin, bool *asserted)
{
    (void)io, (void)pin;
    *asserted = false;
    return RTE_MASKED;
}

static void out(uint16_t port, uint8_t value) { pit_out(&l, port, value); }
static uint8_t in(uint16_t port) { return pit_in(&l, port); }
static uint16_t in16(uint16_t port)
{
    uint8_t low = in(port);
    return (uint16_t)(low | in(port) << 8);
}
static void pass(uint64_t ticks) { clock_now += ticks * 1000; }

static void program(unsigned n, unsigned mode, uint16_t count)
{
    out(0x43, (uint8_t)(n << 6 | 0x30 | mode << 1));
    out((uint16_t)(0x40 + n), (uint8_t)count);
    out((uint16_t)(0x40 + n), (uint8_t)(count >> 8));
}

FIXTURE(fresh)
{
    memset(&l, 0, sizeof(l));
    vm = (struct vm){.legacy = &l, .vcpus = {&vcpu}};
    l.vm = &vm;
    clock_now = 1000000;
    rises = 0;
    line = false;
    pit_reset(&l);
    return 0;
}

TEST(counters)
{
    program(0, 2, 1000);
    pass(300);
    assert_int_equal(in16(0x40), 700);
    pass(1000);
    assert_int_equal(in16(0x40), 700);
    program(0, 3, 1000);
    pass(300); /* counts by two */
    assert_int_equal(in16(0x40), 400);
    program(0, 0, 1000);
    pass(1001);
    assert_int_equal(in16(0x40), 0xffff);
    program(0, 2, 0); /* means 65536 */
    pass(1);
    assert_int_equal(in16(0x40), 0xffff);
}

TEST(latches)
{
    program(0, 2, 1000);
    pass(100);
    out(0x43, 0x00);
    pass(100);
    out(0x43, 0x00); /* a second one before the read has no effect */
    assert_int_equal(in16(0x40), 900);
    assert_int_equal(in16(0x40), 800);
    out(0x43, 0xc2); /* read-back of status and count of channel 0 */
    assert_int_equal(in(0x40), 0x80 | 0x34);
    assert_int_equal(in16(0x40), 800);
    out(0x43, 0x30); /* a mode without a count */
    out(0x43, 0xe2);
    assert_int_equal(in(0x40), 0x40 | 0x30);
}

TEST(one_half_only)
{
    out(0x43, 0x14);
    out(0x40, 100);
    pass(10);
    assert_int_equal(in(0x40), 90);
    assert_int_equal(in(0x40), 90);
    out(0x43, 0x24);
    out(0x40, 4);
    pass(0x100);
    assert_int_equal(in(0x40), 3);
}

TEST(channel_2_and_its_gate)
{
    program(2, 0, 1000);
    pass(2000); /* the gate is closed */
    assert_int_equal(pit_port_b_in(&l, 0x61) & 0x20, 0);
    pit_port_b_out(&l, 0x61, 1);
    pass(600);
    pit_port_b_out(&l, 0x61, 0);
    pass(5000);
    assert_int_equal(pit_port_b_in(&l, 0x61) & 0x21, 0);
    pit_port_b_out(&l, 0x61, 1);
    pass(399);
    assert_int_equal(pit_port_b_in(&l, 0x61) & 0x21, 0x01);
    pass(1);
    assert_int_equal(pit_port_b_in(&l, 0x61) & 0x21, 0x21);
    program(2, 1, 500); /* a pulse at each opening of the gate */
    assert_int_equal(pit_port_b_in(&l, 0x61) & 0x20, 0x20);
    pit_port_b_out(&l, 0x61, 0);
    pit_port_b_out(&l, 0x61, 1);
    assert_int_equal(pit_port_b_in(&l, 0x61) & 0x20, 0);
    pass(500);
    assert_int_equal(pit_port_b_in(&l, 0x61) & 0x20, 0x20);
    uint8_t before = pit_port_b_in(&l, 0x61) & 0x10;
    pass(18);
    assert_int_not_equal(pit_port_b_in(&l, 0x61) & 0x10, before);
}

/* The alarm rings, and the guest takes the interrupt or not. */
static void ring(bool taken)
{
    assert_true(alarm != 0);
    clock_now = MAX(clock_now, alarm);
    on_alarm(&vm);
    if (taken)
        l.pic[0].irr = 0;
}

TEST(interrupts_at_the_right_times)
{
    uint64_t start = clock_now;
    program(0, 3, 10000);
    for (unsigned n = 1; n <= 100; n++) {
        ring(true);
        assert_int_equal(rises, n);
        assert_int_equal(clock_now, start + n * 10000000);
    }
    program(0, 0, 5000); /* one, and no more */
    ring(true);
    assert_int_equal(rises, 101);
    assert_int_equal(alarm, 0);
}

/* Two periods late: both interrupts come, close to each other, and then it is on time again. */
TEST(late_interrupts_are_made_up_for)
{
    uint64_t start = clock_now;
    program(0, 2, 5000);
    ring(false);
    while (clock_now < start + 15500000)
        ring(false);
    assert_int_equal(rises, 1);
    l.pic[0].irr = 0;
    while (clock_now < start + 25000000)
        ring(true);
    assert_int_equal(rises, 5);
    assert_int_equal(clock_now, start + 25000000);
    clock_now += UINT64_C(10000000000); /* a long pause is not made up for */
    ring(true);
    assert_int_equal(rises, 6);
    assert_int_equal(alarm, clock_now + 5000000);
}

/* A guest that knows nothing of the PIT has no alarm; one that keeps a BIOS's setting has it. */
TEST(only_for_those_who_listen)
{
    assert_int_equal(alarm, 0);
    pit_restart(&l);
    assert_int_equal(alarm, 0);
    l.pic[0].used = true;
    pit_restart(&l);
    assert_true(alarm != 0);
    l.pic[0].imr = 1;
    pit_restart(&l);
    assert_int_equal(alarm, 0);
    program(0, 2, 1000); /* its own, but masked: a look from time to time */
    ring(true);
    assert_true(alarm >= clock_now + 50000 * UINT64_C(1193));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(counters, fresh),
        cmocka_unit_test_setup(latches, fresh),
        cmocka_unit_test_setup(one_half_only, fresh),
        cmocka_unit_test_setup(channel_2_and_its_gate, fresh),
        cmocka_unit_test_setup(interrupts_at_the_right_times, fresh),
        cmocka_unit_test_setup(late_interrupts_are_made_up_for, fresh),
        cmocka_unit_test_setup(only_for_those_who_listen, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
